namespace Glimmer.Models.Layers;

/// <summary>A row-major block of activations in scratch memory, shape (<see cref="Count"/>, <see cref="Width"/>).</summary>
internal readonly unsafe struct Rows(float* data, int count, int width)
{
    /// <summary>First number of row 0.</summary>
    public readonly float* Data = data;

    /// <summary>Rows, one per token of the pass.</summary>
    public readonly int Count = count;

    /// <summary>Numbers per row.</summary>
    public readonly int Width = width;

    /// <summary>All numbers.</summary>
    public Span<float> Span => new(Data, checked(Count * Width));

    /// <summary>First number of a row.</summary>
    public float* Row(int row) => Data + (long)row * Width;

    /// <summary>The rows from <paramref name="start"/> on.</summary>
    public Rows Slice(int start, int count) => new(Row(start), count, Width);
}
