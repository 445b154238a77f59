using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Parameters;
using Glimmer.Kernels;
using Glimmer.Kernels.Formats;

namespace Glimmer.Benchmarks;

/// <summary>Matrix products of quantised weights: exact and with 8-bit activations, each beside its scalar twin.</summary>
[MemoryDiagnoser(displayGenColumns: false)]
public unsafe class MatMulBenchmarks : IWorkload
{
    private ThreadTeam _team = null!;
    private WeightMatrix _weights = null!;
    private float[] _x = [], _y = [];

    /// <summary>Format of the weights.</summary>
    [Params(BlockFormat.Q8_0, BlockFormat.Q4_0, BlockFormat.Q4_K, BlockFormat.Q6_K)]
    public BlockFormat Format { get; set; }

    /// <summary>Rows and columns of the matrix.</summary>
    [Params(2048)]
    public int Size { get; set; }

    /// <summary>Rows of activations: 1 is a decode step, 64 a piece of a prompt.</summary>
    [Params(1, 8, 64)]
    public int Rows { get; set; }

    /// <summary>Threads of the team.</summary>
    [Params(1)]
    public int Threads { get; set; }

    /// <inheritdoc/>
    public static Work Describe(ParameterInstances parameters)
    {
        double size = (int)parameters["Size"], rows = (int)parameters["Rows"];
        return new Work(BlockCodecs.For((BlockFormat)parameters["Format"]).BytesFor((long)(size * size)), 2 * size * size * rows);
    }

    /// <summary>Fills weights and activations.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        BlockCodec codec = BlockCodecs.For(Format);
        byte[] bytes = GC.AllocateUninitializedArray<byte>((int)codec.BytesFor((long)Size * Size), pinned: true);
        float[] row = new float[Size];
        for (int at = 0; at < bytes.Length; at += (int)codec.BytesFor(Size))
        {
            for (int i = 0; i < Size; i++)
                row[i] = random.NextSingle() - 0.5f;
            codec.Quantise(row, bytes.AsSpan(at, (int)codec.BytesFor(Size)));
        }

        fixed (byte* data = bytes)
            _weights = new WeightMatrix(Format, Size, Size, data, bytes).Pack();
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
