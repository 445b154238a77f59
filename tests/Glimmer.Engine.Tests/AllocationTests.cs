using Glimmer.Engine.Tests.Fakes;

namespace Glimmer.Engine.Tests;

public sealed class AllocationTests
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Decoding_allocates_nothing(bool sampled)
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options with { SpeculativeTokens = 3 });
        SamplingOptions sampling = new()
        {
            Greedy = !sampled,
            TopP = 0.9f,
            TopK = 30,
            FrequencyPenalty = sampled ? 0.01f : 0,
            Seed = 8,
            LogitBias = new Dictionary<int, float> { [Rig.Stop] = -100 },
        };
        CountingSink first = new();
        List<CountingSink> sinks = [first, new(), new(), new()];
        foreach (CountingSink sink in sinks)
            engine.Submit(Rig.Request(Rig.Prompt(sinks.IndexOf(sink), 40), 300, sink, sampling), default, out _);
        foreach (CountingSink sink in sinks)
            await sink.Ended.Soon();

        // The history of penalties grows with the distinct tokens, at most the vocabulary: early, not per token.
        Assert.Equal(0, first.AtToken280 - first.AtToken120);
    }

    private sealed class CountingSink : ITokenSink
    {
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _count;

        public Task Ended => _ended.Task;

        public long AtToken120 { get; private set; }

        public long AtToken280 { get; private set; }

        public void OnPrefilled(int promptTokens, int cachedTokens)
        {
        }

        public bool OnToken(int token)
        {
            _count++;
            if (_count == 120)
                AtToken120 = GC.GetAllocatedBytesForCurrentThread();
            if (_count == 280)
                AtToken280 = GC.GetAllocatedBytesForCurrentThread();
            return true;
        }

        public void OnEnded(GenerationEnd end, GenerationUsage usage) => _ended.SetResult();
    }
}
