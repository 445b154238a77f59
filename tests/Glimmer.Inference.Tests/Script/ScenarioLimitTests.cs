using Glimmer.Dialogue.Tokenization;
using Glimmer.Inference.Script;
using Glimmer.Inference.Tests.Embedded;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Tests.Script;

public sealed class ScenarioLimitTests(BundledBackend bundled) : IClassFixture<BundledBackend>
{
    private readonly Tokenizer _tokenizer = bundled.Backend.Package.Tokenizer;
    private readonly StandingClock _clock = new();

    [Fact]
    public async Task Each_key_has_its_own_count_in_a_window_that_slides()
    {
        ScriptChatBackend backend = Backend("limits: [{ requests: 2, window: 60 }]\nfallback: x");

        Assert.Null(await Ask(backend, "a"));
        _clock.Move(20);
        Assert.Null(await Ask(backend, "a"));
        _clock.Move(10);
        PlatformError error = (await Ask(backend, "a"))!;
        Assert.Equal((BusinessCode.ConcurrencyExceeded, TimeSpan.FromSeconds(30)), (error.Code, error.RetryAfter));
        Assert.Null(await Ask(backend, "b"));
        _clock.Move(30);
        Assert.Null(await Ask(backend, "a"));
        Assert.Equal(TimeSpan.FromSeconds(20), (await Ask(backend, "a"))!.RetryAfter);
        Assert.Equal(2, backend.Log.Requests.Count(request => request.Outcome == RequestOutcome.Limited));
        backend.Reset();
        Assert.Null(await Ask(backend, "a"));
    }

    [Fact]
    public async Task Limits_have_models_scopes_and_errors_of_their_own()
    {
        ScriptChatBackend backend = Backend("""
            models: [glm-4.7, glm-5]
            limits:
              - { name: five, requests: 1, window: 5, model: glm-5, per: all, error: { code: 1303, message: Too often, status: 420, retry_after: 9 } }
              - { requests: 3, per: user }
            fallback: x
            """);

        Assert.Null(await Ask(backend, "a", "glm-5"));
        PlatformError five = (await Ask(backend, "b", "glm-5"))!;
        Assert.Equal((BusinessCode.FrequencyExceeded, "Too often", 420, TimeSpan.FromSeconds(9)), (five.Code, five.Message, five.Status, five.RetryAfter));
        Assert.Equal(420, DialectErrorWriter.StatusOf(WireDialect.Anthropic, five));
        Assert.Null(await Ask(backend, "a", user: "u"));
        Assert.Null(await Ask(backend, "a", user: "u"));
        Assert.Null(await Ask(backend, "b", user: "u"));
        Assert.Equal(BusinessCode.ConcurrencyExceeded, (await Ask(backend, "c", user: "u"))!.Code);
        Assert.Null(await Ask(backend, "c", user: "v"));
    }

    [Fact]
    public async Task However_requests_come_no_stretch_of_the_window_holds_more_than_the_limit()
    {
        ScriptChatBackend backend = Backend("limits: [{ requests: 4, window: 7 }]\nfallback: x");
        Random random = new(3);
        List<double> let = [];
        double now = 0;
        for (int i = 0; i < 400; i++)
        {
            double step = random.Next(0, 30) / 10.0;
            _clock.Move(step);
            now += step;
            PlatformError? refused = await Ask(backend, "k");
            bool full = let.Count(at => now - at < 7 - 1e-9) >= 4;
            Assert.Equal(full, refused is not null);
            if (refused is null)
                let.Add(now);
            else
                Assert.Equal(let[^4] + 7 - now, refused.RetryAfter!.Value.TotalSeconds, 6);
        }
    }

    [Theory]
    [InlineData("limits: [{ window: 5 }]", "needs a number of requests")]
    [InlineData("limits: [{ requests: 1, window: 0 }]", "window is \"0\"")]
    [InlineData("limits: [{ requests: 1, per: week }]", "per is \"week\"; use key, user or all")]
    [InlineData("fallback: { error: { status: 200 } }", "status is \"200\"")]
    [InlineData("fallback: { error: { message: x } }", "needs a code")]
    [InlineData("rules: [{ expect: { at_least: 3, at_most: 1 }, reply: x }]", "at_least is more than at_most")]
    [InlineData("embeddings: [{ dimensions: 4 }]", "need a model")]
    [InlineData("embeddings: [{ model: e, dimensions: 2, vectors: [{ text: a, vector: [1] }] }]", "has 1 numbers; the model's have 2")]
    [InlineData("recordings: [{ fingerprint: abc }]", "64 hexadecimal digits")]
    [InlineData("rules: [{ when: { dialect: french }, reply: x }]", "dialect is \"french\"")]
    public void A_mistake_is_named(string yaml, string what) => Assert.Contains(what, Assert.Throws<ScenarioException>(() => ScriptRequests.Scenario(yaml)).Message, StringComparison.Ordinal);

    [Theory]
    [InlineData(429, BusinessCode.ConcurrencyExceeded)]
    [InlineData(500, BusinessCode.Internal)]
    [InlineData(503, BusinessCode.Overloaded)]
    [InlineData(401, BusinessCode.AuthenticationFailed)]
    [InlineData(418, BusinessCode.CallIncorrect)]
    public void A_status_alone_has_the_usual_code_and_holds_in_every_dialect(int status, BusinessCode code)
    {
        PlatformError error = ScriptRequests.Scenario($"fallback: {{ error: {{ status: {status} }} }}").Fallback!.Error!.ToPlatform();

        Assert.Equal(code, error.Code);
        Assert.All(Enum.GetValues<WireDialect>(), dialect => Assert.Equal(status, DialectErrorWriter.StatusOf(dialect, error)));
    }

    [Fact]
    public async Task Vectors_follow_from_the_text_and_the_seed_and_have_length_one()
    {
        const string Yaml = "seed: 1\nembeddings: [{ model: e, dimensions: 8, vectors: [{ text: /^cat/, vector: [1, 2, 3, 4, 5, 6, 7, 8] }] }]";
        ScriptEmbeddingBackend one = Backend(Yaml).Embeddings[0], same = Backend(Yaml).Embeddings[0], other = Backend(Yaml.Replace("seed: 1", "seed: 2", StringComparison.Ordinal)).Embeddings[0];
        string[] texts = ["cats", "dog", "dog", "mouse"];

        IReadOnlyList<float[]> first = (await one.EmbedAsync(texts, null, default)).Vectors!;
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8], first[0]);
        Assert.Equal(first[1], first[2]);
        Assert.NotEqual(first[1], first[3]);
        Assert.Equal(first, (await same.EmbedAsync(texts, null, default)).Vectors);
        Assert.NotEqual(first[1], (await other.EmbedAsync(texts, null, default)).Vectors![1]);
        Assert.All(first.Skip(1), vector => Assert.Equal(1, vector.Sum(number => (double)number * number), 5));
        float[] shorter = (await one.EmbedAsync(["dog"], 3, default)).Vectors![0];
        Assert.Equal(3, shorter.Length);
        Assert.Equal(1, shorter.Sum(number => (double)number * number), 5);
        Assert.Equal("dimensions", (await one.EmbedAsync(["dog"], 9, default)).Error!.Field);
    }

    [Fact]
    public void Jitter_follows_from_the_seed_and_the_use()
    {
        const string Yaml = "seed: 4\nrules: [{ name: r, reply: { text: x, delay: 1, jitter: 2 } }]";
        TimeSpan[] one = [.. Delays(Yaml)], same = [.. Delays(Yaml)], other = [.. Delays(Yaml.Replace("4", "5", StringComparison.Ordinal))];

        Assert.Equal(one, same);
        Assert.NotEqual(one, other);
        Assert.All(one, delay => Assert.InRange(delay.TotalSeconds, 1, 3));
        Assert.True(one.Distinct().Count() > 15);

        IEnumerable<TimeSpan> Delays(string yaml)
        {
            ScenarioPlay play = new(ScriptRequests.Scenario(yaml), new Lazy<ITokenizer>(_tokenizer), _clock, 0);
            PreparedReply reply = new(play.Scenario.Rules[0].Reply, "r", 0);
            return Enumerable.Range(1, 20).Select(use => play.DelayOf(reply, use));
        }
    }

    private ScriptChatBackend Backend(string yaml) => new(ScriptRequests.Scenario(yaml), new Lazy<ITokenizer>(_tokenizer), new ScriptOptions { Clock = _clock });

    private static async Task<PlatformError?> Ask(ScriptChatBackend backend, string key, string model = "glm-4.7", string? user = null) =>
        (await backend.StartAsync(
            ScriptRequests.User("x") with { Tenant = key, Model = model, Origin = new RequestOrigin { RequestId = "r", Dialect = "native", Path = "/", EndUser = user } }, default)).Error;

    private sealed class StandingClock : TimeProvider
    {
        private DateTimeOffset _now = DateTimeOffset.UnixEpoch;

        public override DateTimeOffset GetUtcNow() => _now;

        public void Move(double seconds) => _now += TimeSpan.FromSeconds(seconds);
    }
}
