using Glimmer.Engine.Tests.Fakes;

namespace Glimmer.Engine.Tests;

/// <summary>Beginnings, ends, refusals and faults.</summary>
public sealed class EngineLifeTests
{
    [Fact]
    public async Task A_thousand_requests_with_a_third_cancelled_leak_nothing()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options with { Pages = 40, MaxBatch = 12, QueueLimit = 2000, SpeculativeTokens = 3, Threads = 1 });
        Random random = new(4);
        List<(int[] Prompt, RecordingSink Sink)> runs = [];
        List<CancellationTokenSource> sources = [];
        for (int i = 0; i < 1000; i++)
        {
            int[] prompt = [.. Rig.Prompt(i % 7, random.Next(1, 80)), .. Rig.Prompt(i, random.Next(1, 40))];
            CancellationTokenSource source = new();
            sources.Add(source);
            RecordingSink sink = new();
            if (random.Next(10) < 3)
            {
                int after = random.Next(0, 20);
                // From the sink, from outside at some time, or before it began.
                switch (random.Next(3))
                {
                    case 0:
                        sink.OnEach = count =>
                        {
                            if (count == after)
                                source.Cancel();
                            return true;
                        };
                        break;
                    case 1:
                        _ = Task.Run(async () =>
                        {
                            await Task.Delay(after * 4);
                            await source.CancelAsync();
                        });
                        break;
                    default:
                        source.Cancel();
                        break;
                }
            }

            Assert.Equal(SubmissionOutcome.Accepted, engine.Submit(Rig.Request(prompt, random.Next(1, 30), sink) with { Tenant = $"{i % 5}" }, source.Token, out _));
            runs.Add((prompt, sink));
        }

        int cancelled = 0;
        foreach ((int[] prompt, RecordingSink sink) in runs)
        {
            GenerationEnd end = await sink.Ended.Soon();
            Assert.True(end is GenerationEnd.Cancelled or GenerationEnd.MaxTokens or GenerationEnd.StopToken, $"{end}");
            cancelled += end == GenerationEnd.Cancelled ? 1 : 0;
        }

        await engine.AssertNoLeakAsync().Soon();
        EngineStatistics statistics = engine.GetStatistics();
        Assert.True(cancelled > 100, $"{cancelled} cancelled");
        Assert.Equal((1000, 0, 0, 0), (statistics.Ended, statistics.PagesInUse, statistics.Running, statistics.Waiting));
        Assert.Equal(statistics.Pages, statistics.PagesFree + statistics.PagesCached);
        foreach (CancellationTokenSource source in sources)
            source.Dispose();
        for (int i = 0; i < 40; i++)
        {
            // What the cache holds after all that is still right.
            RecordingSink sink = engine.Start(runs[i].Prompt, 12);
            await sink.Ended.Soon();
            Assert.Equal(Rig.Alone(model, runs[i].Prompt, 12), sink.Tokens);
        }
    }

    [Fact]
    public async Task Cancelling_ends_within_one_token()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options);
        RecordingSink sink = new();
        RunningGeneration? generation = null;
        sink.OnEach = count =>
        {
            if (count == 5)
                generation!.Cancel();
            return true;
        };
        using ManualResetEventSlim submitted = new();
        model.OnForward = _ => submitted.Wait();
        engine.Submit(Rig.Request([1, 2, 3], 1000, sink), default, out generation);
        submitted.Set();

        Assert.Equal(GenerationEnd.Cancelled, await sink.Ended.Soon());
        Assert.Equal(5, sink.Tokens.Count);
    }

    [Fact]
    public async Task The_ends_are_told_apart()
    {
        using FakeModel model = new();
        model.Bend = static (seen, logits) => logits[Rig.Stop] += seen.Count == 13 ? 100 : -100;
        using InferenceEngine engine = new(model, Rig.Options with { ContextLength = 40 });

        RecordingSink stop = engine.Start(Rig.Prompt(1, 10), 100), length = engine.Start(Rig.Prompt(1, 14), 7), full = engine.Start(Rig.Prompt(2, 30), 100);
        RecordingSink satisfied = new() { OnEach = count => count < 3 };
        engine.Submit(Rig.Request(Rig.Prompt(3, 20), 100, satisfied), default, out _);

        Assert.Equal((GenerationEnd.StopToken, 4), (await stop.Ended.Soon(), stop.Tokens.Count));
        Assert.Equal(Rig.Stop, stop.Tokens[^1]);
        Assert.Equal((GenerationEnd.MaxTokens, 7), (await length.Ended.Soon(), length.Tokens.Count));
        Assert.Equal((GenerationEnd.ContextFull, 10), (await full.Ended.Soon(), full.Tokens.Count));
        Assert.Equal((GenerationEnd.SinkSatisfied, 3), (await satisfied.Ended.Soon(), satisfied.Tokens.Count));
        Assert.Equal(new GenerationUsage(20, satisfied.CachedTokens, 3), satisfied.Usage);
    }

    [Fact]
    public void What_cannot_fit_is_refused()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options with { ContextLength = 40 });
        RecordingSink sink = new();
        Assert.Equal(40, engine.ContextLength);
        Assert.Equal(SubmissionOutcome.PromptTooLong, engine.Submit(Rig.Request(Rig.Prompt(1, 40), 1, sink), default, out _));
        Assert.Equal(SubmissionOutcome.Accepted, engine.Submit(Rig.Request(Rig.Prompt(1, 39), 1, sink), default, out _));
    }

    [Fact]
    public async Task A_prompt_that_needs_every_page_gets_them_whatever_the_cache_holds()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options with { Pages = 4 });
        int[] shared = Rig.Prompt(1, 100);
        await engine.Start([.. shared, .. Rig.Prompt(2, 26)], 2).Ended.Soon();
        int[] prompt = [.. shared, .. Rig.Prompt(3, 27)];
        RecordingSink sink = engine.Start(prompt, 2);

        Assert.NotEqual(GenerationEnd.Fault, await sink.Ended.Soon());
        Assert.Equal(Rig.Alone(model, Rig.Request(prompt, 2, sink), engine.ContextLength), sink.Tokens);
        await engine.AssertNoLeakAsync().Soon();
    }

    [Fact]
    public async Task A_full_queue_refuses_and_recovers()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options with { MaxBatch = 2, QueueLimit = 3 });
        using ManualResetEventSlim release = new();
        model.OnForward = _ => release.Wait();
        List<RecordingSink> sinks = [];
        SubmissionOutcome outcome;
        do
        {
            RecordingSink sink = new();
            outcome = engine.Submit(Rig.Request([1, 2], 3, sink), default, out _);
            if (outcome == SubmissionOutcome.Accepted)
                sinks.Add(sink);
            else
                await Assert.ThrowsAsync<TimeoutException>(() => sink.Ended.WaitAsync(TimeSpan.FromMilliseconds(20)));
        }
        while (outcome == SubmissionOutcome.Accepted);

        Assert.Equal(SubmissionOutcome.QueueFull, outcome);
        Assert.InRange(sinks.Count, 5, 7);
        release.Set();
        foreach (RecordingSink sink in sinks)
            Assert.Equal(GenerationEnd.MaxTokens, await sink.Ended.Soon());
        await engine.AssertNoLeakAsync().Soon();
        Assert.Equal(GenerationEnd.MaxTokens, await engine.Start([1, 2], 3).Ended.Soon());
    }

    [Fact]
    public async Task A_failing_pass_ends_its_requests_and_the_engine_lives_on()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options);
        model.OnForward = batch =>
        {
            foreach (Models.SequenceChunk chunk in batch.Chunks)
            {
                if (chunk.Tokens.Span[0] == 66)
                    throw new InvalidOperationException("the 66th door");
            }
        };
        RecordingSink bad = engine.Start([66, 1, 2], 5);
        Assert.Equal(GenerationEnd.Fault, await bad.Ended.Soon());
        Assert.Equal(GenerationEnd.MaxTokens, await engine.Start([1, 2, 3], 5, new() { LogitBias = new Dictionary<int, float> { [66] = -100, [Rig.Stop] = -100 } }).Ended.Soon());
        await engine.AssertNoLeakAsync().Soon();
        Assert.Equal(1, engine.GetStatistics().Faults);
    }

    [Fact]
    public async Task Logits_that_are_not_numbers_end_one_request()
    {
        using FakeModel model = new();
        model.Bend = static (seen, logits) => logits[3] = seen[0] == 66 ? float.NaN : logits[3];
        using InferenceEngine engine = new(model, Rig.Options);
        RecordingSink bad = engine.Start([66, 1, 2], 5), good = engine.Start([1, 2, 3], 5);
        Assert.Equal(GenerationEnd.Fault, await bad.Ended.Soon());
        await good.Ended.Soon();
        Assert.Equal(Rig.Alone(model, [1, 2, 3], 5), good.Tokens);
    }

    [Fact]
    public async Task A_sink_that_throws_ends_its_own_request_only()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options);
        RecordingSink bad = new() { OnEach = static count => count < 3 ? true : throw new InvalidOperationException("no more") };
        engine.Submit(Rig.Request([4, 5, 6], 10, bad), default, out _);
        RecordingSink good = engine.Start([1, 2, 3], 20);

        Assert.Equal(GenerationEnd.Fault, await bad.Ended.Soon());
        await good.Ended.Soon();
        Assert.Equal(Rig.Alone(model, [1, 2, 3], 20), good.Tokens);
        await engine.AssertNoLeakAsync().Soon();
    }

    [Fact]
    public async Task Stopping_finishes_what_runs_within_the_grace_and_refuses_the_rest()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options with { MaxBatch = 1 });
        RecordingSink running = engine.Start([1, 2, 3], 20), waiting = engine.Start([2, 3, 4], 20);
        Task stopped = engine.StopAsync(TimeSpan.FromMinutes(5));

        Assert.Equal(SubmissionOutcome.Stopping, engine.Submit(Rig.Request([1], 1, new RecordingSink()), default, out _));
        await stopped.Soon();
        Assert.NotEqual(GenerationEnd.Shutdown, await running.Ended.Soon());
        Assert.NotEqual(GenerationEnd.Shutdown, await waiting.Ended.Soon());
        await Assert.ThrowsAsync<ObjectDisposedException>(engine.AssertNoLeakAsync);
    }

    [Fact]
    public async Task A_grace_that_is_over_ends_everything()
    {
        using FakeModel model = new(context: 1 << 20);
        using InferenceEngine engine = new(model, Rig.Options with { MaxBatch = 1, Pages = 2000 });
        SamplingOptions endless = Rig.Greedy with { LogitBias = new Dictionary<int, float> { [Rig.Stop] = -100 } };
        using ManualResetEventSlim begun = new(), stopCalled = new();
        RecordingSink running = new() { OnEach = _ => { begun.Set(); return stopCalled.Wait(TimeSpan.FromMinutes(2)); } };
        engine.Submit(Rig.Request([1, 2, 3], 60_000, running, endless), default, out _);
        RecordingSink waiting = engine.Start([2, 3, 4], 20);
        Assert.True(begun.Wait(TimeSpan.FromMinutes(2)));

        Task stop = engine.StopAsync(TimeSpan.Zero);
        stopCalled.Set();
        await stop.Soon();

        Assert.Equal(GenerationEnd.Shutdown, await running.Ended.Soon());
        Assert.Equal(GenerationEnd.Shutdown, await waiting.Ended.Soon());
    }

    [Fact]
    public void Malformed_requests_are_refused_by_name()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options);
        GenerationRequest good = Rig.Request([1], 1, new RecordingSink());
        foreach ((GenerationRequest request, string name) in new (GenerationRequest, string)[]
        {
            (good with { Prompt = [] }, "Prompt"),
            (good with { Prompt = [97] }, "Prompt[0]"),
            (good with { Prompt = [-1] }, "Prompt[0]"),
            (good with { MaxTokens = 0 }, "MaxTokens"),
            (good with { TopLogProbs = 21 }, "TopLogProbs"),
            (good with { TopLogProbs = 1 }, "ILogProbSink"),
            (good with { Sampling = new() { Temperature = float.NaN } }, "Temperature"),
            (good with { Sampling = new() { TopP = 0 } }, "TopP"),
            (good with { Sampling = new() { TopK = -1 } }, "TopK"),
            (good with { Sampling = new() { MinP = 1.1f } }, "MinP"),
            (good with { Sampling = new() { RepetitionPenalty = 0 } }, "RepetitionPenalty"),
            (good with { Sampling = new() { LogitBias = new Dictionary<int, float> { [97] = 1 } } }, "LogitBias"),
        })
        {
            Assert.Contains(name, Assert.Throws<ArgumentException>(() => engine.Submit(request, default, out _)).Message, StringComparison.Ordinal);
        }

        Assert.Contains("PageTokens", Assert.Throws<ArgumentOutOfRangeException>(() => new InferenceEngine(model, Rig.Options with { PageTokens = 33 })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Probabilities_come_with_each_token()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options);
        LogProbSink sink = new();
        engine.Submit(Rig.Request([1, 2, 3], 12, sink) with { TopLogProbs = 4 }, default, out _);
        await sink.Ended.Soon();

        Assert.Equal(Rig.Alone(model, [1, 2, 3], 12), sink.Tokens);
        Assert.Equal(sink.Tokens, sink.Chosen.Select(entry => entry.Token));
        for (int i = 0; i < sink.Tokens.Count; i++)
        {
            Assert.Equal(4, sink.Top[i].Length);
            // Greedy: the chosen token is the most likely one.
            Assert.Equal(sink.Chosen[i], sink.Top[i][0]);
            Assert.True(sink.Top[i][0].LogProb is < 0 and > -5);
        }
    }
}
