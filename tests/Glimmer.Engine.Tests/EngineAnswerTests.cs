using Glimmer.Engine.Tests.Fakes;

namespace Glimmer.Engine.Tests;

/// <summary>Nothing but the request decides an answer.</summary>
public sealed class EngineAnswerTests
{
    private static readonly SamplingOptions Sampled = new() { Temperature = 0.9f, TopP = 0.9f, TopK = 40, Seed = 77, RepetitionPenalty = 1.1f };

    [Fact]
    public async Task Sixty_four_streams_at_once_equal_each_alone()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options with { Pages = 300, MaxBatch = 64, Threads = 2 });
        RecordingSink[] sinks = new RecordingSink[64];
        for (int i = 0; i < sinks.Length; i++)
            sinks[i] = engine.Start(Rig.Prompt(i, 1 + i * 37 % 190), 5 + i * 13 % 60, i % 2 == 0 ? null : Sampled with { Seed = (ulong)i }, $"tenant{i % 3}");
        for (int i = 0; i < sinks.Length; i++)
        {
            await sinks[i].Ended.Soon();
            int[] alone = Rig.Alone(model, Rig.Prompt(i, 1 + i * 37 % 190), 5 + i * 13 % 60, i % 2 == 0 ? null : Sampled with { Seed = (ulong)i });
            Assert.Equal(alone, sinks[i].Tokens);
        }

        await engine.AssertNoLeakAsync().Soon();
    }

    public static TheoryData<int, int, int, bool, int, int> Settings => new()
    {
        // prefill tokens, batch, page tokens, cache, threads, guesses
        { 1, 1, 32, false, 1, 0 },
        { 7, 3, 32, true, 1, 0 },
        { 64, 8, 64, true, 2, 0 },
        { 512, 8, 96, true, 3, 5 },
        { 33, 2, 32, true, 1, 15 },
    };

    [Theory]
    [MemberData(nameof(Settings))]
    public async Task Settings_never_change_an_answer(int prefill, int batch, int pageTokens, bool cache, int threads, int guesses)
    {
        using FakeModel model = new();
        EngineOptions options = Rig.Options with
        {
            PrefillTokens = prefill,
            MixedPrefillTokens = Math.Max(1, prefill / 2),
            MaxBatch = batch,
            PageTokens = pageTokens,
            PrefixCache = cache,
            Threads = threads,
            SpeculativeTokens = guesses,
        };
        using InferenceEngine engine = new(model, options);
        List<(int[] Prompt, RecordingSink Sink, SamplingOptions Sampling)> runs = [];
        for (int i = 0; i < 16; i++)
        {
            // Prompts share beginnings, so that the cache has something to do.
            int[] prompt = [.. Rig.Prompt(i % 3, 70), .. Rig.Prompt(i, 1 + i * 7)];
            SamplingOptions sampling = i % 2 == 0 ? Rig.Greedy : Sampled;
            runs.Add((prompt, engine.Start(prompt, 30, sampling), sampling));
            if (i % 4 == 3)
                await runs[^1].Sink.Ended.Soon();
        }

        foreach ((int[] prompt, RecordingSink sink, SamplingOptions sampling) in runs)
        {
            await sink.Ended.Soon();
            Assert.Equal(Rig.Alone(model, prompt, 30, sampling), sink.Tokens);
        }

        await engine.AssertNoLeakAsync().Soon();
        Assert.Equal(cache, engine.GetStatistics().CachedTokens > 0);
    }

    [Fact]
    public async Task A_second_turn_reuses_every_row_of_the_first()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options);
        int[] prompt = Rig.Prompt(1, 75);
        RecordingSink first = engine.Start(prompt, 20);
        await first.Ended.Soon();
        await engine.AssertNoLeakAsync().Soon();
        long before = model.TokensComputed;
        int[] second = [.. prompt, .. first.Tokens, 5, 6, 7];

        RecordingSink sink = engine.Start(second, 1);
        await sink.Ended.Soon();

        // The last sampled token never had a row; it and the new ones are computed.
        Assert.Equal(second.Length - 4, sink.CachedTokens);
        Assert.Equal(second.Length - 4, sink.Usage.CachedTokens);
        Assert.Equal(4, model.TokensComputed - before);
        Assert.Equal(Rig.Alone(model, second, 1), sink.Tokens);
    }

    [Fact]
    public async Task The_same_prompt_again_computes_one_token()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options);
        int[] prompt = Rig.Prompt(1, 128);
        RecordingSink first = engine.Start(prompt, 4);
        await first.Ended.Soon();
        RecordingSink again = engine.Start(prompt, 4);
        await again.Ended.Soon();

        Assert.Equal(0, first.CachedTokens);
        Assert.Equal(127, again.CachedTokens);
        Assert.Equal(first.Tokens, again.Tokens);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Tenants_reuse_each_others_prefixes_only_when_allowed(bool share)
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options with { SharePrefixes = share });
        int[] prompt = Rig.Prompt(1, 100);
        await engine.Start(prompt, 4, tenant: "a").Ended.Soon();
        RecordingSink other = engine.Start(prompt, 4, tenant: "b"), same = engine.Start(prompt, 4, tenant: "a");
        await Task.WhenAll(other.Ended, same.Ended).Soon();

        Assert.Equal((share ? 99 : 0, 99), (other.CachedTokens, same.CachedTokens));
        Assert.Equal(same.Tokens, other.Tokens);
        await engine.AssertNoLeakAsync().Soon();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Put_back_sequences_lose_and_repeat_nothing(bool cache)
    {
        using FakeModel model = new();
        Dictionary<int, float> endless = new() { [Rig.Stop] = -100 };
        // 10 pages of 32 for 6 sequences that grow to 5 pages each.
        using InferenceEngine engine = new(model, Rig.Options with { Pages = 10, MaxBatch = 6, PrefixCache = cache });
        using ManualResetEventSlim submitted = new();
        model.OnForward = _ => Assert.True(submitted.Wait(TimeSpan.FromMinutes(2)));
        RecordingSink[] sinks = [.. Enumerable.Range(0, 6).Select(i => engine.Start(Rig.Prompt(i, 20 + i), 120, SamplingOf(i)))];
        submitted.Set();
        for (int i = 0; i < sinks.Length; i++)
        {
            Assert.Equal(GenerationEnd.MaxTokens, await sinks[i].Ended.Soon());
            Assert.Equal(Rig.Alone(model, Rig.Prompt(i, 20 + i), 120, SamplingOf(i)), sinks[i].Tokens);
        }

        await engine.AssertNoLeakAsync().Soon();
        Assert.True(engine.GetStatistics().Preemptions > 0);

        SamplingOptions SamplingOf(int i) => (i % 2 == 0 ? Rig.Greedy : Sampled) with { LogitBias = endless };
    }

    [Fact]
    public async Task Recurrent_models_keep_their_state_and_reuse_nothing()
    {
        using FakeModel model = new(recurrent: true);
        using InferenceEngine engine = new(model, Rig.Options with { Pages = 12, MaxBatch = 3, SpeculativeTokens = 4, PrefillTokens = 40 });
        int[] shared = Rig.Prompt(9, 64);
        RecordingSink[] sinks = [.. Enumerable.Range(0, 8).Select(i => engine.Start([.. shared, i], 100))];
        for (int i = 0; i < sinks.Length; i++)
        {
            await sinks[i].Ended.Soon();
            Assert.Equal(0, sinks[i].CachedTokens);
            Assert.Equal(Rig.Alone(model, [.. shared, i], 100), sinks[i].Tokens);
        }

        await engine.AssertNoLeakAsync().Soon();
    }

    [Fact]
    public async Task Guesses_are_taken_when_right()
    {
        using FakeModel model = new();
        // After token t comes t + 1 modulo 8: a text that look-up guesses well.
        model.Bend = static (seen, logits) => logits[(seen[^1] + 1) % 8] += 100;
        using InferenceEngine engine = new(model, Rig.Options with { SpeculativeTokens = 6 });
        RecordingSink sink = engine.Start([0, 1, 2, 3, 4, 5, 6, 7, 0], 200);
        await sink.Ended.Soon();
        await engine.AssertNoLeakAsync().Soon();

        Assert.Equal(Enumerable.Range(1, 200).Select(i => i % 8), sink.Tokens);
        EngineStatistics statistics = engine.GetStatistics();
        Assert.True(statistics.AcceptedTokens > 150, $"{statistics.AcceptedTokens} of {statistics.DraftedTokens} accepted");
        Assert.True(statistics.Passes < 60, $"{statistics.Passes} passes");
    }

    [Fact]
    public async Task The_seed_decides_and_nothing_else()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options);
        int[] prompt = Rig.Prompt(3, 40);
        SamplingOptions sampling = new() { Temperature = 1.5f, Seed = 1 };
        RecordingSink a = engine.Start(prompt, 50, sampling), b = engine.Start(prompt, 50, sampling), c = engine.Start(prompt, 50, sampling with { Seed = 2 });
        await Task.WhenAll(a.Ended, b.Ended, c.Ended).Soon();

        Assert.Equal(a.Tokens, b.Tokens);
        Assert.NotEqual(a.Tokens, c.Tokens);
    }
}
