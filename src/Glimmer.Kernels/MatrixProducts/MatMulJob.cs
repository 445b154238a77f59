using Glimmer.Kernels.Integer;

namespace Glimmer.Kernels;

/// <summary>How activations enter a matrix product.</summary>
public enum ActivationMode
{
    /// <summary>As the single-precision numbers they are.</summary>
    Exact,

    /// <summary>
    /// As signed bytes with a scale per block of 32 (per 256 for formats with blocks of 256), multiplied with packed weights (<see cref="WeightMatrix.Pack"/>) in exact
    /// integers. Faster, and off by the rounding of the activations, about 0.4 % of a block's largest number. Matrices that are not packed are multiplied exactly.
    /// </summary>
    Int8,

    /// <summary><see cref="Int8"/> where this machine has fast kernels for it and the weights are stored in blocks, else <see cref="Exact"/>.</summary>
    Auto,
}

/// <summary>One product of a call that runs several at once: the experts of a layer, or query, key and value projections.</summary>
/// <remarks>The memory behind the pointers must stay valid and in place during the call. Results must not overlap anything that the call reads.</remarks>
public readonly unsafe struct MatMulJob
{
    /// <summary>Describes y[i·yStride + r] = Σ_c x[i·xStride + c]·W[r, c] for i below <paramref name="count"/>.</summary>
    /// <param name="weights">W, shape (rows, columns).</param>
    /// <param name="x">First row of activations.</param>
    /// <param name="xStride">Floats from one row of activations to the next, at least the matrix's columns.</param>
    /// <param name="count">Rows of activations, at least 0.</param>
    /// <param name="y">First row of results.</param>
    /// <param name="yStride">Floats from one row of results to the next, at least the matrix's rows.</param>
    public MatMulJob(WeightMatrix weights, float* x, int xStride, int count, float* y, int yStride)
    {
        ArgumentNullException.ThrowIfNull(weights);
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        ArgumentOutOfRangeException.ThrowIfLessThan(xStride, weights.Columns);
        ArgumentOutOfRangeException.ThrowIfLessThan(yStride, weights.Rows);
        Weights = weights;
        X = x;
        XStride = xStride;
        Count = count;
        Y = y;
        YStride = yStride;
    }

    /// <summary>W.</summary>
    public WeightMatrix Weights { get; }

    /// <summary>First row of activations.</summary>
    public float* X { get; }

    /// <summary>Floats from one row of activations to the next.</summary>
    public int XStride { get; }

    /// <summary>Rows of activations.</summary>
    public int Count { get; }

    /// <summary>First row of results.</summary>
    public float* Y { get; }

    /// <summary>Floats from one row of results to the next.</summary>
    public int YStride { get; }

    /// <summary>How the activations enter.</summary>
    public ActivationMode Mode { get; init; }

    /// <summary>Whether this product runs in integers.</summary>
    internal bool IsInteger => Mode != ActivationMode.Exact && Weights.IsPacked;

    /// <summary>The quantised activations of an integer product, during a call.</summary>
    internal QuantisedRows Activations { get; init; }

    /// <summary>Whether the activations of an integer product have one scale per 256.</summary>
    internal bool IsSuper => Weights.PackedLayout.IsSuper;

    /// <summary>Whether another job before this one has the same activations, so that they are quantised once.</summary>
    internal bool IsShared { get; init; }

    /// <summary>Parts of all jobs before this one.</summary>
    internal int FirstPart { get; init; }

    /// <summary>Rows of weights in one part.</summary>
    internal int RowsPerPart { get; init; }
}
