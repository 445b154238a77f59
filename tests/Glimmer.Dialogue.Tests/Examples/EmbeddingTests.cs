using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tests;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Testing;

namespace Glimmer.Examples;

/// <summary>The examples of <c>docs/dialogue.md</c>, compiled and run. The page must hold what stands between the marks.</summary>
public sealed class EmbeddingTests
{
    [Fact]
    public void The_loop_of_one_answer()
    {
        ITokenizer tokenizer = Vocabularies.Small;
        Conversation conversation = new([ChatMessage.OfText(ChatRole.User, "What time is it?")], RandomTalk.Tools, new RenderOptions());
        List<int> sampled = Vocabularies.Small.Encode("I look.</think><tool_call>now</tool_call><|observation|>", recogniseAdded: true);
        // <example loop>
        Generation generation = Generations.ForName("glm-4.7");
        RenderResult rendered = generation.Render(conversation, tokenizer);            // token ids, or the client's mistake in words

        OutputAutomaton automaton = new(generation, tokenizer, new OutputOptions { Start = rendered.Prompt!.Start, Tools = conversation.Tools });
        List<ChatEvent> events = [];
        foreach (int token in sampled)
        {
            if (automaton.Feed(token, events) == AutomatonVerdict.Done)
                break;
        }

        FinishReason why = automaton.Finish(EndCause.MaxTokens, events);               // what the automaton found itself counts more
        // </example>
        Assert.Equal(FinishReason.ToolCalls, why);
        Assert.Equal("now", Assert.Single(events, said => said.Kind == ChatEventKind.ToolCallStart).Text);
        AssertOnPage("loop");
    }

    [Fact]
    public void A_whole_message_and_the_next_prompt()
    {
        ITokenizer tokenizer = Vocabularies.Small;
        Generation generation = Generations.ForName("glm-4.7");
        Conversation conversation = new([ChatMessage.OfText(ChatRole.User, "What time is it?")], RandomTalk.Tools, new RenderOptions());
        List<ChatEvent> events = [new(ChatEventKind.Reasoning, "I look."), new(ChatEventKind.ToolCallStart, "now", 0), new(ChatEventKind.ToolCallArguments, "{}", 0), new(ChatEventKind.ToolCallEnd, "", 0)];
        // <example turn>
        MessageBuilder message = new();
        message.Add(events);

        PromptCache cache = new(tokenizer, maxTokens: 1_000_000);
        Conversation next = conversation with
        {
            Messages =
            [
                .. conversation.Messages,
                new ChatMessage
                {
                    Role = ChatRole.Assistant,
                    Content = message.Content is { } content ? [new TextPart(content)] : [],
                    ReasoningContent = message.Reasoning,
                    ToolCalls = [.. message.Calls.Select((call, index) => new ToolCall($"call_{index}", call.Name, call.Arguments))],
                },
                ChatMessage.OfText(ChatRole.Tool, "half past ten") with { ToolCallId = "call_0" },
            ],
        };
        int[] prompt = generation.Render(next, tokenizer, cache).Prompt!.Tokens;
        // </example>
        Assert.EndsWith(
            "<|assistant|><think>I look.</think><tool_call>now</tool_call><|observation|><tool_response>half past ten</tool_response><|assistant|><think>",
            Vocabularies.Small.Decode(prompt));
        AssertOnPage("turn");
    }

    private static void AssertOnPage(string example)
    {
        string source = File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "tests", "Glimmer.Dialogue.Tests", "Examples", "EmbeddingTests.cs")).ReplaceLineEndings("\n");
        string page = File.ReadAllText(Path.Combine(Fixtures.RepositoryRoot, "docs", "dialogue.md")).ReplaceLineEndings("\n");
        string body = source.Split($"// <example {example}>\n")[1].Split("        // </example>")[0];
        string expected = string.Join('\n', body.Split('\n').Select(line => line.StartsWith("        ", StringComparison.Ordinal) ? line[8..] : line));
        Assert.Contains($"```csharp\n{expected}```", page);
    }
}
