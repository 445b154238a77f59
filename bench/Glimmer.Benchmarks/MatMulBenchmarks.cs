using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Parameters;
using Glimmer.Kernels;
using Glimmer.Kernels.Formats;

namespace Glimmer.Benchmarks;

/// <summary>Matrix products of Q8_0 weights: exact and with 8-bit activations, each beside its scalar twin.</summary>
[MemoryDiagnoser(displayGenColumns: false)]
public unsafe class MatMulBenchmarks : IWorkload
{
    private ThreadTeam _team = null!;
    private WeightMatrix _weights = null!;
    private float[] _x = [], _y = [];

    /// <summary>Rows and columns of the matrix.</summary>
    [Params(256, 2048)]
    public int Size { get; set; }

    /// <summary>Rows of activations: 1 is a decode step, 64 a piece of a prompt.</summary>
    [Params(1, 4, 64)]
    public int Rows { get; set; }

    /// <summary>Threads of the team.</summary>
    [Params(1)]
    public int Threads { get; set; }

    /// <inheritdoc/>
    public static Work Describe(ParameterInstances parameters)
    {
        double size = (int)parameters["Size"], rows = (int)parameters["Rows"];
        return new Work(size * size * 34 / 32, 2 * size * size * rows);
    }

    /// <summary>Fills weights and activations.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        byte[] bytes = GC.AllocateUninitializedArray<byte>(Size / 32 * 34 * Size, pinned: true);
        random.NextBytes(bytes);
        for (int at = 0; at < bytes.Length; at += 34)
            BitConverter.TryWriteBytes(bytes.AsSpan(at), (Half)0.01);
        fixed (byte* data = bytes)
            _weights = new WeightMatrix(BlockFormat.Q8_0, Size, Size, data, bytes).Pack();
        _x = [.. Enumerable.Range(0, Rows * Size).Select(_ => random.NextSingle() - 0.5f)];
        _y = new float[Rows * Size];
        _team = new ThreadTeam(Threads);
    }

    /// <summary>Ends the threads.</summary>
    [GlobalCleanup]
    public void Cleanup() => _team.Dispose();

    /// <summary>Single-precision activations, plain C#.</summary>
    [Benchmark(Baseline = true)]
    public void ExactScalar() => Run(InstructionSet.Scalar, ActivationMode.Exact);

    /// <summary>Single-precision activations, the best instruction set.</summary>
    [Benchmark]
    public void ExactVector() => Run(InstructionSets.Best, ActivationMode.Exact);

    /// <summary>8-bit activations, plain C#.</summary>
    [Benchmark]
    public void Int8Scalar() => Run(InstructionSet.Scalar, ActivationMode.Int8);

    /// <summary>8-bit activations, the best instruction set.</summary>
    [Benchmark]
    public void Int8Vector() => Run(InstructionSets.Best, ActivationMode.Int8);

    private void Run(InstructionSet set, ActivationMode mode)
    {
        fixed (float* x = _x, y = _y)
            MatMul.Multiply(set, _team, new MatMulJob(_weights, x, Size, Rows, y, Size) { Mode = mode });
    }
}
