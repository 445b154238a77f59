using Glimmer.Dialogue.Constraints;
using Glimmer.Engine.Packages;
using Glimmer.Engine.Scheduling;
using Glimmer.Engine.Tests.Fakes;
using Glimmer.Models.Loading;
using Glimmer.Testing;

namespace Glimmer.Engine.Tests;

public sealed class AllocationTests
{
    private const int Rounds = 6;

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
        long allocated = long.MaxValue;
        // The same requests again: the first time buffers of the engine grow to what they need. The least, as in Allocation.Least.
        for (int round = 0; round < Rounds && (round < 2 || allocated > 0); round++)
        {
            using ManualResetEventSlim submitted = new();
            model.OnForward = batch =>
            {
                // Taking requests in allocates: all of them come while the pass of another one lasts, however slow this thread is.
                Assert.True(submitted.Wait(TimeSpan.FromMinutes(2)));
                // Room for every row of every answer at once: when they come together is a matter of time.
                batch.ReserveLogits(16 * 97);
                model.OnForward = null;
            };
            RecordingSink before = engine.Start(Rig.Prompt(5, 8), 1);
            CountingSink first = new();
            List<CountingSink> sinks = [first, new(), new(), new()];
            foreach (CountingSink sink in sinks)
                engine.Submit(Rig.Request(Rig.Prompt(sinks.IndexOf(sink), 40), 300, sink, sampling), default, out _);
            submitted.Set();
            await before.Ended.Soon();
            foreach (CountingSink sink in sinks)
                await sink.Ended.Soon();
            allocated = Math.Min(allocated, first.AtToken280 - first.AtToken20);
        }

        Assert.Equal(0, allocated);
    }

    [Fact]
    public void A_usual_answer_never_grows_the_history_of_penalties()
    {
        GenerationRequest request = Rig.Request(Rig.Prompt(1, 40), 3000, new CountingSink(), new SamplingOptions { RepetitionPenalty = 1.1f });
        Sequence sequence = new(request, limit: 8192, vocabulary: 5000, maskWords: 0, speculation: 0, foresight: 0, shortestKey: 2, static () => { });

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int token = 0; token < 3000; token++)
        {
            sequence.History!.AddGenerated(token);
            sequence.Append(token);
        }

        // Growing would be a hundred kilobytes and more; a garbage collection in the background counts up to eight.
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8192);
    }

    public static TheoryData<string, int, bool, bool> WholeEngine => new()
    {
        // sampling, guesses, the model's draft layer, a mask
        { "greedy", 0, false, false },
        { "top-p", 0, false, false },
        { "greedy", 3, false, false },
        { "top-p", 3, false, false },
        { "greedy", 3, true, false },
        { "top-p", 3, true, false },
        { "greedy", 0, false, true },
    };

    [Theory]
    [MemberData(nameof(WholeEngine))]
    public async Task Decoding_with_the_bundled_model_allocates_nothing_on_the_engines_thread(string kind, int guesses, bool draftLayer, bool masked)
    {
        PackageOptions load = new() { Load = new LoadOptions { DraftLayer = draftLayer } };
        using ModelPackage package = ModelPackage.Load(Fixtures.BundledModel, load);
        using InferenceEngine engine = new(package.Model, new EngineOptions { KvBytes = 16 << 20, Threads = 1, SpeculativeTokens = guesses }, package.Tokenizer);
        SamplingOptions sampling = kind == "greedy" ? Rig.Greedy : new() { TopP = 0.9f, Temperature = 0.8f, Seed = 4 };
        long allocated = long.MaxValue;
        // The same request again: the first time buffers grow to what it needs. The least, as in Allocation.Least.
        for (int round = 0; round < Rounds && (round < 3 || allocated > 0); round++)
        {
            CountingSink sink = new();
            GenerationRequest request = Rig.Request(Enumerable.Range(100, 30).ToArray(), 300, sink, sampling) with
            {
                StopTokens = new HashSet<int>(),
                Constraint = masked ? new EvenTokens(package.Tokenizer.VocabularySize) : null,
            };
            Assert.Equal(SubmissionOutcome.Accepted, engine.Submit(request, default, out _));
            await sink.Ended.Soon();
            allocated = Math.Min(allocated, sink.AtToken280 - sink.AtToken20);
        }

        Assert.Equal(0, allocated);
        Assert.Equal(guesses > 0, engine.GetStatistics().DraftedTokens > 0);
    }

    /// <summary>A mask that costs nothing: what a grammar allocates is its own business.</summary>
    private sealed class EvenTokens(int vocabulary) : ITokenConstraint
    {
        public bool FillMask(Span<uint> mask)
        {
            mask.Clear();
            mask[..(vocabulary / 32)].Fill(0x5555_5555);
            return true;
        }

        public void Accept(int token)
        {
            if (token % 2 != 0)
                throw new InvalidOperationException($"{token} is not allowed.");
        }
    }

    private sealed class CountingSink : ITokenSink
    {
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _count;

        public Task Ended => _ended.Task;

        public long AtToken20 { get; private set; }

        public long AtToken280 { get; private set; }

        public void OnPrefilled(int promptTokens, int cachedTokens)
        {
        }

        public bool OnToken(int token)
        {
            _count++;
            if (_count == 20)
                AtToken20 = GC.GetAllocatedBytesForCurrentThread();
            if (_count == 280)
                AtToken280 = GC.GetAllocatedBytesForCurrentThread();
            return true;
        }

        public void OnEnded(GenerationEnd end, GenerationUsage usage) => _ended.SetResult();
    }
}
