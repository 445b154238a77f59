using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Gbnf;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine;
using Glimmer.Inference.Prompting;
using Glimmer.Inference.Tests.Remote.Fakes;
using Glimmer.Testing;

namespace Glimmer.Inference.Tests.Remote;

public sealed class GoldenCallsTests
{
    [Theory]
    [InlineData("glm-4.5")]
    [InlineData("glm-4.7")]
    public void Grammars_sent_for_demanded_calls_accept_the_golden_calls(string name)
    {
        Tokenizer tokenizer = FakeEngine.Tokenizer;
        Generation generation = Generations.ForName(name);
        AnswerConstraints constraints = new("glimmer-tiny", generation, tokenizer, [.. generation.StopTokens(tokenizer)]);
        List<JsonElement> rows = [.. File.ReadAllText(Fixtures.Path("dialogue", "parse.jsonl")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        ToolDefinition[] tools = [.. rows[0].GetProperty("toolset").EnumerateArray().Select(tool => new ToolDefinition((tool.TryGetProperty("function", out JsonElement function) ? function : tool).GetProperty("name").GetString()!, tool))];
        ChatRequest request = new()
        {
            Model = "glimmer-tiny",
            Conversation = new Conversation([ChatMessage.OfText(ChatRole.User, "x")], tools, new RenderOptions()),
            Sampling = new SamplingOptions { Greedy = true },
            ToolChoice = ToolChoice.Required,
        };
        var constraint = (GrammarConstraint?)constraints.For(request, tools, OutputStart.Content, out _, out _);
        Assert.NotNull(constraint);
        TextGrammar written = TextGrammar.Gbnf(constraint.Compiled.ToGbnf(GbnfDialect.XGrammar)!);
        int accepted = 0;
        foreach (JsonElement row in rows.Skip(1))
        {
            string output = row.GetProperty("output").GetString()!;
            string calls = output[(output.LastIndexOf("</think>", StringComparison.Ordinal) is >= 0 and int close ? close + 8 : 0)..].Trim('\n');
            List<int> ids = [];
            tokenizer.Encode(calls, recogniseAdded: true, ids);
            GrammarConstraint walk = constraint.Clone();
            if (!calls.StartsWith("<tool_call>", StringComparison.Ordinal) || !ids.TrueForAll(walk.TryAccept) || !generation.StopTokens(tokenizer).Any(walk.TryAccept))
                continue;
            accepted++;
            Assert.True(written.Accepts(Encoding.UTF8.GetBytes(calls)), calls);
        }

        Assert.True(accepted >= 5, $"{accepted}");
    }
}
