using Glimmer.Kernels;

namespace Glimmer.Models.Loading;

/// <summary>Gives layers their tensors under canonical names, with shapes checked.</summary>
internal interface ITensorProvider
{
    /// <summary>Numbers in the tensors taken so far, each counted once.</summary>
    long Parameters { get; }

    /// <summary>Bytes of the tensors taken so far that stay in the mapped file.</summary>
    long MappedBytes { get; }

    /// <summary>Bytes of the tensors taken so far that lie in memory of their own.</summary>
    long CopiedBytes { get; }

    /// <summary>Bytes of the copies that were rearranged for products with rounded activations.</summary>
    long PackedBytes { get; }

    /// <summary>Whether the file has the tensor.</summary>
    bool Has(string canonical);

    /// <summary>A small tensor, as floats.</summary>
    float[] Floats(string canonical, params ReadOnlySpan<long> shape);

    /// <summary>A matrix.</summary>
    WeightMatrix Matrix(string canonical, int rows, int columns);

    /// <summary>A stack of matrices, each shape (rows, columns), as one matrix of all their rows.</summary>
    WeightMatrix Stack(string canonical, int count, int rows, int columns);

    /// <summary>Makes a matrix ready for products: rearranged when activations are to be rounded and its format allows it.</summary>
    WeightMatrix Prepare(string canonical, WeightMatrix matrix);

    /// <summary>
    /// A transposed copy. Formats without blocks keep their precision; others become single precision, so that nothing is
    /// rounded twice.
    /// </summary>
    WeightMatrix Transposed(WeightMatrix matrix);
}
