namespace Glimmer.Engine.Tests.Fakes;

/// <summary>Keeps what a generation says and holds the engine to the sink's contract.</summary>
internal class RecordingSink : ITokenSink
{
    private readonly TaskCompletionSource<GenerationEnd> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<int> _tokens = [];

    /// <summary>Called with the number of tokens so far, this one included; false ends the generation.</summary>
    public Func<int, bool>? OnEach { get; set; }

    /// <summary>Tokens in order; complete once <see cref="Ended"/> is.</summary>
    public IReadOnlyList<int> Tokens => _tokens;

    public Task<GenerationEnd> Ended => _ended.Task;

    public GenerationUsage Usage { get; private set; }

    public int CachedTokens { get; private set; } = -1;

    public void OnPrefilled(int promptTokens, int cachedTokens)
    {
        Assert.Equal(-1, CachedTokens);
        Assert.InRange(cachedTokens, 0, promptTokens - 1);
        CachedTokens = cachedTokens;
    }

    public bool OnToken(int token)
    {
        Assert.NotEqual(-1, CachedTokens);
        Assert.False(_ended.Task.IsCompleted);
        _tokens.Add(token);
        return OnEach is null || OnEach(_tokens.Count);
    }

    public void OnEnded(GenerationEnd end, GenerationUsage usage)
    {
        Assert.Equal(_tokens.Count, usage.GeneratedTokens);
        Usage = usage;
        // Throws when the end comes twice.
        _ended.SetResult(end);
    }
}

/// <summary>Keeps the probabilities as well.</summary>
internal sealed class LogProbSink : RecordingSink, ILogProbSink
{
    public List<TokenLogProb> Chosen { get; } = [];

    public List<TokenLogProb[]> Top { get; } = [];

    public void OnLogProbs(TokenLogProb chosen, ReadOnlySpan<TokenLogProb> top)
    {
        Chosen.Add(chosen);
        Top.Add(top.ToArray());
    }
}
