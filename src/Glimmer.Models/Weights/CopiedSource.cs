using System.Diagnostics.CodeAnalysis;
using Glimmer.Models.Weights.Schemes;

namespace Glimmer.Models.Weights;

/// <summary>
/// A checkpoint whose tensors are copied into memory of their own when they are asked for, so that what becomes of the files afterwards does not matter.
/// A copy stays as long as someone holds it.
/// </summary>
internal sealed unsafe class CopiedSource(IWeightSource mapped) : IWeightSource
{
    private const long Piece = 16L << 20;
    private readonly Dictionary<string, (WeakReference<object> Owner, nint Address)> _copies = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public string Location => mapped.Location;

    /// <inheritdoc/>
    public IReadOnlyCollection<string> Names => mapped.Names;

    /// <inheritdoc/>
    public bool Contains(string name) => mapped.Contains(name);

    /// <inheritdoc/>
    public bool TryGet(string name, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        if (!mapped.TryGet(name, out tensor))
            return false;
        lock (_copies)
        {
            if (!_copies.TryGetValue(name, out (WeakReference<object> Owner, nint Address) known) || !known.Owner.TryGetTarget(out object? owner))
            {
                NativeFloats memory = new((tensor.ByteLength + sizeof(float) - 1) / sizeof(float));
                byte* source = (byte*)tensor.Address, target = (byte*)memory.Start;
                long length = tensor.ByteLength;
                Parallel.For(0, (length + Piece - 1) / Piece, piece => Buffer.MemoryCopy(source + piece * Piece, target + piece * Piece, length - piece * Piece, Math.Min(Piece, length - piece * Piece)));
                GC.KeepAlive(tensor);
                known = (new WeakReference<object>(memory), (nint)target);
                _copies[name] = known;
                owner = memory;
            }

            tensor = tensor with { Address = known.Address, Owner = owner };
            return true;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => mapped.Dispose();
}
