using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Inference.Routing.Choosing;

namespace Glimmer.Inference.Tests.Routing.Choosing;

public sealed class PromptBlocksTests
{
    private static readonly string _long = string.Concat(Enumerable.Range(0, 2000).Select(i => $"line {i}. "));

    [Fact]
    public void A_conversation_that_grows_keeps_its_hashes_and_its_root()
    {
        List<ChatMessage> messages = [Said(ChatRole.System, _long), Said(ChatRole.User, "hello")];
        ulong[] before = Hashes(messages, out ulong root);
        for (int turn = 0; turn < 5; turn++)
        {
            messages.Add(Said(ChatRole.Assistant, $"answer {turn} " + _long[..(turn * 700)]));
            messages.Add(Said(ChatRole.User, $"question {turn}"));
            ulong[] after = Hashes(messages, out ulong now);
            Assert.Equal(before, after[..before.Length]);
            Assert.True(after.Length > before.Length);
            Assert.Equal(root, now);
            before = after;
        }
    }

    [Fact]
    public void A_text_that_grows_shares_its_full_blocks()
    {
        ulong[] shorter = Hashes([Said(ChatRole.User, _long[..5000])], out _);
        ulong[] longer = Hashes([Said(ChatRole.User, _long)], out _);
        Assert.Equal(5, shorter.Length);
        Assert.Equal(shorter[..4], longer[..4]);
        Assert.NotEqual(shorter[4], longer[4]);
    }

    [Fact]
    public void Everything_that_reaches_the_prompt_counts()
    {
        ChatMessage call = new() { Role = ChatRole.Assistant, ToolCalls = [new ToolCall("1", "f", "{}")] };
        Conversation[] all =
        [
            Of([Said(ChatRole.User, "a")]), Of([Said(ChatRole.System, "a")]), Of([Said(ChatRole.User, "b")]), Of([Said(ChatRole.User, "a"), Said(ChatRole.User, "b")]),
            Of([Said(ChatRole.User, "ab")]), Of([Said(ChatRole.User, "a") with { ReasoningContent = "r" }]), Of([call]), Of([call with { ToolCalls = [new ToolCall("1", "f", "{ }")] }]),
            Of([new ChatMessage { Role = ChatRole.User, Content = [new MediaPart(MediaKind.Image, "a")] }]), Of([new ChatMessage { Role = ChatRole.User, Content = [new ToolOutputPart("a")] }]),
            Of([new ChatMessage { Role = ChatRole.User, Content = [new ToolReferencePart("a")] }]),
            Of([Said(ChatRole.User, "a")]) with { Tools = [new ToolDefinition("t", JsonDocument.Parse("""{"name":"t"}""").RootElement)] },
            Of([Said(ChatRole.User, "a")]) with { Tools = [new ToolDefinition("u", JsonDocument.Parse("""{"name":"u"}""").RootElement)] },
        ];
        ulong[] last = [.. all.Select(conversation => Hashes("m", conversation, out _)[^1])];
        Assert.Equal(all.Length, last.Distinct().Count());
        Assert.NotEqual(last[0], Hashes("n", all[0], out _)[^1]);
        Assert.Equal(last[0], Hashes("M", all[0], out _)[^1]);
    }

    [Fact]
    public void The_number_of_hashes_is_bounded()
    {
        ulong[] hashes = Hashes([Said(ChatRole.User, new string('x', 3_000_000)), Said(ChatRole.User, "y")], out ulong root);
        Assert.Equal(PromptBlocks.MostBlocks, hashes.Length);
        Assert.Equal(hashes.Length, hashes.Distinct().Count());
        Assert.NotEqual(0UL, root);
        Assert.NotEmpty(Hashes([.. Enumerable.Range(0, 5000).Select(i => Said(ChatRole.User, ""))], out _));
        Assert.Empty(Hashes([], out _));
    }

    [Fact]
    public void The_same_text_has_the_same_number_in_every_process()
    {
        // Nodes agree on a conversation's backend only while these stay.
        Assert.Equal(5250131562081002362UL, PromptBlocks.OfText("vllm-1"));
        Assert.Equal(14937756088849467515UL, Hashes([Said(ChatRole.User, "hello")], out _)[0]);
    }

    private static ChatMessage Said(ChatRole role, string text) => ChatMessage.OfText(role, text);

    private static Conversation Of(IReadOnlyList<ChatMessage> messages) => new(messages, [], new RenderOptions());

    private static ulong[] Hashes(IReadOnlyList<ChatMessage> messages, out ulong root) => Hashes("m", Of(messages), out root);

    private static ulong[] Hashes(string model, Conversation conversation, out ulong root)
    {
        var blocks = PromptBlocks.Of(model, conversation);
        ulong[] hashes = blocks.Hashes.ToArray();
        root = blocks.Root;
        blocks.Return();
        return hashes;
    }
}
