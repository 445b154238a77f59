using System.Globalization;
using Glimmer.Kernels;
using Glimmer.Models.Configuration;
using Glimmer.Models.Memory;

namespace Glimmer.Models.Loading;

/// <summary>What a model needs in memory, before it is loaded.</summary>
public sealed class MemoryPlan
{
    // Growing leaves smaller blocks beside the last one until a pass has ended.
    private const int ScratchSlack = 3;
    private readonly string _path;
    private readonly ModelConfig _config;

    internal MemoryPlan(string path, ModelConfig config, KvLayout layout, KvFormat format, ITensorProvider tensors, int contextTokens, int sequences, int batchTokens)
    {
        _path = path;
        _config = config;
        MappedWeightBytes = tensors.MappedBytes;
        CopiedWeightBytes = tensors.CopiedBytes;
        PackedWeightBytes = tensors.PackedBytes;
        CacheBytesPerToken = layout.BytesPerToken(format);
        StateBytesPerSequence = (long)layout.StateWidth * sizeof(float);
        ContextTokens = contextTokens;
        Sequences = sequences;
        BatchTokens = batchTokens;
    }

    /// <summary>Bytes of weights that are mapped from the files: the system can drop and reread them, but running fast needs them present.</summary>
    public long MappedWeightBytes { get; }

    /// <summary>Bytes of weights in memory of their own.</summary>
    public long CopiedWeightBytes { get; }

    /// <summary>Bytes of the copies that are rearranged for products with rounded activations, beside the weights they are made of.</summary>
    public long PackedWeightBytes { get; }

    /// <summary>Bytes cached per token of a sequence.</summary>
    public long CacheBytesPerToken { get; }

    /// <summary>Bytes of recurrent state per sequence; 0 for pure attention.</summary>
    public long StateBytesPerSequence { get; }

    /// <summary>Tokens per sequence planned for.</summary>
    public int ContextTokens { get; }

    /// <summary>Sequences planned for.</summary>
    public int Sequences { get; }

    /// <summary>Tokens per pass planned for.</summary>
    public int BatchTokens { get; }

    /// <summary>Bytes of weights.</summary>
    public long WeightBytes => MappedWeightBytes + CopiedWeightBytes + PackedWeightBytes;

    /// <summary>Bytes of cache and state for all sequences at full length.</summary>
    public long CacheBytes => checked(Sequences * (CacheBytesPerToken * ContextTokens + StateBytesPerSequence));

    /// <summary>Upper bound of the bytes of activations and logits of a pass.</summary>
    public long ScratchBytes => ScratchFor(ContextTokens);

    /// <summary>Everything together.</summary>
    public long TotalBytes => checked(WeightBytes + CacheBytes + ScratchBytes);

    /// <summary>The longest context, up to the model's own, with which everything fits into <paramref name="budgetBytes"/>; 0 when nothing does.</summary>
    public int LargestContext(long budgetBytes)
    {
        int low = 0, high = _config.ContextLength;
        while (low < high)
        {
            int middle = low + (high - low + 1) / 2;
            Int128 cache = (Int128)Sequences * ((Int128)CacheBytesPerToken * middle + StateBytesPerSequence);
            if (WeightBytes + cache + ScratchFor(middle) <= budgetBytes)
                low = middle;
            else
                high = middle - 1;
        }

        return low;
    }

    /// <summary>Refuses when it does not fit.</summary>
    /// <exception cref="ModelFileException">The message has the numbers and the largest context that fits.</exception>
    public void Require(long budgetBytes)
    {
        if (TotalBytes <= budgetBytes)
            return;
        int largest = LargestContext(budgetBytes);
        string remedy = largest > 0
            ? $"the largest context that fits is {largest} tokens for {Sequences} {(Sequences == 1 ? "sequence" : "sequences")}"
            : WeightBytes > budgetBytes ? "the weights alone do not fit: use a smaller quantisation" : "not even the shortest context fits: allow fewer sequences or smaller batches";
        throw new ModelFileException(_path, $"needs {Show(TotalBytes)} ({this}), but {Show(budgetBytes)} may be used; {remedy}.");
    }

    /// <summary>The parts, for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"weights {Show(WeightBytes)}{(PackedWeightBytes > 0 ? $" ({Show(PackedWeightBytes)} of them rearranged copies)" : "")}, cache {Show(CacheBytes)} for {Sequences} × {ContextTokens} tokens, scratch {Show(ScratchBytes)}");

    private static string Show(long bytes) => bytes >= 1L << 30
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.00} GiB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):0.0} MiB");

    private long ScratchFor(int context)
    {
        ModelConfig c = _config;
        long hidden = c.HiddenSize, streams = c.Hyper?.Streams ?? 1;
        long row = hidden * (3 * streams + 4) + (c.Rope?.Dimensions ?? 0) + Attention() + FeedForward();
        long floats = row * BatchTokens + (long)Math.Min(Sequences, BatchTokens) * (hidden + 2L * c.VocabularySize);
        if (c.Indexer is { } indexer)
            floats += 16L * 2 * context + (long)BatchTokens * (1 + Math.Min(indexer.MostChosen, context));
        return checked((floats * ScratchSlack + (1 << 18)) * sizeof(float));

        long Attention()
        {
            long widest = c.Latent is { } latent
                ? latent.QueryRank + c.Attention.Heads * (2L * (latent.NopeDim + latent.RopeDim) + 2L * latent.KvRank + latent.ValueDim) + latent.KvRank + latent.RopeDim
                : 2L * c.Attention.Heads * c.Attention.HeadDim + 2L * c.Attention.KvHeads * c.Attention.HeadDim;
            if (c.Indexer is { } ix)
                widest += (ix.Heads + 3L) * ix.HeadDim + ix.Heads;
            if (c.Linear is { } linear)
                widest = Math.Max(widest, 10L * linear.Heads * linear.HeadDim + 2L * linear.HeadDim + linear.Heads);
            return widest;
        }

        long FeedForward()
        {
            long dense = 2L * c.FeedForwardWidth;
            return c.Moe is { } moe
                ? Math.Max(dense, moe.PerToken * (2 * hidden + 2L * moe.ExpertWidth + 4) + 2L * moe.SharedExperts * moe.ExpertWidth + hidden + 2L * moe.Experts)
                : dense;
        }
    }
}
