using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Parameters;
using Glimmer.Kernels;

namespace Glimmer.Benchmarks;

/// <summary>Attention of one chunk over a paged cache: 8 query heads, 2 kv heads of 64, pages of 32.</summary>
public unsafe class AttentionBenchmarks : IWorkload
{
    private const int Heads = 8, KvHeads = 2, Head = 64, PageTokens = 32;
    private readonly ThreadTeam _team = new(1);
    private readonly AttentionChunk[] _chunks = new AttentionChunk[1];
    private float[] _q = [], _k = [], _v = [], _y = [];
    private int[] _pages = [];

    /// <summary>Tokens in the cache, the chunk included.</summary>
    [Params(256, 4096)]
    public int Context { get; set; }

    /// <summary>Rows of the chunk.</summary>
    [Params(1, 32)]
    public int Rows { get; set; }

    /// <inheritdoc/>
    public static Work Describe(ParameterInstances parameters)
    {
        double context = (int)parameters["Context"], rows = (int)parameters["Rows"];
        return new Work(context * KvHeads * Head * 2 * sizeof(float), (context - rows / 2) * rows * Heads * Head * 4);
    }

    /// <summary>Fills the cache.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        _q = Fill(Rows * Heads * Head);
        _k = Fill(Context * KvHeads * Head);
        _v = Fill(Context * KvHeads * Head);
        _y = Fill(Rows * Heads * Head);
        _pages = GC.AllocateArray<int>(Context / PageTokens, pinned: true);
        for (int i = 0; i < _pages.Length; i++)
            _pages[i] = i;
        random.Shuffle(_pages);

        float[] Fill(int count)
        {
            float[] values = GC.AllocateArray<float>(count, pinned: true);
            for (int i = 0; i < count; i++)
                values[i] = random.NextSingle() - 0.5f;
            return values;
        }
    }

    /// <summary>Plain C#.</summary>
    [Benchmark(Baseline = true)]
    public void Scalar() => Run(InstructionSet.Scalar);

    /// <summary>The best instruction set.</summary>
    [Benchmark]
    public void Vector() => Run(InstructionSets.Best);

    private void Run(InstructionSet set)
    {
        fixed (float* q = _q, k = _k, v = _v, y = _y)
        fixed (int* pages = _pages)
        {
            const int Row = KvHeads * Head;
            _chunks[0] = new AttentionChunk
            {
                Queries = q,
                QueryStride = Heads * Head,
                Output = y,
                OutputStride = Heads * Head,
                Rows = Rows,
                Position = Context - Rows,
                Pages = pages,
            };
            PagedAttention.Run(set, _team, new AttentionShape(Heads, KvHeads, Head, Head, 0.125f), new KvRows(k, KvFormat.F32, PageTokens, PageTokens * Row * 4, Head * 4, Row * 4), new KvRows(v, KvFormat.F32, PageTokens, PageTokens * Row * 4, Head * 4, Row * 4), _chunks, 1);
        }
    }
}
