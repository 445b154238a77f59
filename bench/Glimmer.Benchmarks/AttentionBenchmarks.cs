using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Parameters;
using Glimmer.Kernels;

namespace Glimmer.Benchmarks;

/// <summary>Attention of one layer of GLM-Edge 1.5B over a paged cache on one thread: 16 query heads, 4 kv heads of 128, pages of 64.</summary>
public unsafe class AttentionBenchmarks : IWorkload
{
    private const int Heads = 16, KvHeads = 4, Head = 128, PageTokens = 64;
    private readonly ThreadTeam _team = new(1);
    private readonly AttentionChunk[] _chunks = new AttentionChunk[1];
    private float* _queries, _output;
    private void* _keys, _values;
    private int* _pages;
    private KvRows _keyRows, _valueRows;

    /// <summary>Tokens in the cache before the chunk, and its rows: decoding after 0, 4096 and 16384 tokens, prompts of 512 and 4096.</summary>
    [Params("0+1", "4096+1", "16384+1", "0+512", "3584+512")]
    public string Place { get; set; } = "0+1";

    /// <summary>How keys and values are stored.</summary>
    [Params(KvFormat.F32, KvFormat.F16, KvFormat.Q8_0)]
    public KvFormat Format { get; set; }

    /// <inheritdoc/>
    public static Work Describe(ParameterInstances parameters)
    {
        (int position, int rows) = Parse((string)parameters["Place"]);
        double keys = (position + (rows + 1) / 2.0) * rows;
        return new Work((double)(position + rows) * KvHeads * ((KvFormat)parameters["Format"]).BytesFor(Head) * 2, keys * Heads * Head * 4);
    }

    /// <summary>Fills the cache.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        (int position, int rows) = Parse(Place);
        int pages = (position + rows + PageTokens - 1) / PageTokens;
        long rowBytes = Format.BytesFor(Head), pageBytes = rowBytes * PageTokens * KvHeads;
        _queries = Floats((long)rows * Heads * Head);
        _output = Floats((long)rows * Heads * Head);
        _keys = Rows();
        _values = Rows();
        _pages = (int*)NativeMemory.Alloc((nuint)pages, sizeof(int));
        int[] order = [.. Enumerable.Range(0, pages)];
        random.Shuffle(order);
        order.CopyTo(new Span<int>(_pages, pages));
        _keyRows = new KvRows(_keys, Format, PageTokens, pageBytes, rowBytes * PageTokens, rowBytes);
        _valueRows = new KvRows(_values, Format, PageTokens, pageBytes, rowBytes * PageTokens, rowBytes);

        float* Floats(long count)
        {
            float* floats = (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);
            for (long i = 0; i < count; i++)
                floats[i] = random.NextSingle() - 0.5f;
            return floats;
        }

        void* Rows()
        {
            byte* bytes = (byte*)NativeMemory.AlignedAlloc((nuint)(pageBytes * pages), 64);
            float* row = stackalloc float[Head];
            for (long i = 0; i < (long)pages * PageTokens * KvHeads; i++)
            {
                for (int j = 0; j < Head; j++)
                    row[j] = random.NextSingle() - 0.5f;
                KvRowFormats.Write(Format, row, bytes + i * rowBytes, Head);
            }

            return bytes;
        }
    }

    /// <summary>Gives the memory back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        NativeMemory.AlignedFree(_queries);
        NativeMemory.AlignedFree(_output);
        NativeMemory.AlignedFree(_keys);
        NativeMemory.AlignedFree(_values);
        NativeMemory.Free(_pages);
    }

    /// <summary>Plain C#.</summary>
    [Benchmark(Baseline = true)]
    public void Scalar() => Run(InstructionSet.Scalar);

    /// <summary>The best instruction set.</summary>
    [Benchmark]
    public void Vector() => Run(InstructionSets.Best);

    private static (int Position, int Rows) Parse(string place)
    {
        string[] parts = place.Split('+');
        return (int.Parse(parts[0], System.Globalization.CultureInfo.InvariantCulture), int.Parse(parts[1], System.Globalization.CultureInfo.InvariantCulture));
    }

    private void Run(InstructionSet set)
    {
        (int position, int rows) = Parse(Place);
        _chunks[0] = new AttentionChunk
        {
            Queries = _queries,
            QueryStride = Heads * Head,
            Output = _output,
            OutputStride = Heads * Head,
            Rows = rows,
            Position = position,
            Pages = _pages,
        };
        PagedAttention.Run(set, _team, new AttentionShape(Heads, KvHeads, Head, Head, 0.0883883f), _keyRows, _valueRows, _chunks, 1);
    }
}
