using System.Globalization;
using Glimmer.Inference.Script;

namespace Glimmer.Inference.Tests.Script;

/// <summary>Scenarios come from outside too: by PUT, and from files of others.</summary>
public sealed class ScenarioBoundsTests
{
    private const string Everything = """
        models: [a, b]
        seed: 3
        strict: true
        recorded_pace: true
        rules:
          - name: r
            times: 2
            expect: { at_least: 1, at_most: 3 }
            when: { last: /x/i, turn: 1, headers: { x-a: b, x-c: ~ }, dialect: [openai, native], temperature: 0.5, tools: 1, stream: true, user_id: u, response_format: text }
            reply: { thinking: t, text: hello, rate: 5, delay: 1, jitter: 0.5, tool_calls: [{ name: f, arguments: { a: [1, {b: null}] } }] }
        fallback: { error: { code: 1302, status: 429, retry_after: 2 } }
        limits: [{ name: l, requests: 3, window: 60, model: a, per: user, error: 1303 }]
        embeddings: [{ model: e, dimensions: 2, vectors: [{ text: t, vector: [0.5, -1e-3] }] }]
        recordings:
          - fingerprint: 0000000000000000000000000000000000000000000000000000000000000000
            summary: "s"
            finish: stop
            usage: { prompt: 1, cached: 0, completion: 2, reasoning: 0 }
            events:
              - { content: "a\u0007\U0001F30D", at: 3, tokens: [["YQ==", -0.5, [["Yg==", -1]]]] }
              - { call: f, index: 0, at: 4 }

        """;

    [Fact]
    public void Any_text_is_a_scenario_or_a_clear_error()
    {
        int cases = int.Parse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES") ?? "3000", CultureInfo.InvariantCulture);
        Random random = new(21);
        string[] parts = ["&a ", "*a", "!!str ", "<<: *a", "? ", "- ", "{", "}", "[", "]", ": ", "\n", "\t", "---\n", "...\n", "\"", "'", "|\n", ">\n", "%YAML 9.9\n", "\u0000", "é", "\ud83c", "999999999999999999999", "-1", "NaN", ".inf", "~", "#"];
        for (int i = 0; i < cases; i++)
        {
            string text = Everything;
            for (int k = random.Next(1, 5); k > 0; k--)
            {
                int at = random.Next(text.Length);
                text = random.Next(3) switch
                {
                    0 => text.Remove(at, Math.Min(random.Next(1, 30), text.Length - at)),
                    1 => text.Insert(at, parts[random.Next(parts.Length)]),
                    _ => text.Insert(at, text.Substring(random.Next(text.Length / 2), random.Next(1, 60))),
                };
            }

            try
            {
                Assert.NotEmpty(ScriptRequests.Scenario(text).Models);
            }
            catch (ScenarioException fault)
            {
                Assert.StartsWith("test.yaml", fault.Message, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void The_whole_of_it_is_read()
    {
        Scenario scenario = ScriptRequests.Scenario(Everything);

        Assert.Equal((3UL, true, true, 1, 1, 1, 1), (scenario.Seed, scenario.Strict, scenario.RecordedPace, scenario.Rules.Count, scenario.Limits.Count, scenario.Embeddings.Count, scenario.Recordings.Count));
        Assert.Equal("a\u0007🌍", scenario.Recordings[0].Events[0].Event.Text);
    }

    [Theory]
    [InlineData('[', ']')]
    [InlineData('{', '}')]
    public void Deep_nesting_is_an_error_and_no_crash(char open, char close)
    {
        foreach (int depth in new[] { 65, 1000, 200_000 })
        {
            ScenarioException fault = Assert.Throws<ScenarioException>(() => ScriptRequests.Scenario("rules: " + new string(open, depth) + new string(close, depth)));
            Assert.StartsWith("test.yaml", fault.Message, StringComparison.Ordinal);
        }

        Assert.Throws<ScenarioException>(() => ScriptRequests.Scenario(string.Concat(Enumerable.Range(0, 2000).Select(i => new string(' ', i) + "a:\n"))));
    }

    [Fact]
    public void Aliases_do_not_make_much_of_little()
    {
        string arguments = "fallback:\n  tool_calls:\n    - name: f\n      arguments:\n        a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
            + string.Concat(Enumerable.Range(1, 30).Select(i => $"        a{i}: &a{i} [{string.Join(", ", Enumerable.Repeat($"*a{i - 1}", 9))}]\n"));
        Assert.Contains("more than 100000 values", Assert.Throws<ScenarioException>(() => ScriptRequests.Scenario(arguments)).Message, StringComparison.Ordinal);

        string item = $"{{ fingerprint: {new string('a', 64)}, events: *events }}";
        string recordings = $"fallback: {{ tool_calls: [{{ name: f, arguments: {{ x: &events [{string.Join(", ", Enumerable.Repeat("{ content: x }", 5000))}] }} }}] }}\nrecordings: [{string.Join(", ", Enumerable.Repeat(item, 9000))}]";
        Assert.Contains("too large", Assert.Throws<ScenarioException>(() => ScriptRequests.Scenario(recordings)).Message, StringComparison.Ordinal);

        Assert.Contains("more than 10000 aliases", Assert.Throws<ScenarioException>(() => ScriptRequests.Scenario($"models: [&a x, {string.Join(", ", Enumerable.Repeat("*a", 10_001))}]")).Message, StringComparison.Ordinal);
        Assert.StartsWith("test.yaml", Assert.Throws<ScenarioException>(() => ScriptRequests.Scenario("rules: &a [*a]")).Message, StringComparison.Ordinal);
    }
}
