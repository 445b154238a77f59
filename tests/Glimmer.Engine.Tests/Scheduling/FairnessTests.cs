using Glimmer.Engine.Tests.Fakes;

namespace Glimmer.Engine.Tests.Scheduling;

public sealed class FairnessTests
{
    [Fact]
    public async Task A_flood_of_one_tenant_does_not_hold_up_another()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options with { MaxBatch = 2 });
        using ManualResetEventSlim submitted = new();
        model.OnForward = _ => submitted.Wait();
        List<string> order = [];
        List<RecordingSink> sinks = [];
        for (int i = 0; i < 63; i++)
        {
            string tenant = i < 60 ? "flood" : "small";
            OrderSink sink = new(() => order.Add(tenant));
            engine.Submit(Rig.Request(Rig.Prompt(i, 30), 20, sink) with { Tenant = tenant }, default, out _);
            sinks.Add(sink);
        }

        submitted.Set();
        foreach (RecordingSink sink in sinks)
            await sink.Ended.Soon();

        Assert.InRange(order.LastIndexOf("small"), 2, 12);
    }

    [Fact]
    public async Task Tenants_get_equal_shares_when_their_requests_differ_in_size()
    {
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options with { MaxBatch = 1 });
        using ManualResetEventSlim submitted = new();
        model.OnForward = _ => submitted.Wait();
        SamplingOptions endless = Rig.Greedy with { LogitBias = new Dictionary<int, float> { [Rig.Stop] = -100 } };
        Dictionary<string, int> served = new(StringComparer.Ordinal) { ["large"] = 0, ["small"] = 0 };
        List<(int Large, int Small)> moments = [];
        List<RecordingSink> sinks = [];
        for (int i = 0; i < 40; i++)
        {
            foreach ((string tenant, int prompt) in new[] { ("large", 400), ("small", 30) })
            {
                OrderSink sink = new(() =>
                {
                    served[tenant] += prompt + 64;
                    moments.Add((served["large"], served["small"]));
                });
                engine.Submit(Rig.Request(Rig.Prompt(i, prompt), 64, sink, endless) with { Tenant = tenant }, default, out _);
                sinks.Add(sink);
            }
        }

        submitted.Set();
        foreach (RecordingSink sink in sinks)
            await sink.Ended.Soon();

        // While both have requests left, neither is ahead by more than a large request and a round.
        foreach ((int large, int small) in moments.TakeWhile(moment => moment.Small < 40 * 94 && moment.Large < 40 * 464))
            Assert.InRange(large - small, -800, 800);
    }

    [Fact]
    public async Task A_long_prompt_never_stalls_a_running_answer_or_a_short_prompt()
    {
        using FakeModel model = new(context: 8192);
        using InferenceEngine engine = new(model, Rig.Options with { Pages = 300, PrefillTokens = 128, MixedPrefillTokens = 64, MixedPassTime = TimeSpan.Zero, MixedPassRatio = 0 });
        int mostTokens = 0, passes = 0;
        int[] tokensAtPass = new int[4000];
        RecordingSink running = new();
        List<string> order = [];
        RecordingSink? late = null;
        model.OnForward = batch =>
        {
            passes++;
            mostTokens = Math.Max(mostTokens, batch.TokenCount);
            if (passes == 5)
                engine.Submit(Rig.Request(Rig.Prompt(2, 3000), 1, new OrderSink(() => order.Add("long"))), default, out _);
            if (passes == 8)
                engine.Submit(Rig.Request(Rig.Prompt(3, 40), 1, late = new OrderSink(() => order.Add("short"))), default, out _);
            tokensAtPass[passes] = running.Tokens.Count;
        };
        SamplingOptions endless = Rig.Greedy with { LogitBias = new Dictionary<int, float> { [Rig.Stop] = -100 } };
        engine.Submit(Rig.Request([1, 2, 3], 100, running, endless), default, out _);

        await running.Ended.Soon();
        await engine.AssertNoLeakAsync().Soon();

        Assert.Equal(["short", "long"], order);
        Assert.NotNull(late);
        // One token in every pass, and no pass larger than the budget.
        for (int pass = 3; pass < 90; pass++)
            Assert.Equal(1, tokensAtPass[pass + 1] - tokensAtPass[pass]);
        Assert.True(mostTokens <= 128, $"{mostTokens} tokens in a pass");
    }

    [Theory]
    // Passes cost 40 ms and a millisecond for every token.
    [InlineData(0, 100, 59)]
    [InlineData(1.75, 0, 30)]
    [InlineData(1.75, 60, 19)]
    [InlineData(1.01, 0, 1)]
    public async Task Prompt_tokens_beside_running_answers_are_as_many_as_the_measured_time_allows(double ratio, int limit, int expected)
    {
        using FakeModel model = new(context: 8192);
        TickingTime time = new();
        using InferenceEngine engine = new(model, Rig.Options with { Pages = 300, MixedPrefillTokens = 256, MixedPassTime = TimeSpan.FromMilliseconds(limit), MixedPassRatio = ratio }, time: time);
        int passes = 0;
        List<int> prompts = [];
        model.OnForward = batch =>
        {
            time.Milliseconds += 40 + batch.TokenCount;
            if (++passes == 3)
                engine.Submit(Rig.Request(Rig.Prompt(2, 2000), 1, new RecordingSink()), default, out _);
            if (batch.TokenCount > 1)
                prompts.Add(batch.TokenCount - 1);
        };
        SamplingOptions endless = Rig.Greedy with { LogitBias = new Dictionary<int, float> { [Rig.Stop] = -100 } };
        await engine.Start([1, 2, 3], 60, endless).Ended.Soon();

        // It begins with few and goes up little by little; then they differ by rounding alone.
        Assert.All(prompts[16..30], tokens => Assert.InRange(tokens, expected - 1, expected + 1));
    }

    private sealed class TickingTime : TimeProvider
    {
        public long Milliseconds { get; set; }

        public override long TimestampFrequency => 1000;

        public override long GetTimestamp() => Milliseconds;
    }

    private sealed class OrderSink(Action ended) : RecordingSink, ITokenSink
    {
        void ITokenSink.OnEnded(GenerationEnd end, GenerationUsage usage)
        {
            ended();
            OnEnded(end, usage);
        }
    }
}
