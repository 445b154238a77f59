using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Parameters;
using Glimmer.Kernels;
using Glimmer.Kernels.Elementwise;

namespace Glimmer.Benchmarks;

/// <summary>What happens between matrix products, on rows of 4096 numbers: vector beside scalar.</summary>
public class RowBenchmarks : IWorkload
{
    private const int Width = 4096;
    private readonly float[] _x = [.. Enumerable.Range(0, Width).Select(i => MathF.Sin(i) * 4)];
    private readonly float[] _w = [.. Enumerable.Range(0, Width).Select(i => MathF.Cos(i))];
    private readonly float[] _y = new float[Width];

    /// <summary>Scalar or vector.</summary>
    [Params(false, true)]
    public bool Vector { get; set; }

    private InstructionSet Set => Vector ? InstructionSets.Best : InstructionSet.Scalar;

    /// <inheritdoc/>
    public static Work Describe(ParameterInstances parameters) => new(Width * sizeof(float), 0);

    /// <summary>Root-mean-square norm.</summary>
    [Benchmark]
    public void RmsNorm() => Normalisation.RmsNorm(Set, _x, _w, 1e-5f, _y);

    /// <summary>silu(x)·w.</summary>
    [Benchmark]
    public void SwiGlu() => Map.Apply(Set, default(SwiGluFunction), _x, _w, _y);

    /// <summary>Softmax.</summary>
    [Benchmark]
    public void SoftmaxRow() => Softmax.Apply(Set, _x, _y);

    /// <summary>Largest element.</summary>
    [Benchmark]
    public int ArgMax() => Ranking.ArgMax(Set, _x);
}
