using Glimmer.Engine.Placement;
using Glimmer.Models;
using Glimmer.Models.Memory;

namespace Glimmer.Engine;

/// <summary>How an engine uses the machine. None of it changes an answer.</summary>
public sealed record EngineOptions
{
    private const int UsualTokens = 8192;

    /// <summary>Threads of a forward pass; 0 takes one per physical core.</summary>
    public int Threads { get; init; }

    /// <summary>How threads are bound to processors. On machines with several memory nodes the KV cache is spread over those in use.</summary>
    public ThreadPlacement Placement { get; init; } = ThreadPlacement.None;

    /// <summary>Tokens per page of the KV cache, a multiple of 32 up to 1024.</summary>
    public int PageTokens { get; init; } = 64;

    /// <summary>Pages of the KV cache; 0 takes as many as <see cref="KvBytes"/> holds.</summary>
    public int Pages { get; init; }

    /// <summary>
    /// Bytes of the KV cache when <see cref="Pages"/> is 0. 0 takes a quarter of the memory, but no more than one sequence of
    /// full length or <see cref="MaxBatch"/> of 8192 tokens need. The memory is committed as it is used.
    /// </summary>
    public long KvBytes { get; init; }

    /// <summary>Longest sequence in tokens, prompt and answer; 0 takes the model's. Memory may allow less.</summary>
    public int ContextLength { get; init; }

    /// <summary>Sequences that run at once, 1 to 1024.</summary>
    public int MaxBatch { get; init; } = 32;

    /// <summary>Most prompt tokens in a pass that serves no running answer, at least 1.</summary>
    public int PrefillTokens { get; init; } = 512;

    /// <summary>Most prompt tokens in a pass beside running answers, at least 1: what a long prompt may delay the others' next token.</summary>
    public int MixedPrefillTokens { get; init; } = 256;

    /// <summary>
    /// How many times as long a pass with prompt tokens beside running answers may take as one without: what a long prompt
    /// may slow the others down. As many prompt tokens go into it as measurement says, but at least one. Above 1; 0 leaves
    /// the pass to the other two limits.
    /// </summary>
    public double MixedPassRatio { get; init; } = 1.75;

    /// <summary>
    /// How long such a pass may take whatever <see cref="MixedPassRatio"/> says: nobody notices a gap so short between two
    /// tokens, and very small pieces of a prompt cost more than they spare.
    /// </summary>
    public TimeSpan UnnoticedPassTime { get; init; } = TimeSpan.FromMilliseconds(10);

    /// <summary>
    /// How long a pass with prompt tokens beside running answers should take at most, by measurement. Zero sets no limit.
    /// </summary>
    public TimeSpan MixedPassTime { get; init; } = TimeSpan.FromMilliseconds(250);

    /// <summary>Requests that may wait for a place, at least 0; more are refused.</summary>
    public int QueueLimit { get; init; } = 1024;

    /// <summary>Whether computed prefixes are kept for reuse.</summary>
    public bool PrefixCache { get; init; } = true;

    /// <summary>
    /// Whether tenants reuse each other's prefixes. It saves work where they share long prompts, but lets each find out by
    /// its count of cached tokens what others have sent.
    /// </summary>
    public bool SharePrefixes { get; init; }

    /// <summary>
    /// Folder for pages that the prefix cache has no room for; null keeps them in memory only. What users wrote can be
    /// reconstructed from such a file: it is readable for this user alone.
    /// </summary>
    public string? PrefixSpill { get; init; }

    /// <summary>Most bytes of the file in that folder, one per model.</summary>
    public long PrefixSpillBytes { get; init; } = 8L << 30;

    /// <summary>What names the weights and how they are used, in the spill file; required with <see cref="PrefixSpill"/>.</summary>
    public string? ModelIdentity { get; init; }

    /// <summary>
    /// Whether tokens that a constraint leaves no choice about are taken without a pass of their own, and the usual tokens of
    /// a text that must come are tried together. It never changes an answer.
    /// </summary>
    public bool JumpAhead { get; init; } = true;

    /// <summary>
    /// Most tokens guessed per pass and answer, 0 to 15; 0 switches speculation off. Guesses come from repetitions in the
    /// text, while enough of them are right, and, up to 3, from the model's own draft layer when it was loaded, while
    /// measurement says that it pays. They never change an answer.
    /// </summary>
    public int SpeculativeTokens { get; init; }

    /// <summary>Checks every value; the error names the option and a legal value.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A value is out of its range.</exception>
    public void Validate()
    {
        Require(Threads is >= 0 and <= 1024, nameof(Threads), Threads, "0 (one per physical core) to 1024");
        Require(PageTokens is >= 32 and <= 1024 && PageTokens % 32 == 0, nameof(PageTokens), PageTokens, "a multiple of 32 from 32 to 1024");
        Require(Pages is >= 0 and <= 1 << 24, nameof(Pages), Pages, "0 (by memory) to 16777216");
        Require(KvBytes >= 0, nameof(KvBytes), KvBytes, "0 (a quarter of the memory) or more");
        Require(ContextLength >= 0, nameof(ContextLength), ContextLength, "0 (the model's) or more");
        Require(MaxBatch is >= 1 and <= 1024, nameof(MaxBatch), MaxBatch, "1 to 1024");
        Require(PrefillTokens >= 1, nameof(PrefillTokens), PrefillTokens, "1 or more");
        Require(MixedPrefillTokens >= 1, nameof(MixedPrefillTokens), MixedPrefillTokens, "1 or more");
        Require(UnnoticedPassTime >= TimeSpan.Zero, nameof(UnnoticedPassTime), (long)UnnoticedPassTime.TotalMilliseconds, "0 ms or more");
        Require(MixedPassTime >= TimeSpan.Zero, nameof(MixedPassTime), (long)MixedPassTime.TotalMilliseconds, "0 ms (no limit) or more");
        Require(PrefixSpillBytes >= 1, nameof(PrefixSpillBytes), PrefixSpillBytes, "1 or more");
        if (PrefixSpill is not null && string.IsNullOrEmpty(ModelIdentity))
            throw new ArgumentException($"{nameof(PrefixSpill)} is set but {nameof(ModelIdentity)} is not; legal is a text that names the weights.");
        if (!(MixedPassRatio == 0 || MixedPassRatio is > 1 and <= 1e6))
            throw new ArgumentOutOfRangeException(nameof(MixedPassRatio), MixedPassRatio, $"{nameof(MixedPassRatio)} is {MixedPassRatio}; legal is 0 (no limit) or a number above 1.");
        Require(QueueLimit >= 0, nameof(QueueLimit), QueueLimit, "0 or more");
        Require(SpeculativeTokens is >= 0 and <= 15, nameof(SpeculativeTokens), SpeculativeTokens, "0 (off) to 15");
    }

    /// <summary>Bytes that an engine with these options reserves for the cache of a model.</summary>
    /// <param name="bytesPerToken">Bytes that the model caches per token.</param>
    /// <param name="stateBytes">Bytes of recurrent state per sequence.</param>
    /// <param name="contextLength">Longest sequence in tokens, at least 1.</param>
    public long KvBytesFor(long bytesPerToken, long stateBytes, int contextLength) =>
        checked(PagesFor(bytesPerToken, contextLength) * bytesPerToken * PageTokens + MaxBatch * stateBytes);

    /// <summary>Pages for a model under these options, at least 1.</summary>
    internal int PagesFor(LanguageModel model, int contextLength) => PagesFor(model.KvLayout.BytesPerToken(model.KvFormat), contextLength);

    private int PagesFor(long bytesPerToken, int contextLength)
    {
        if (Pages > 0)
            return Pages;
        long pageBytes = Math.Max(1, bytesPerToken * PageTokens);
        long whole = (contextLength + PageTokens - 1L) / PageTokens;
        long useful = Math.Max(whole, MaxBatch * Math.Min(whole, (UsualTokens + PageTokens - 1) / PageTokens));
        long budget = KvBytes > 0 ? KvBytes : Math.Min(GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 4, useful * pageBytes);
        // The cache's own tables index tokens by int.
        return (int)Math.Clamp(budget / pageBytes, 1, int.MaxValue / PageTokens);
    }

    private static void Require(bool holds, string name, long value, string legal)
    {
        if (!holds)
            throw new ArgumentOutOfRangeException(name, value, $"{name} is {value}; legal is {legal}.");
    }
}
