using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;

namespace Glimmer.Server.Tests.Chat;

/// <summary>
/// What a request says of thinking, down to the tokens of the prompt: efforts, and which reasoning of earlier turns stays on which
/// base (spec: api.md §6.1, §6.4).
/// </summary>
public sealed class ThinkingPromptTests : IAsyncLifetime
{
    private const string History = """
        [{"role":"user","content":"one"},
         {"role":"assistant","content":"","reasoning_content":"first","tool_calls":[{"id":"c1","type":"function","function":{"name":"now","arguments":"{}"}}]},
         {"role":"tool","tool_call_id":"c1","content":"noon"},
         {"role":"assistant","content":"It is noon.","reasoning_content":"second"},
         {"role":"user","content":"two"},
         {"role":"assistant","content":"","reasoning_content":"third","tool_calls":[{"id":"c2","type":"function","function":{"name":"now","arguments":"{}"}}]},
         {"role":"tool","tool_call_id":"c2","content":"one o'clock"}]
        """;

    private static readonly Tokenizer Vocabulary = TokenizerFiles.Open(Fixtures.Path("tokenizer", "tokenizer.json"));
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData("glm-5.2", "none", "[gMASK]<sop><|user|>Q<|assistant|><think></think>")]
    [InlineData("glm-5.2", "minimal", "[gMASK]<sop><|user|>Q<|assistant|><think></think>")]
    [InlineData("glm-5.2", "low", "[gMASK]<sop><|system|>Reasoning Effort: High<|user|>Q<|assistant|><think>")]
    [InlineData("glm-5.2", "medium", "[gMASK]<sop><|system|>Reasoning Effort: High<|user|>Q<|assistant|><think>")]
    [InlineData("glm-5.2", "high", "[gMASK]<sop><|system|>Reasoning Effort: High<|user|>Q<|assistant|><think>")]
    [InlineData("glm-5.2", "xhigh", "[gMASK]<sop><|system|>Reasoning Effort: Max<|user|>Q<|assistant|><think>")]
    [InlineData("glm-5.2", "max", "[gMASK]<sop><|system|>Reasoning Effort: Max<|user|>Q<|assistant|><think>")]
    [InlineData("glm-5.2", null, "[gMASK]<sop><|system|>Reasoning Effort: Max<|user|>Q<|assistant|><think>")]
    [InlineData("glm-5.3", "low", "[gMASK]<sop><|system|>Reasoning Effort: Low<|user|>Q<|assistant|><think>")]
    [InlineData("glm-5.3", "medium", "[gMASK]<sop><|system|>Reasoning Effort: High<|user|>Q<|assistant|><think>")]
    [InlineData("glm-5.3", null, "[gMASK]<sop><|system|>Reasoning Effort: Max<|user|>Q<|assistant|><think>")]
    [InlineData("glm-4.7", "low", "[gMASK]<sop><|user|>Q<|assistant|><think>")]
    [InlineData("glm-4.7", "none", "[gMASK]<sop><|user|>Q<|assistant|></think>")]
    public async Task An_effort_reaches_the_prompt(string model, string? effort, string expected)
    {
        await _harness.ChatAsync($$$"""{"model":"{{{model}}}","reasoning_effort":{{{JsonSerializer.Serialize(effort)}}},"messages":[{"role":"user","content":"Q"}]}""");
        AssertPrompt(model, expected);
    }

    // Reasoning between the calls of the turn under way always stays; that of earlier turns by request and base.
    [Theory]
    [InlineData("paas", "", "third")]
    [InlineData("paas", ",\"thinking\":{\"type\":\"enabled\"}", "third")]
    [InlineData("paas", ",\"thinking\":{\"clear_thinking\":true}", "third")]
    [InlineData("paas", ",\"thinking\":{\"clear_thinking\":false}", "first second third")]
    [InlineData("coding/paas", "", "first second third")]
    [InlineData("coding/paas", ",\"thinking\":{\"type\":\"enabled\"}", "first second third")]
    [InlineData("coding/paas", ",\"thinking\":{\"clear_thinking\":false}", "first second third")]
    [InlineData("coding/paas", ",\"thinking\":{\"clear_thinking\":true}", "third")]
    public async Task Earlier_reasoning_is_in_the_prompt_as_base_and_request_say(string api, string fields, string kept)
    {
        foreach (string model in (string[])["glm-4.7", "glm-5", "glm-5.1", "glm-5.2", "glm-5.3"])
        {
            await _harness.ChatAsync($$$"""{"model":"{{{model}}}","messages":{{{History}}}{{{fields}}}}""", $"/api/{api}/v4/chat/completions");
            int[] tokens = Tokens(model);
            string[] found = [.. ((string[])["first", "second", "third"]).Where(word => Contains(tokens, word))];
            Assert.Equal((model, kept), (model, string.Join(' ', found)));
        }
    }

    private void AssertPrompt(string model, string expected)
    {
        Assert.Equal(expected, Generations.ForName(model).RenderText(_harness.Backend.LastRequest!.Conversation).Text);
        Assert.Equal(Vocabulary.Encode(expected, recogniseAdded: true), Tokens(model));
    }

    private int[] Tokens(string model) => Generations.ForName(model).Render(_harness.Backend.LastRequest!.Conversation, Vocabulary).Prompt!.Tokens;

    // Whether the prompt holds <think>WORD</think>.
    private static bool Contains(int[] tokens, string word)
    {
        Assert.True(Vocabulary.TryGetAdded(ControlTokens.Think, out int open));
        Assert.True(Vocabulary.TryGetAdded(ControlTokens.ThinkEnd, out int close));
        return tokens.AsSpan().IndexOf([open, .. Vocabulary.Encode(word, recogniseAdded: false), close]) >= 0;
    }
}
