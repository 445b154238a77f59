using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine;
using Glimmer.Inference.Script;
using Glimmer.Inference.Tests.Embedded;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Tests.Script;

public sealed class ScenarioConditionTests(BundledBackend bundled) : IClassFixture<BundledBackend>
{
    private readonly Tokenizer _tokenizer = bundled.Backend.Package.Tokenizer;

    public static TheoryData<string, string> Conditions => new()
    {
        { "dialect: openai", "dialect" },
        { "path: /v1/", "path" },
        { "path: '/^\\/v1\\/chat/'", "path" },
        { "headers: { x-tenant: acme, X-Missing: ~ }", "headers.x-tenant" },
        { "user_id: '/^u-\\d+$/'", "user_id" },
        { "stream: true", "stream" },
        { "last_role: user", "last_role" },
        { "messages: 1", "messages" },
        { "tools: 2", "tools" },
        { "tool_choice: required", "tool_choice" },
        { "temperature: 0.25", "temperature" },
        { "max_tokens: 12", "max_tokens" },
        { "seed: 99", "seed" },
        { "response_format: json_object", "response_format" },
    };

    private static ChatRequest Full => ScriptRequests.User("hello").WithTools("a", "b") with
    {
        Sampling = new SamplingOptions { Temperature = 0.25f, Seed = 99 },
        MaxTokens = 12,
        ToolChoice = ToolChoice.Required,
        Format = AnswerFormat.JsonObject,
        Origin = new RequestOrigin
        {
            RequestId = "r",
            Dialect = "openai",
            Path = "/v1/chat/completions",
            Stream = true,
            EndUser = "u-7",
            Headers = name => name.Equals("x-tenant", StringComparison.OrdinalIgnoreCase) ? "acme" : name.Equals("x-api-key", StringComparison.OrdinalIgnoreCase) ? "geheim" : null,
        },
    };

    private static ChatRequest Bare => ScriptRequests.Request(ChatMessage.OfText(ChatRole.User, "a"), ChatMessage.OfText(ChatRole.Assistant, "b"));

    [Theory]
    [MemberData(nameof(Conditions))]
    public void Each_condition_holds_where_it_should_and_is_told_where_it_does_not(string condition, string name)
    {
        RequestPattern pattern = ScriptRequests.Scenario($"rules:\n  - when: {{ {condition} }}\n    reply: x").Rules[0].When;

        Assert.True(RequestMatcher.Matches(pattern, Full, out _));
        Assert.False(RequestMatcher.Matches(pattern, Bare, out _));
        Assert.All(RequestMatcher.Explain(pattern, Full), check => Assert.True(check.Held));
        Assert.Equal(name, Assert.Single(RequestMatcher.Explain(pattern, Bare), check => !check.Held).Condition);
    }

    [Fact]
    public void Explaining_and_matching_agree_on_every_pattern_and_request()
    {
        Random random = new(5);
        string[] conditions = [.. Conditions.Select(row => row.Data.Item1)];
        for (int i = 0; i < 300; i++)
        {
            string some = string.Join(", ", conditions.Where(_ => random.Next(3) == 0).DistinctBy(condition => condition.Split(':')[0]));
            RequestPattern pattern = ScriptRequests.Scenario($"rules:\n  - when: {{ {some} }}\n    reply: x").Rules[0].When;
            foreach (ChatRequest request in new[] { Full, Bare, Full with { MaxTokens = 3 }, Full with { Origin = null }, Bare with { Sampling = new SamplingOptions { Greedy = true } } })
                Assert.Equal(RequestMatcher.Explain(pattern, request).All(check => check.Held), RequestMatcher.Matches(pattern, request, out _));
        }
    }

    [Fact]
    public void A_header_that_may_hold_a_secret_is_neither_compared_nor_seen()
    {
        foreach (string name in new[] { "Authorization", "x-api-key", "X-Goog-Api-Key", "Cookie", "x-auth-token", "proxy-authorization" })
        {
            Assert.Null(Full.Origin!.Header(name));
            ScenarioException fault = Assert.Throws<ScenarioException>(() => ScriptRequests.Scenario($"rules:\n  - when: {{ headers: {{ {name}: x }} }}\n    reply: x"));
            Assert.Contains("never compared", fault.Message, StringComparison.Ordinal);
        }

        Assert.Equal("acme", Full.Origin!.Header("X-Tenant"));
    }

    [Fact]
    public async Task A_request_that_nothing_matches_is_told_the_nearest_rule_condition_by_condition()
    {
        string? logged = null;
        ScriptChatBackend backend = new(
            ScriptRequests.Scenario("""
                strict: true
                rules:
                  - { name: far, when: { last: x, turn: 5, tool: b }, reply: far }
                  - { name: near, when: { model: glm-4.7, turn: 0, last: "/good (day|night)/" }, reply: near }
                fallback: never
                """),
            new Lazy<ITokenizer>(_tokenizer),
            new ScriptOptions { Unmatched = message => logged = message });

        PlatformError error = (await backend.StartAsync(ScriptRequests.User(new string('z', 5000)), default)).Error!;

        Assert.Equal(BusinessCode.CallFailed, error.Code);
        Assert.Contains("Nearest is near, 2 of 3 conditions hold", error.Message, StringComparison.Ordinal);
        Assert.Contains("- last: expected \"/good (day|night)/\", actual \"zzz", error.Message, StringComparison.Ordinal);
        Assert.Contains("(5000 characters)", error.Message, StringComparison.Ordinal);
        Assert.Contains("+ turn: 0", error.Message, StringComparison.Ordinal);
        Assert.True(error.Message.Length < 1000);
        Assert.Equal(error.Message, logged);
        Verification verification = backend.Verify();
        Assert.False(verification.Holds);
        Assert.Contains("1 requests matched no rule", verification.Describe(), StringComparison.Ordinal);
        Assert.Equal("near", Assert.Single(verification.Unknown).Rule);
    }

    [Fact]
    public async Task Expectations_are_judged_over_resets_where_something_was_asked()
    {
        const string Yaml = "strict: true\nrules:\n  - { name: once, when: { last: one }, expect: 1, reply: x }\n  - { name: some, when: { last: two }, expect: { at_least: 1, at_most: 2 }, reply: x }";
        ScriptChatBackend backend = ScriptRequests.Backend(Yaml, _tokenizer);
        backend.Reset();
        await Ask("one");
        await Ask("two");
        Assert.True(backend.Verify().Holds);
        Assert.Null(backend.Judge());

        backend.Reset();
        await Ask("two");
        Assert.Contains("once: expected 1 uses, actual 0", backend.Verify().Describe(), StringComparison.Ordinal);
        backend.Reset();
        await Ask("one");
        await Ask("two");
        Assert.True(backend.Verify().Holds);
        Assert.Contains("once", backend.Judge(), StringComparison.Ordinal);

        async Task Ask(string text) => Assert.Null((await backend.StartAsync(ScriptRequests.User(text), default)).Error);
    }

    [Fact]
    public async Task What_was_asked_is_kept_within_bounds()
    {
        ScriptChatBackend backend = ScriptRequests.Backend("fallback: x", _tokenizer);
        for (int i = 0; i < RequestLog.MostRequests + 5; i++)
            await backend.StartAsync(Full with { Conversation = ScriptRequests.User($"{i} " + new string('y', i == 1004 ? 10_000 : 3)).Conversation }, default);

        Assert.Equal(RequestLog.MostRequests + 5, backend.Log.Count);
        Assert.Equal(RequestLog.MostRequests, backend.Log.Requests.Count);
        LoggedRequest last = backend.Log.Requests[^1];
        Assert.Equal((1005L, "openai", "u-7", RequestOutcome.Fallback), (last.Number, last.Origin!.Dialect, last.Origin.EndUser, last.Outcome));
        Assert.Null(last.Origin.Headers);
        Assert.InRange(last.Messages[0].Text.Length, 4000, 4001);
    }
}
