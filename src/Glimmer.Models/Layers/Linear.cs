using Glimmer.Kernels;

namespace Glimmer.Models.Layers;

/// <summary>y = W·x + b.</summary>
internal sealed unsafe class Linear(WeightMatrix weight, float[]? bias)
{
    /// <summary>W, shape (outputs, inputs).</summary>
    public WeightMatrix Weight { get; } = weight;

    /// <summary>Outputs.</summary>
    public int Outputs => Weight.Rows;

    /// <summary>Multiplies every row.</summary>
    public void Apply(ForwardPass pass, Rows x, Rows y)
    {
        MatMul.Multiply(pass.Team, Weight, x.Span, x.Count, y.Span, pass.Mode);
        AddBias(y);
    }

    /// <summary>Adds b to every row, where there is one.</summary>
    public void AddBias(Rows y)
    {
        if (bias is null)
            return;
        fixed (float* b = bias)
        {
            for (int row = 0; row < y.Count; row++)
                RowMath.Add(y.Row(row), b, y.Width);
        }
    }
}

/// <summary>Matrix products that run together, in one parallel operation. Reused; grows only.</summary>
internal sealed unsafe class ProductQueue
{
    private MatMulJob[] _jobs = new MatMulJob[16];
    private int _count;

    /// <summary>Adds y = W·x for every row; biases are the caller's.</summary>
    public void Add(WeightMatrix weight, Rows x, Rows y) => Add(weight, x.Data, x.Width, x.Count, y.Data, y.Width);

    /// <summary>Adds a product whose rows lie apart.</summary>
    public void Add(WeightMatrix weight, float* x, int xStride, int count, float* y, int yStride)
    {
        if (_count == _jobs.Length)
            Array.Resize(ref _jobs, _count * 2);
        _jobs[_count++] = new MatMulJob(weight, x, xStride, count, y, yStride);
    }

    /// <summary>Runs what was added.</summary>
    public void Run(ForwardPass pass)
    {
        int count = _count;
        _count = 0;
        for (int i = 0; i < count; i++)
            _jobs[i] = _jobs[i] with { Mode = pass.Mode };
        MatMul.MultiplyAll(pass.Team, _jobs, count);
    }
}
