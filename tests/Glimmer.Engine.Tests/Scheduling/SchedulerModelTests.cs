using Glimmer.Engine.Tests.Fakes;

namespace Glimmer.Engine.Tests.Scheduling;

/// <summary>Random arrivals, settings, sizes and cancellations against the plain sequential answer.</summary>
public sealed class SchedulerModelTests
{
    public static TheoryData<int> Seeds => [.. Enumerable.Range(0, int.Parse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES") ?? "16"))];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Every_answer_is_the_sequential_one_or_its_beginning(int seed)
    {
        Random random = new(seed);
        bool recurrent = random.Next(5) == 0;
        using FakeModel model = new(recurrent: recurrent);
        if (random.Next(2) == 0)
            model.Bend = static (seen, logits) => logits[(seen[^1] * 3 + 1) % 90] += seen.Count % 7 == 0 ? 0 : 6;
        EngineOptions options = new()
        {
            Threads = random.Next(1, 3),
            Pages = random.Next(6, 40),
            PageTokens = 32 * random.Next(1, 3),
            MaxBatch = random.Next(1, 10),
            PrefillTokens = random.Next(1, 200),
            MixedPrefillTokens = random.Next(1, 80),
            PrefixCache = random.Next(4) > 0,
            SpeculativeTokens = random.Next(3) * 3,
            JumpAhead = random.Next(2) == 0,
        };
        FaultLog log = new();
        using InferenceEngine engine = new(model, options, logger: log);
        List<(GenerationRequest Request, RecordingSink Sink, CancellationTokenSource Source)> runs = [];
        int passes = 0;
        void Arrive()
        {
            int length = Math.Min(random.Next(1, 150), engine.ContextLength - 1);
            int[] prompt = [.. Rig.Prompt(random.Next(3), 100).Take(random.Next(length)), .. Rig.Prompt(random.Next(), length)];
            prompt = prompt[..length];
            RecordingSink sink = new();
            CancellationTokenSource source = new();
            SamplingOptions sampling = random.Next(2) == 0 ? Rig.Greedy : new() { Seed = (ulong)random.Next(), TopP = 0.8f, FrequencyPenalty = 0.1f };
            int seedOfConstraint = random.Next();
            GenerationRequest request = Rig.Request(prompt, random.Next(1, 60), sink, sampling) with
            {
                Tenant = $"{random.Next(3)}",
                Constraint = random.Next(3) == 0 ? new FakeConstraint(seedOfConstraint) : null,
            };
            if (random.Next(4) == 0)
            {
                int after = random.Next(1, 30);
                sink.OnEach = count =>
                {
                    if (count == after)
                        source.Cancel();
                    return true;
                };
            }

            Assert.Equal(SubmissionOutcome.Accepted, engine.Submit(request, source.Token, out _));
            runs.Add((request with { Constraint = request.Constraint is null ? null : new FakeConstraint(seedOfConstraint) }, sink, source));
        }

        // The list is this thread's until the first has come, and the engine's from then on.
        using ManualResetEventSlim begun = new();
        model.OnForward = _ =>
        {
            Assert.True(begun.Wait(TimeSpan.FromMinutes(2)));
            passes++;
            if (runs.Count < 30 && random.Next(3) == 0)
                Arrive();
            if (random.Next(15) == 0)
                runs[random.Next(runs.Count)].Source.Cancel();
        };
        Arrive();
        begun.Set();

        // The engine's thread adds to the list as it goes: an idle engine has added all it will.
        await engine.AssertNoLeakAsync().Soon();

        foreach ((GenerationRequest request, RecordingSink sink, CancellationTokenSource source) in runs)
        {
            GenerationEnd end = await sink.Ended.Soon();
            int[] alone = Rig.Alone(model, request, engine.ContextLength);
            if (end == GenerationEnd.Cancelled)
                Assert.Equal(alone.Take(sink.Tokens.Count), sink.Tokens);
            else
                Assert.Equal(alone, sink.Tokens);
            Assert.True(end is GenerationEnd.Cancelled or GenerationEnd.MaxTokens or GenerationEnd.StopToken or GenerationEnd.ContextFull, $"{end}");
            source.Dispose();
        }

        EngineStatistics statistics = engine.GetStatistics();
        Assert.Equal((statistics.Pages, 0), (statistics.PagesFree + statistics.PagesCached, statistics.PagesInUse));
        Assert.Equal(runs.Count, statistics.Ended);
        Assert.Empty(log.Faults);
    }
}
