using System.Diagnostics;
using Glimmer.Engine;

namespace Glimmer.Cli.Benchmarks;

/// <summary>Notes when each token of a generation came.</summary>
internal sealed class TokenClock : ITokenSink
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _begunAfter;
    private readonly long[] _times;
    private readonly int[] _tokens;
    private int _count;

    /// <summary>A clock with room for a generation.</summary>
    /// <param name="most">Most tokens.</param>
    /// <param name="begunAfter">Tokens after which <see cref="Begun"/> completes.</param>
    public TokenClock(int most, int begunAfter = 1)
    {
        _times = new long[most];
        _tokens = new int[most];
        _begunAfter = begunAfter;
    }

    /// <summary>When each token came, in ticks of <see cref="Stopwatch"/>.</summary>
    public ReadOnlySpan<long> Times => _times.AsSpan(0, Volatile.Read(ref _count));

    /// <summary>The tokens.</summary>
    public ReadOnlySpan<int> Tokens => _tokens.AsSpan(0, Volatile.Read(ref _count));

    /// <summary>Prompt tokens reused.</summary>
    public int CachedTokens { get; private set; }

    /// <summary>Completes at the end; fails when the engine did.</summary>
    public Task Done => _done.Task;

    /// <summary>Completes once some tokens came, or the end.</summary>
    public Task Begun => _begun.Task;

    /// <summary>Hands a greedy request without stop tokens to the engine.</summary>
    /// <exception cref="InvalidOperationException">The engine refused it.</exception>
    public RunningGeneration Submit(InferenceEngine engine, IReadOnlyList<int> prompt, int maxTokens, string tenant, CancellationToken cancel)
    {
        GenerationRequest request = new()
        {
            Prompt = prompt,
            Sampling = new SamplingOptions { Greedy = true },
            MaxTokens = maxTokens,
            StopTokens = new HashSet<int>(),
            Tenant = tenant,
            Sink = this,
        };
        SubmissionOutcome outcome = engine.Submit(request, cancel, out RunningGeneration? running);
        return outcome == SubmissionOutcome.Accepted ? running! : throw new InvalidOperationException($"The engine refused the request: {outcome}.");
    }

    /// <summary>A prompt of random ordinary tokens.</summary>
    public static int[] RandomPrompt(InferenceEngine engine, int length, int seed)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(1, Math.Min(engine.VocabularySize, 1000)))];
    }

    /// <inheritdoc/>
    public void OnPrefilled(int promptTokens, int cachedTokens) => CachedTokens = cachedTokens;

    /// <inheritdoc/>
    public bool OnToken(int token)
    {
        _times[_count] = Stopwatch.GetTimestamp();
        _tokens[_count] = token;
        Volatile.Write(ref _count, _count + 1);
        if (_count == _begunAfter)
            _begun.TrySetResult();
        return true;
    }

    /// <inheritdoc/>
    public void OnEnded(GenerationEnd end, GenerationUsage usage)
    {
        _begun.TrySetResult();
        if (end is GenerationEnd.MaxTokens or GenerationEnd.ContextFull)
            _done.TrySetResult();
        else if (end == GenerationEnd.Cancelled)
            _done.TrySetCanceled();
        else
            _done.TrySetException(new InvalidOperationException($"The engine ended with {end}."));
    }
}
