namespace Glimmer.Kernels;

/// <summary>
/// Weights that are stored in a way that no <see cref="Formats.BlockFormat"/> describes, such as codes whose scales lie elsewhere: gives one row
/// of a matrix at a time as single-precision numbers. Products with it equal those with the expanded matrix bit for bit.
/// </summary>
/// <remarks>Immutable; read from several threads at once.</remarks>
public abstract class RowSource
{
    /// <summary>Rows there are.</summary>
    public abstract int Rows { get; }

    /// <summary>Numbers in a row.</summary>
    public abstract int Columns { get; }

    /// <summary>Bytes that the weights take as they are stored.</summary>
    public abstract long Bytes { get; }

    /// <summary>Computes a row.</summary>
    /// <param name="row">0 to <see cref="Rows"/> − 1.</param>
    /// <param name="values">Room for <see cref="Columns"/> numbers.</param>
    public abstract void Read(int row, Span<float> values);
}
