using Glimmer.Engine.Sampling;
using Glimmer.Engine.Speculation;

namespace Glimmer.Engine.Scheduling;

/// <summary>
/// A request and where it stands: its tokens, the pages that hold their rows, and what the next pass will do for it.
/// Owned by the engine's thread, except <see cref="Cancel"/>.
/// </summary>
internal sealed class Sequence
{
    private readonly Action _wake;
    private volatile bool _cancelRequested;

    /// <summary>A sequence that waits for its place.</summary>
    /// <param name="request">What to generate.</param>
    /// <param name="limit">Most tokens of prompt and answer.</param>
    /// <param name="vocabulary">Token ids there are.</param>
    /// <param name="maskWords">Words of a constraint's mask.</param>
    /// <param name="speculation">Most guesses a pass by speculation.</param>
    /// <param name="foresight">Most guesses a pass by the constraint.</param>
    /// <param name="shortestKey">Tokens that must agree before the text so far is read on as a guess.</param>
    /// <param name="wake">Tells the engine that something changed.</param>
    public Sequence(GenerationRequest request, int limit, int vocabulary, int maskWords, int speculation, int foresight, int shortestKey, Action wake)
    {
        _wake = wake;
        Request = request;
        Limit = limit;
        PromptLength = request.Prompt.Count;
        // Room for the answer at once, so that a usual answer never grows a buffer.
        int usual = Math.Min(request.MaxTokens, UsualAnswer);
        Tokens = new int[(int)Math.Min(limit, (long)PromptLength + usual)];
        for (int i = 0; i < PromptLength; i++)
            Tokens[i] = request.Prompt[i];
        Count = PromptLength;
        SamplingOptions sampling = request.Sampling;
        Seed = sampling.Seed ?? (ulong)Random.Shared.NextInt64();
        if (sampling.RepetitionPenalty != 1 || sampling.PresencePenalty != 0 || sampling.FrequencyPenalty != 0)
            History = new TokenHistory();
        for (int i = 0; i < PromptLength && sampling.RepetitionPenalty != 1; i++)
            History!.AddPrompt(Tokens[i]);
        History?.Reserve(Math.Min(usual, vocabulary - History.Count));
        Bias = sampling.LogitBias is { } bias ? [.. bias] : [];
        if (request.Constraint is not null)
            Mask = new uint[maskWords];
        if (speculation > 0)
            Drafter = new NGramDraft(shortestKey);
        int guesses = Math.Max(speculation, foresight);
        Guesses = guesses > 0 ? new int[guesses] : [];
        MostDrafted = speculation;
        Decided = new int[guesses + 1 + MaxForced];
        if (request.TopLogProbs is { } top)
            LogProbs = new TokenLogProb[Decided.Length * (top + 1)];
    }

    /// <summary>Tokens of an answer for which there is room from the start.</summary>
    public const int UsualAnswer = 4096;

    /// <summary>Most tokens taken after one pass because a constraint left no choice.</summary>
    public const int MaxForced = 16;

    public GenerationRequest Request { get; }

    public Tenant? Tenant { get; set; }

    /// <summary>Arrival number: the order of age.</summary>
    public long Order { get; set; }

    public int Limit { get; }

    public int PromptLength { get; }

    public ulong Seed { get; }

    /// <summary>Prompt and generated tokens, the first <see cref="Count"/>.</summary>
    public int[] Tokens { get; private set; }

    public int Count { get; private set; }

    public int Generated => Count - PromptLength;

    /// <summary>Rows in the cache.</summary>
    public int Computed { get; set; }

    public int Remaining => Count - Computed;

    /// <summary>Pages held, the first <see cref="PageCount"/>.</summary>
    public int[] Pages { get; private set; } = [];

    public int PageCount { get; private set; }

    /// <summary>Of the pages, those that were put into the prefix cache.</summary>
    public int PagesShared { get; set; }

    public int StateSlot { get; set; } = -1;

    /// <summary>Whether its prompt is in the cache and it makes a token a pass.</summary>
    public bool Decoding { get; set; }

    public int CachedTokens { get; set; }

    /// <summary>Key of the pages so far in the spill file, and how many pages that is.</summary>
    public (Memory.SpillKey Key, int Pages) Spilled { get; set; }

    /// <summary>Whether more of its pages come from the spill file in the next pass.</summary>
    public bool IsRestoring { get; set; }

    /// <summary>Whether it has left the waiting line.</summary>
    public bool WasAdmitted { get; set; }

    /// <summary>Whether its place was taken away at least once.</summary>
    public bool WasPutBack { get; set; }

    public bool PrefillReported { get; set; }

    public bool Ended { get; set; }

    public TokenHistory? History { get; }

    public KeyValuePair<int, float>[] Bias { get; }

    // What the pass under way does for this sequence.

    /// <summary>Prompt tokens granted to it.</summary>
    public int Granted { get; set; }

    /// <summary>Most prompt tokens that make sense now: no further than to a page that can be read from disk.</summary>
    public int MostGranted { get; set; } = int.MaxValue;

    /// <summary>Position of the chunk's first token.</summary>
    public int ChunkStart { get; set; }

    /// <summary>Its chunk in the batch.</summary>
    public int Chunk { get; set; }

    /// <summary>Tokens of the chunk.</summary>
    public int ChunkTokens { get; set; }

    /// <summary>Whether the chunk ends at the last token, so that the next one is chosen.</summary>
    public bool WantsToken { get; set; }

    /// <summary>Guesses from the text so far.</summary>
    public NGramDraft? Drafter { get; }

    public int[] Guesses { get; }

    /// <summary>Most guesses by speculation.</summary>
    public int MostDrafted { get; }

    /// <summary>How many of <see cref="Guesses"/> the model's draft layer made for the next pass.</summary>
    public int ModelGuesses { get; set; }

    /// <summary>Where the guesses in the chunk come from.</summary>
    public GuessSource GuessSource { get; set; }

    /// <summary>Its chunk in the draft layer's batch.</summary>
    public int DraftChunk { get; set; }

    /// <summary>Rows of that chunk.</summary>
    public int DraftRows { get; set; }

    /// <summary>The draft layer's state behind its last guess.</summary>
    public ReadOnlyMemory<float> DraftState { get; set; }

    /// <summary>Guesses in the chunk, behind its last known token.</summary>
    public int GuessCount { get; set; }

    /// <summary>Tokens chosen after the pass.</summary>
    public int[] Decided { get; }

    public int DecidedCount { get; set; }

    /// <summary>How many of the guesses were right.</summary>
    public int GuessesRight { get; set; }

    /// <summary>How many of the decided tokens were forced by the constraint.</summary>
    public int Forced { get; set; }

    /// <summary>Per decided token: the chosen one's probability, then the most likely ones'.</summary>
    public TokenLogProb[] LogProbs { get; } = [];

    /// <summary>The constraint's mask for the next token; null without a constraint.</summary>
    public uint[]? Mask { get; }

    /// <summary>Whether <see cref="Mask"/> restricts anything.</summary>
    public bool MaskRestricts { get; set; }

    /// <summary>Whether <see cref="Mask"/> is computed already for the next pass.</summary>
    public bool MaskReady { get; set; }

    /// <summary>0 while nobody has begun to compute the mask; set by whoever does.</summary>
    public int MaskClaim;

    /// <summary>What went wrong while its token was chosen.</summary>
    public Exception? Failure { get; set; }

    public CancellationTokenRegistration CancelRegistration { get; set; }

    public bool CancelRequested => _cancelRequested;

    public GenerationUsage Usage => new(PromptLength, CachedTokens, Generated);

    /// <summary>Asks for the end; from any thread.</summary>
    public void Cancel()
    {
        _cancelRequested = true;
        _wake();
    }

    public void Append(int token)
    {
        if (Count == Tokens.Length)
        {
            int[] larger = new int[(int)Math.Min(Limit, 2L * Tokens.Length + 64)];
            Tokens.AsSpan().CopyTo(larger);
            Tokens = larger;
        }

        Tokens[Count++] = token;
    }

    /// <summary>Writes guesses behind the known tokens, where the next pass reads its chunk from; they are not counted.</summary>
    public void PlaceGuesses()
    {
        if (Count + GuessCount > Tokens.Length)
            GuessCount = Tokens.Length - Count;
        Guesses.AsSpan(0, GuessCount).CopyTo(Tokens.AsSpan(Count));
    }

    public void AddPage(int page)
    {
        if (PageCount == Pages.Length)
        {
            int[] larger = new int[Math.Max(16, 2 * Pages.Length)];
            Pages.AsSpan().CopyTo(larger);
            Pages = larger;
        }

        Pages[PageCount++] = page;
    }

    public int TakeLastPage() => Pages[--PageCount];

    /// <summary>Makes room for <paramref name="pages"/> pages without another allocation.</summary>
    public void ReservePages(int pages)
    {
        if (Pages.Length < pages)
            Pages = new int[pages];
    }
}

/// <summary>Where guesses come from.</summary>
internal enum GuessSource
{
    /// <summary>There are none.</summary>
    None,

    /// <summary>The constraint: the usual tokens of a text that must come.</summary>
    Constraint,

    /// <summary>A repetition in the text.</summary>
    Text,

    /// <summary>The model's draft layer.</summary>
    Model,
}
