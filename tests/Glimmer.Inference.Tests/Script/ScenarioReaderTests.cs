using Glimmer.Inference.Script;

namespace Glimmer.Inference.Tests.Script;

public sealed class ScenarioReaderTests
{
    [Theory]
    [InlineData("rules: 3", "line 1", "rules must be a list")]
    [InlineData("model: x", "line 1", "no key \"model\"")]
    [InlineData("rules:\n  - when: { last: \"/(/\" }\n    reply: x", "line 2", "last is no regular expression")]
    [InlineData("rules:\n  - when: { turn: -1 }\n    reply: x", "line 2", "turn is \"-1\"")]
    [InlineData("rules:\n  - when: {}", "line 2", "rule 1 has no reply")]
    [InlineData("fallback: { error: 7 }", "line 1", "7 is no code")]
    [InlineData("fallback: { error: { message: x } }", "line 1", "error needs a code")]
    [InlineData("fallback: { tool_calls: [{ name: f, arguments: [1] }] }", "line 1", "arguments must be an object")]
    [InlineData("fallback: { tool_calls: [{ name: f, arguments: '{' }] }", "line 1", "arguments:")]
    [InlineData("fallback: { tool_calls: [{ arguments: {} }] }", "line 1", "name of its function")]
    [InlineData("fallback: { raw: a, text: b }", "line 1", "raw is the whole output")]
    [InlineData("fallback: { rate: fast }", "line 1", "rate is \"fast\"")]
    [InlineData("fallback: { repeat: 0 }", "line 1", "repeat is \"0\"")]
    [InlineData("fallback: { end: never }", "line 1", "end is \"never\"")]
    [InlineData("generation: gpt", "line 1", "No GLM generation is called 'gpt'")]
    [InlineData("rules: [", "line 2", "not YAML")]
    [InlineData("", "", "one YAML document")]
    [InlineData("rules:\n  - match: { last: x }\n    reply: y", "line 2, column 5", "did you mean when?")]
    [InlineData("rules:\n  - when: { lats: x }\n    reply: y", "line 2, column 13", "did you mean last?")]
    [InlineData("rules:\n  - when: { last: x }\n    response: y", "line 3, column 5", "did you mean reply?")]
    [InlineData("fallback: { thnking: x }", "line 1, column 13", "did you mean thinking?")]
    [InlineData("fallback: { xyzzyplugh: x }", "line 1, column 13", "here; use thinking")]
    [InlineData("fallback: { error: { code: 1302, retry-after: 3 } }", "line 1", "did you mean retry_after?")]
    [InlineData("fallback: { delay: 5x }", "line 1, column 20", "such as 500ms")]
    [InlineData("fallback: { delay: 25h }", "line 1", "delay is \"25h\"")]
    [InlineData("fallback: { delay: -1s }", "line 1", "delay is \"-1s\"")]
    [InlineData("fallback: { delay: s }", "line 1", "delay is \"s\"")]
    [InlineData("rules:\n  - reply:", "line 2", "the reply is empty")]
    [InlineData("rules:\n  - { reply: a, replies: [b] }", "line 2", "keep one")]
    [InlineData("rules:\n  - { replies: [] }", "line 2", "replies: give 1 to")]
    [InlineData("rules:\n  - { when: { <<: 3 }, reply: a }", "line 2", "<< takes a mapping")]
    [InlineData("x-a: &a { <<: *a }\nrules: [{ when: *a, reply: x }]", "line 1", "<< goes deeper")]
    public void A_mistake_is_named_with_its_line(string yaml, string where, string what)
    {
        ScenarioException fault = Assert.Throws<ScenarioException>(() => ScriptRequests.Scenario(yaml));

        Assert.Contains(where, fault.Message, StringComparison.Ordinal);
        Assert.Contains(what, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Anchors_merged_mappings_and_spans_of_time_mean_what_they_say()
    {
        Scenario scenario = ScriptRequests.Scenario(
            """
            x-base: &base { last: hi, turn: 0 }
            x-more: &more { <<: *base, stream: true }
            rules:
              - { when: { <<: [*more], turn: 2 }, reply: { text: a, delay: 500ms, jitter: 0.25 } }
            limits: [{ requests: 1, window: 2m, error: { code: 1302, retry_after: 1h } }]
            """);

        RequestPattern when = Assert.Single(scenario.Rules).When;
        Assert.Equal(("hi", 2, true), (when.Last?.ToString(), when.Turn, when.Stream));
        Assert.Equal((TimeSpan.FromMilliseconds(500), TimeSpan.FromMilliseconds(250)), (scenario.Rules[0].Reply.Delay, scenario.Rules[0].Reply.Jitter));
        Assert.Equal((TimeSpan.FromMinutes(2), TimeSpan.FromHours(1)), (scenario.Limits[0].Window, scenario.Limits[0].Error.RetryAfter));
    }

    [Fact]
    public void Merges_cannot_make_a_small_file_large()
    {
        System.Text.StringBuilder yaml = new("x-0: &m0 { last: a }\n");
        for (int i = 1; i < 16; i++)
            yaml.Append(System.Globalization.CultureInfo.InvariantCulture, $"x-{i}: &m{i} {{ <<: [{string.Join(", ", Enumerable.Repeat($"*m{i - 1}", 16))}] }}\n");
        ScenarioException fault = Assert.Throws<ScenarioException>(() => ScriptRequests.Scenario(yaml + "rules:\n  - { when: *m15, reply: x }\n"));
        Assert.Contains("too large", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Several_files_are_one_scenario()
    {
        Scenario first = ScriptRequests.Scenario("models: [a]\nseed: 1\nrules: [{ reply: one }]\nlimits: [{ requests: 1 }]");
        Scenario both = ScenarioReader.Read(new StringReader("models: [A, b]\nseed: 2\nrules: [{ reply: two }]\nfallback: x\nembeddings: [{ model: e }]"), "second.yaml", first);

        Assert.Equal(["a", "b"], both.Models);
        Assert.Equal(2UL, both.Seed);
        Assert.Equal(["rule 1", "rule 2"], both.Rules.Select(rule => rule.Name));
        Assert.Equal(["one", "two"], both.Rules.Select(rule => rule.Reply.Text));
        Assert.Equal(("x", 1, 1), (both.Fallback?.Text, both.Limits.Count, both.Embeddings.Count));
        Assert.StartsWith("second.yaml, line 1", Assert.Throws<ScenarioException>(() => ScenarioReader.Read(new StringReader("rools: []"), "second.yaml", first)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Any_bytes_are_a_scenario_or_a_clear_error()
    {
        const string Good = "models: [a, b]\nrules:\n  - name: r\n    times: 2\n    when: { last: /x/i, turn: 1 }\n    reply: { thinking: t, text: hello, rate: 5, tool_calls: [{ name: f, arguments: { a: 1 } }] }\nfallback: { error: 1302 }\n";
        Random random = new(11);
        for (int i = 0; i < 3000; i++)
        {
            char[] text = Good.ToCharArray();
            for (int k = random.Next(1, 4); k > 0; k--)
                text[random.Next(text.Length)] = "\n\t :-[]{}'\"&*!|>%@#,x0\u0000é"[random.Next(23)];
            try
            {
                Assert.NotEmpty(ScriptRequests.Scenario(new string(text)).Models);
            }
            catch (ScenarioException fault)
            {
                Assert.StartsWith("test.yaml", fault.Message, StringComparison.Ordinal);
            }
        }
    }
}
