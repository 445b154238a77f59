namespace Glimmer.Engine.Tests.Fakes;

/// <summary>Short forms for requests and engines.</summary>
internal static class Rig
{
    public const int Stop = 96;

    public static readonly SamplingOptions Greedy = new() { Greedy = true };

    private static readonly HashSet<int> StopSet = [Stop];

    public static EngineOptions Options { get; } = new() { Threads = 1, Pages = 64, PageTokens = 32, MaxBatch = 8 };

    public static int[] Prompt(int seed, int length)
    {
        Random random = new(seed);
        return [.. Enumerable.Range(0, length).Select(_ => random.Next(90))];
    }

    public static GenerationRequest Request(IReadOnlyList<int> prompt, int max, ITokenSink sink, SamplingOptions? sampling = null) => new()
    {
        Prompt = prompt,
        MaxTokens = max,
        StopTokens = StopSet,
        Sampling = sampling ?? Greedy,
        Sink = sink,
    };

    public static RecordingSink Start(this InferenceEngine engine, IReadOnlyList<int> prompt, int max, SamplingOptions? sampling = null, string tenant = "", CancellationToken cancel = default)
    {
        RecordingSink sink = new();
        Assert.Equal(SubmissionOutcome.Accepted, engine.Submit(Request(prompt, max, sink, sampling) with { Tenant = tenant }, cancel, out _));
        return sink;
    }

    /// <summary>The answer of one request alone, on an engine of its own without any cleverness.</summary>
    public static int[] Alone(FakeModel model, IReadOnlyList<int> prompt, int max, SamplingOptions? sampling = null) =>
        Alone(model, Request(prompt, max, new RecordingSink(), sampling), 0);

    /// <summary>The same for a whole request, with the context of the engine it is compared with.</summary>
    public static int[] Alone(FakeModel model, GenerationRequest request, int context)
    {
        // A model serves one pass at a time: this one is not the one under test.
        using FakeModel twin = model.Twin();
        using InferenceEngine engine = new(twin, new EngineOptions
        {
            Threads = 1,
            Pages = 8,
            PageTokens = 1024,
            MaxBatch = 1,
            PrefillTokens = 1 << 20,
            PrefixCache = false,
            JumpAhead = false,
            ContextLength = context,
        });
        RecordingSink sink = new();
        Assert.Equal(SubmissionOutcome.Accepted, engine.Submit(request with { Sink = sink }, default, out _));
        Assert.True(sink.Ended.Wait(TimeSpan.FromMinutes(2)));
        return [.. sink.Tokens];
    }

    public static async Task<T> Soon<T>(this Task<T> task) => await task.WaitAsync(TimeSpan.FromMinutes(2));

    public static async Task Soon(this Task task) => await task.WaitAsync(TimeSpan.FromMinutes(2));
}
