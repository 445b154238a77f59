using Glimmer.Kernels;

namespace Glimmer.Models.Loading.Packed;

/// <summary>Rearranges matrices, or takes them from the copy kept at an earlier start; makes that copy when it is missing or does not fit.</summary>
internal sealed unsafe class PackedCopies : IDisposable
{
    private readonly PackedFile? _kept;
    private readonly PackedWriter? _writer;
    private int _next;

    private PackedCopies(PackedFile? kept, PackedWriter? writer)
    {
        _kept = kept;
        _writer = writer;
    }

    /// <summary>Whether a kept copy is used.</summary>
    public bool IsKept => _kept is not null;

    /// <summary>Why no copy could be kept; null when one is, or none is wanted.</summary>
    public string? Fault => _writer?.Fault;

    /// <summary>Looks for the copy of a model in the folder that the options name.</summary>
    public static PackedCopies Open(string path, LoadOptions options, ActivationMode mode)
    {
        if (mode == ActivationMode.Exact || options.PackedFolder is not { } folder || PackedIdentity.Of(path, options) is not { } identity)
            return new PackedCopies(null, null);
        string file = Path.Combine(Path.GetFullPath(folder), identity.FileName);
        PackedFile? kept = PackedFile.TryOpen(file, identity.Hash);
        return new PackedCopies(kept, kept is null ? PackedWriter.Create(file, identity.Hash) : null);
    }

    /// <summary>A matrix in rearranged form. Where no copy is kept or to be kept, it is rearranged later (<see cref="WeightMatrix.PackLater"/>).</summary>
    /// <param name="canonical">Its name.</param>
    /// <param name="matrix">The matrix.</param>
    /// <param name="made">Called when the stored form is not needed any more.</param>
    public WeightMatrix Pack(string canonical, WeightMatrix matrix, Action? made)
    {
        int index = _next++;
        if (_kept is null && _writer is null)
            return matrix.PackLater(made);
        WeightMatrix packed = PackNow(canonical, matrix, index);
        made?.Invoke();
        return packed;
    }

    private WeightMatrix PackNow(string canonical, WeightMatrix matrix, int index)
    {
        long key = PackedIdentity.KeyOf(canonical, matrix);
        if (_kept is not null && _kept.Find(index, key, matrix.PackedBytes) is var data && data != null)
            return matrix.WithPacked(data, _kept.Owner);
        WeightMatrix packed = matrix.Pack();
        _writer?.Add(key, packed.PackedData, packed.PackedBytes);
        return packed;
    }

    /// <summary>Everything was asked for: a new copy is complete.</summary>
    public void Finish() => _writer?.Finish();

    /// <inheritdoc/>
    public void Dispose() => _writer?.Dispose();
}
