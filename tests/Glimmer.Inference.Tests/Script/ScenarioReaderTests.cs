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
    public void A_mistake_is_named_with_its_line(string yaml, string where, string what)
    {
        ScenarioException fault = Assert.Throws<ScenarioException>(() => ScriptRequests.Scenario(yaml));

        Assert.Contains(where, fault.Message, StringComparison.Ordinal);
        Assert.Contains(what, fault.Message, StringComparison.Ordinal);
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
