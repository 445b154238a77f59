using Glimmer.Kernels.Attention;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels;

/// <summary>Softmax attention over cached keys and values in pages.</summary>
/// <remarks>
/// <para>
/// The result of a row depends on its query and on the keys and values that it sees, bit for bit: not on the chunk that it came in, on other
/// sequences, page size, page numbers, threads or instruction set. Every row walks its keys in spans of <see cref="SpanKeys"/> and in these in tiles of
/// <see cref="TileKeys"/>, counted from the start (of the sequence, or of its list of positions). In a span it keeps a running maximum, sum and weighted
/// value per head (Milakov and Gimelshein, 2018; Dao et al., 2022); spans are joined in their order, so that threads may share the keys of one row
/// (Dao et al., 2023: flash-decoding).
/// </para>
/// <para>
/// A score is Σ q·k taken element by element with fused multiply-add, times the scale; statistics are single precision. Keys and values of every
/// format are widened exactly first.
/// </para>
/// </remarks>
public static unsafe class PagedAttention
{
    /// <summary>Keys that are weighed together. Part of the definition of the result, not a tuning knob.</summary>
    public const int TileKeys = 32;

    /// <summary>Keys that share one running maximum. Part of the definition of the result, not a tuning knob.</summary>
    public const int SpanKeys = 512;

    /// <summary>Multiply-adds below which threads are not worth waking.</summary>
    internal const long SmallestParallelWork = 96 * 1024;

    /// <summary>Query rows times heads that one part carries over the keys together.</summary>
    internal const int ItemsPerPart = 64;

    // Parts per thread that leave little to wait for at the end.
    private const int PartsPerThread = 3;

    // Most floats that results of spans may take.
    private const long MostSpanFloats = 16 << 20;

    /// <summary>Computes attention for every row of every chunk.</summary>
    /// <param name="team">Threads to use.</param>
    /// <param name="shape">Sizes.</param>
    /// <param name="keys">Where keys lie.</param>
    /// <param name="values">Where values lie. May be the same plane as the keys (MLA).</param>
    /// <param name="chunks">The chunks; the call keeps its bookkeeping in them.</param>
    /// <param name="count">How many of <paramref name="chunks"/>.</param>
    /// <exception cref="ArgumentException">The sizes contradict each other.</exception>
    public static void Run(ThreadTeam team, in AttentionShape shape, KvRows keys, KvRows values, AttentionChunk[] chunks, int count) =>
        Run(InstructionSets.Current, team, shape, keys, values, chunks, count);

    internal static void Run(InstructionSet set, ThreadTeam team, in AttentionShape shape, KvRows keys, KvRows values, AttentionChunk[] chunks, int count)
    {
        if (shape.KvHeads < 1 || shape.QueryHeads < shape.KvHeads || shape.QueryHeads % shape.KvHeads != 0 || shape.KeyWidth < 1 || shape.ValueWidth < 1)
            throw new ArgumentException($"Attention is not possible with {shape}.", nameof(shape));
        if (keys.Format.For(shape.KeyWidth) != keys.Format || (keys.Origin != values.Origin && values.Format.For(shape.ValueWidth) != values.Format))
            throw new ArgumentException($"Keys of {keys.Format} and values of {values.Format} do not hold {shape}: widths must be multiples of {KvRowFormats.BlockLength} for Q8_0.", nameof(keys));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)chunks.Length, nameof(count));
        var split = new AttentionSplit(shape);
        int parts = 0;
        long work = 0;
        for (int i = 0; i < count; i++)
        {
            ref AttentionChunk chunk = ref chunks[i];
            chunk.FirstPart = parts;
            (chunk.SpansPerPart, chunk.SpanParts) = (0, 1);
            parts = checked(parts + split.Parts(chunk.Rows));
            for (int row = 0; row < chunk.Rows; row++)
                work += (long)chunk.Length(row) * shape.QueryHeads * (shape.KeyWidth + shape.ValueWidth);
        }

        bool parallel = work >= SmallestParallelWork;
        int cut = parallel && team.Threads > 1 && parts > 0 && parts < PartsPerThread * team.Threads ? CutKeys(team.Threads, shape, split, chunks, count, ref parts) : 0;
        var body = new Body(set, shape, keys, values, chunks, count);
        Run(parallel, team, parts, ref body);
        if (cut == 0)
            return;
        var join = new JoinBody(set, shape, chunks, count);
        Run(parallel, team, cut, ref join);
    }

    /// <summary>Cuts the keys of chunks into parts too, where rows and heads alone do not occupy the threads.</summary>
    /// <returns>Rows whose spans must be joined.</returns>
    private static int CutKeys(int threads, in AttentionShape shape, in AttentionSplit split, AttentionChunk[] chunks, int count, ref int parts)
    {
        int wanted = (PartsPerThread * threads + parts - 1) / parts, paddedWidth = (shape.ValueWidth + 15) & ~15, rows = 0;
        long floats = 0;
        for (int i = 0; i < count; i++)
        {
            ref AttentionChunk chunk = ref chunks[i];
            int spans = (chunk.Longest() + SpanKeys - 1) / SpanKeys;
            long size = SpanResults.Size(spans, chunk.Rows, shape.QueryHeads, paddedWidth);
            if (spans < 2 || floats + size > MostSpanFloats)
                continue;
            chunk.SpansPerPart = (spans + wanted - 1) / wanted;
            chunk.SpanParts = (spans + chunk.SpansPerPart - 1) / chunk.SpansPerPart;
            floats += size;
            rows += chunk.Rows;
        }

        if (rows == 0)
            return 0;
        float* memory = SpanResults.Reserve(floats);
        parts = 0;
        for (int i = 0; i < count; i++)
        {
            ref AttentionChunk chunk = ref chunks[i];
            chunk.FirstPart = parts;
            parts = checked(parts + split.Parts(chunk.Rows) * chunk.SpanParts);
            if (chunk.SpansPerPart == 0)
                continue;
            chunk.Spans = new SpanResults(memory, chunk.Rows, shape.QueryHeads, paddedWidth);
            memory += SpanResults.Size((chunk.Longest() + SpanKeys - 1) / SpanKeys, chunk.Rows, shape.QueryHeads, paddedWidth);
        }

        return rows;
    }

    private static void Run<TBody>(bool parallel, ThreadTeam team, int parts, ref TBody body)
        where TBody : struct, IParallelBody
    {
        if (parallel)
        {
            team.Run(parts, ref body);
            return;
        }

        for (int part = 0; part < parts; part++)
            body.Invoke(part);
    }

    private readonly struct Body(InstructionSet set, AttentionShape shape, KvRows keys, KvRows values, AttentionChunk[] chunks, int count) : IParallelBody
    {
        public void Invoke(int part)
        {
            // The last chunk that begins at or before this part; one without rows begins where the next one does.
            int low = 0, high = count - 1;
            while (low < high)
            {
                int middle = (low + high + 1) / 2;
                if (chunks[middle].FirstPart <= part)
                    low = middle;
                else
                    high = middle - 1;
            }

            var kernel = new AttentionPart(shape, keys, values, ref chunks[low], part - chunks[low].FirstPart);
            LaneDispatch.Run(set, ref kernel);
        }
    }

    /// <summary>Joins the spans of one row whose keys were cut.</summary>
    private readonly struct JoinBody(InstructionSet set, AttentionShape shape, AttentionChunk[] chunks, int count) : IParallelBody
    {
        public void Invoke(int part)
        {
            for (int i = 0; i < count; i++)
            {
                if (chunks[i].SpansPerPart == 0)
                    continue;
                if (part < chunks[i].Rows)
                {
                    var kernel = new JoinKernel(shape, ref chunks[i], part);
                    LaneDispatch.Run(set, ref kernel);
                    return;
                }

                part -= chunks[i].Rows;
            }
        }
    }

    private readonly ref struct JoinKernel(AttentionShape shape, ref AttentionChunk chunk, int row) : ILaneKernel
    {
        private readonly ref AttentionChunk _chunk = ref chunk;

        public void Run<V>()
            where V : struct, ILanes<V>
        {
            for (int head = 0; head < shape.QueryHeads; head++)
                _chunk.Spans.Finish<V>(row, head, _chunk.Length(row), _chunk.Output + (long)row * _chunk.OutputStride + (long)head * shape.ValueWidth, shape.ValueWidth);
        }
    }
}
