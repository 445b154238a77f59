using System.Diagnostics.CodeAnalysis;
using Glimmer.Kernels;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights.Schemes;

/// <summary>A checkpoint seen through its scheme: plain names, quantised weights computed when asked for.</summary>
internal sealed class DequantisedSource : IWeightSource
{
    private readonly IWeightSource _raw;
    private readonly CheckpointScheme _scheme;
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Computed> _computed = new(StringComparer.Ordinal);
    private readonly Dictionary<string, WeakReference<RowSource>> _opened = new(StringComparer.Ordinal);

    public DequantisedSource(IWeightSource raw, CheckpointScheme scheme)
    {
        _raw = raw;
        _scheme = scheme;
        foreach (string stored in raw.Names)
        {
            if (scheme.PlainName(stored, raw) is { } plain)
                _names.Add(plain);
        }
    }

    /// <inheritdoc/>
    public string Location => _raw.Location;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => _names;

    /// <inheritdoc/>
    public bool Contains(string name) => _names.Contains(name);

    /// <inheritdoc/>
    public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        tensor = null;
        if (!_names.Contains(name))
            return false;
        lock (_computed)
        {
            // Whoever still uses the numbers holds their owner, though perhaps no longer the tensor that described them.
            if (_computed.TryGetValue(name, out Computed known) && known.Owner.TryGetTarget(out object? owner))
            {
                tensor = new StoredTensor(name, known.Shape, BlockFormat.F32, known.Address, known.ByteLength, owner);
                return true;
            }

            if (_scheme.Find(name, _raw) is not { } quantised)
                return _raw.TryGet(name, out tensor);
            tensor = quantised.Dequantise();
            _computed[name] = new Computed(new WeakReference<object>(tensor.Owner), tensor.Shape, tensor.Address, tensor.ByteLength);
            return true;
        }
    }

    /// <summary>Finds a weight that the scheme computes, without computing it.</summary>
    public bool TryFind(string name, [NotNullWhen(true)] out QuantisedTensor? tensor)
    {
        tensor = _names.Contains(name) ? _scheme.Find(name, _raw) : null;
        return tensor is not null;
    }

    /// <summary>The weight as rows computed when they are read; the same object while someone holds it.</summary>
    /// <exception cref="ModelFileException">Its parts do not fit each other.</exception>
    public RowSource Open(QuantisedTensor tensor)
    {
        lock (_computed)
        {
            if (_opened.TryGetValue(tensor.Name, out WeakReference<RowSource>? known) && known.TryGetTarget(out RowSource? rows))
                return rows;
            rows = tensor.Open();
            _opened[tensor.Name] = new WeakReference<RowSource>(rows);
            return rows;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _raw.Dispose();

    private readonly record struct Computed(WeakReference<object> Owner, long[] Shape, nint Address, long ByteLength);
}
