using Glimmer.Kernels.Attention;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels;

/// <summary>Softmax attention over cached keys and values in pages.</summary>
/// <remarks>
/// <para>
/// The result of a row depends on its query and on the keys and values that it sees, bit for bit: not on the chunk that it came in, on other
/// sequences, page size, page numbers, threads or instruction set. Every row walks its keys in tiles of
/// <see cref="TileKeys"/> counted from the start (of the sequence, or of its list of positions), and keeps a running maximum, sum and weighted value
/// per head (Milakov and Gimelshein, 2018; Dao et al., 2022).
/// </para>
/// <para>Scores are dot products in the canonical order of matrix products, times the scale; statistics are single precision.</para>
/// </remarks>
public static unsafe class PagedAttention
{
    /// <summary>Keys that are weighed together. Part of the definition of the result, not a tuning knob.</summary>
    public const int TileKeys = 32;

    /// <summary>Multiply-adds below which threads are not worth waking.</summary>
    internal const long SmallestParallelWork = 96 * 1024;

    /// <summary>Query rows times heads that one part carries over the keys together.</summary>
    internal const int ItemsPerPart = 16;

    /// <summary>Computes attention for every row of every chunk.</summary>
    /// <param name="team">Threads to use.</param>
    /// <param name="shape">Sizes.</param>
    /// <param name="keys">Where keys lie: head h of a row at h·KeyWidth.</param>
    /// <param name="values">Where values lie: head h of a row at h·ValueWidth. May be the same plane as the keys (MLA).</param>
    /// <param name="chunks">The chunks; the call keeps its bookkeeping in them.</param>
    /// <param name="count">How many of <paramref name="chunks"/>.</param>
    /// <exception cref="ArgumentException">The sizes contradict each other.</exception>
    public static void Run(ThreadTeam team, in AttentionShape shape, KvRows keys, KvRows values, AttentionChunk[] chunks, int count) =>
        Run(InstructionSets.Current, team, shape, keys, values, chunks, count);

    internal static void Run(InstructionSet set, ThreadTeam team, in AttentionShape shape, KvRows keys, KvRows values, AttentionChunk[] chunks, int count)
    {
        if (shape.KvHeads < 1 || shape.QueryHeads < shape.KvHeads || shape.QueryHeads % shape.KvHeads != 0 || shape.KeyWidth < 1 || shape.ValueWidth < 1)
            throw new ArgumentException($"Attention is not possible with {shape}.", nameof(shape));
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)chunks.Length, nameof(count));
        var split = new AttentionSplit(shape);
        int parts = 0;
        long work = 0;
        for (int i = 0; i < count; i++)
        {
            ref AttentionChunk chunk = ref chunks[i];
            chunk.FirstPart = parts;
            parts = checked(parts + split.Parts(chunk.Rows));
            for (int row = 0; row < chunk.Rows; row++)
                work += (long)chunk.Length(row) * shape.QueryHeads * (shape.KeyWidth + shape.ValueWidth);
        }

        var body = new Body(set, shape, keys, values, chunks, count);
        if (work >= SmallestParallelWork)
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
}
