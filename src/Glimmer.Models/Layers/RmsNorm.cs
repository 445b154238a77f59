namespace Glimmer.Models.Layers;

/// <summary>Root mean square normalisation with a weight per component (arXiv 1910.07467).</summary>
internal sealed unsafe class RmsNorm
{
    private readonly float[] _memory;
    private readonly float* _weight;
    private readonly float _epsilon;

    /// <summary>Takes the weights over.</summary>
    public RmsNorm(ReadOnlySpan<float> weight, float epsilon)
    {
        _memory = GC.AllocateUninitializedArray<float>(weight.Length, pinned: true);
        weight.CopyTo(_memory);
        _weight = (float*)System.Runtime.CompilerServices.Unsafe.AsPointer(ref _memory[0]);
        _epsilon = epsilon;
    }

    /// <summary>Components.</summary>
    public int Width => _memory.Length;

    /// <summary>Normalises every row; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    public void Apply(ForwardPass pass, Rows x, Rows y) =>
        pass.Parallel(x.Count, x.Width * 2, (Norm: this, X: x, Y: y), static (s, row) => s.Norm.Apply(s.X.Row(row), s.Y.Row(row)));

    /// <summary>Normalises one vector; <paramref name="y"/> may be <paramref name="x"/>.</summary>
    public void Apply(float* x, float* y) => PlainMath.RmsNorm(x, _weight, y, Width, _epsilon);

    /// <summary>Normalises each head of a row in place.</summary>
    public void ApplyToHeads(float* row, int heads)
    {
        for (int head = 0; head < heads; head++)
            Apply(row + head * Width, row + head * Width);
    }
}

