using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Tests.Rendering;

public sealed class RenderingTests
{
    private static readonly Generation Glm47 = Dialogue.Generations.Generations.ForName("glm-4.7");

    public static TheoryData<string> Names => [.. Dialogue.Generations.Generations.All.Select(generation => generation.Name)];

    [Theory]
    [InlineData("glm-4.7", null, OutputStart.Reasoning)]
    [InlineData("glm-4.7", false, OutputStart.Content)]
    [InlineData("glm-5", true, OutputStart.Reasoning)]
    [InlineData("glm-5.1", false, OutputStart.Content)]
    [InlineData("glm-5.2", null, OutputStart.Reasoning)]
    [InlineData("glm-5.2", false, OutputStart.Content)]
    [InlineData("glm-5.3", false, OutputStart.Reasoning)]
    [InlineData("glm-4.5", null, OutputStart.ThinkPending)]
    [InlineData("glm-4.5", false, OutputStart.Content)]
    [InlineData("glm-4.5v", null, OutputStart.ThinkPending)]
    [InlineData("glm-ocr", false, OutputStart.Content)]
    [InlineData("glm-4.1v", null, OutputStart.ThinkPending)]
    [InlineData("glm-z1", null, OutputStart.Reasoning)]
    [InlineData("glm-4-0414", null, OutputStart.Content)]
    [InlineData("glm-4-9b-chat", null, OutputStart.Content)]
    [InlineData("glm-edge", null, OutputStart.Content)]
    [InlineData("glm-asr", null, OutputStart.Content)]
    [InlineData("glm-4-voice", null, OutputStart.Content)]
    public void The_start_is_read_off_the_prompt(string name, bool? thinking, OutputStart expected)
    {
        Conversation conversation = Talk([ChatMessage.OfText(ChatRole.User, "<think>no</think><|assistant|><think>")], new() { EnableThinking = thinking });
        Generation generation = Dialogue.Generations.Generations.ForName(name);
        Assert.Equal(expected, generation.RenderText(conversation).Start);
        Assert.Equal(expected, generation.Render(conversation, Vocabularies.Small).Prompt!.Start);
        Assert.Equal(expected, generation.Render(conversation, Vocabularies.Early).Prompt!.Start);
    }

    [Theory]
    [InlineData("glm-4.7", "A", "[gMASK]<sop><|user|>Q<|assistant|></think>A")]
    [InlineData("glm-4.5", "A ", "[gMASK]<sop><|user|>\nQ<|assistant|>\n<think></think>\nA")]
    [InlineData("glm-4.5", "", "[gMASK]<sop><|user|>\nQ<|assistant|>\n<think></think>")]
    [InlineData("glm-4-0414", " A ", "[gMASK]<sop><|user|>\nQ<|assistant|>\n A ")]
    [InlineData("glm-z1", "", "[gMASK]<sop><|user|>\nQ<|assistant|>")]
    public void A_prompt_that_continues_ends_with_the_content(string name, string content, string expected)
    {
        Conversation conversation = Talk(
            [ChatMessage.OfText(ChatRole.User, "Q"), ChatMessage.OfText(ChatRole.Assistant, content) with { ToolCalls = [] }],
            new() { ContinueFinalMessage = true });
        RenderedText rendered = Dialogue.Generations.Generations.ForName(name).RenderText(conversation);
        Assert.Equal(expected, rendered.Text);
        Assert.Equal(name == "glm-z1" ? OutputStart.ThinkPending : OutputStart.Content, rendered.Start);
    }

    [Fact]
    public void A_switch_that_the_user_wrote_at_the_end_is_a_token_only_when_thinking_is_off()
    {
        Conversation conversation = Talk([ChatMessage.OfText(ChatRole.User, "x /nothink y/nothink")], new() { EnableThinking = false });
        Generation generation = Dialogue.Generations.Generations.ForName("glm-4.5");
        Assert.True(Vocabularies.Small.TryGetAdded("/nothink", out int id));
        Assert.Single(generation.Render(conversation, Vocabularies.Small).Prompt!.Tokens, token => token == id);
        Assert.DoesNotContain(id, generation.Render(conversation with { Options = new() }, Vocabularies.Small).Prompt!.Tokens);
        Assert.Equal("[gMASK]<sop><|user|>\nx /nothink y/nothink<|assistant|>\n<think></think>", generation.RenderText(conversation).Text);
    }

    [Fact]
    public void The_switch_is_asked_for_once_and_behind_media()
    {
        ChatMessage Parts(params ContentPart[] parts) => new() { Role = ChatRole.User, Content = parts };
        string Rendered(string name, ChatMessage message) => Dialogue.Generations.Generations.ForName(name).RenderText(Talk([message], new() { EnableThinking = false, AddGenerationPrompt = false })).Text!;
        MediaPart picture = new(MediaKind.Image, "p"), sound = new(MediaKind.Audio, "s");
        Assert.Equal("[gMASK]<sop><|user|>\nx/nothink<|begin_of_image|><|image|><|end_of_image|>/nothink", Rendered("glm-4.5v", Parts(new TextPart("x/nothink"), picture)));
        Assert.Equal("[gMASK]<sop><|user|>\nx/nothink", Rendered("glm-4.5v", Parts(new TextPart("x/no"), sound, new TextPart("think"))));
        Assert.Equal("[gMASK]<sop><|user|>\nx/nothink", Rendered("glm-4.5", Parts(new TextPart("x/no"), picture, new TextPart("think"))));
    }

    [Fact]
    public void GLM_OCR_puts_every_item_of_a_result_into_one_block()
    {
        ChatMessage result = new() { Role = ChatRole.Tool, IsPartList = true, Content = [new ToolOutputPart("a"), new TextPart("b"), new MediaPart(MediaKind.Image, "p"), new TextPart("c") { IsBare = true }] };
        Assert.Equal(
            "[gMASK]<sop><|observation|>\n<tool_response>\nab<|begin_of_image|><|image|><|end_of_image|>c\n</tool_response><|assistant|>\n",
            Dialogue.Generations.Generations.ForName("glm-ocr").RenderText(Talk([result])).Text);
    }

    [Theory]
    [InlineData("{\"a\": ", "does not parse")]
    [InlineData("[1]", "it is a JSON array")]
    [InlineData("5", "it is a JSON number")]
    [InlineData("{\"a\": NaN}", "does not parse")]
    public void Arguments_that_are_no_object_are_the_clients_fault(string arguments, string problem)
    {
        ChatMessage caller = new() { Role = ChatRole.Assistant, ToolCalls = [new ToolCall("1", "now", "{}"), new ToolCall("2", "now", arguments)] };
        foreach (Generation generation in Dialogue.Generations.Generations.All)
        {
            RenderResult result = generation.Render(Talk([ChatMessage.OfText(ChatRole.User, "Q"), caller]), Vocabularies.Small);
            Assert.Null(result.Prompt);
            Assert.Equal(1, result.Fault!.MessageIndex);
            Assert.Equal("tool_calls[1].function.arguments", result.Fault.Field);
            Assert.Contains(problem, result.Fault.Problem);
        }
    }

    [Fact]
    public void Arguments_nested_too_deep_are_a_fault_and_no_overflow()
    {
        string deep = "{\"a\":" + new string('[', 100_000) + new string(']', 100_000) + "}";
        ChatMessage caller = new() { Role = ChatRole.Assistant, ToolCalls = [new ToolCall("1", "now", deep)] };
        Assert.Contains("128 levels", Glm47.Render(Talk([caller]), Vocabularies.Small).Fault!.Problem);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Lone_surrogates_and_empty_conversations_do_not_throw(string name)
    {
        Generation generation = Dialogue.Generations.Generations.ForName(name);
        Assert.NotNull(generation.Render(Talk([]), Vocabularies.Small).Prompt);
        ChatMessage caller = new() { Role = ChatRole.Assistant, ToolCalls = [new ToolCall("1", "f\ud800", "{\"k\\udc00\": \"\\ud800\"}")] };
        Assert.NotNull(generation.Render(Talk([ChatMessage.OfText(ChatRole.User, "\ud800"), caller]), Vocabularies.Small).Prompt);
    }

    [Fact]
    public void Media_have_their_places()
    {
        MediaPart picture = new(MediaKind.Image, "p"), film = new(MediaKind.Video, "f");
        ChatMessage user = new() { Role = ChatRole.User, Content = [new TextPart("a"), picture, new TextPart("b"), film] };
        RenderedPrompt prompt = Dialogue.Generations.Generations.ForName("glm-4.5v").Render(Talk([user]), Vocabularies.Small).Prompt!;
        Assert.Equal([picture, film], prompt.Media.Select(slot => slot.Part));
        Assert.Equal(["<|image|>", "<|video|>"], prompt.Media.Select(slot => Vocabularies.Small.Decode([prompt.Tokens[slot.TokenIndex]])));
    }

    [Fact]
    public void A_tool_result_that_refers_to_tools_shows_them_again()
    {
        ToolDefinition rare = RandomTalk.Tool("""{"type":"function","function":{"name":"rare","strict":true,"parameters":{},"defer_loading":true}}""");
        ChatMessage result = new() { Role = ChatRole.Tool, Content = [new ToolReferencePart("rare"), new ToolReferencePart("unknown")] };
        string text = Dialogue.Generations.Generations.ForName("glm-5.1").RenderText(new([ChatMessage.OfText(ChatRole.User, "Q"), result], [rare], new())).Text!;
        Assert.EndsWith("<|observation|><tool_response><tools>\n{\"name\": \"rare\", \"parameters\": {}}\n</tools></tool_response><|assistant|><think>", text);
        Assert.Contains("<tools>\n</tools>", text);
    }

    [Theory]
    [InlineData("b", "a", "AB")]
    [InlineData("a", "b", "AB")]
    [InlineData("a", "a", "in place")]
    [InlineData("b", null, "in place")]
    [InlineData("b", "c", "in place")]
    public void GLM_5_3_sees_results_in_the_order_of_the_calls(string? first, string? second, string expected)
    {
        ChatMessage caller = new() { Role = ChatRole.Assistant, ToolCalls = [new ToolCall("a", "now", "{}"), new ToolCall("b", "now", "{}")] };
        ChatMessage Result(string? id, string text) => ChatMessage.OfText(ChatRole.Tool, text) with { ToolCallId = id };
        Conversation conversation = Talk([ChatMessage.OfText(ChatRole.User, "Q"), caller, Result(first, first == "b" ? "B" : "A"), Result(second, first == "b" ? "A" : "B")]);
        string text = Dialogue.Generations.Generations.ForName("glm-5.3").RenderText(conversation).Text!;
        string inPlace = first == "b" ? "<tool_response>B</tool_response><tool_response>A</tool_response>" : "<tool_response>A</tool_response><tool_response>B</tool_response>";
        Assert.Contains(expected == "AB" ? "<tool_response>A</tool_response><tool_response>B</tool_response>" : inPlace, text);
    }

    [Fact]
    public void Vocabularies_without_the_tags_get_them_as_text()
    {
        RenderedPrompt prompt = Dialogue.Generations.Generations.ForName("glm-z1").Render(Talk([ChatMessage.OfText(ChatRole.User, "Q")]), Vocabularies.Early).Prompt!;
        List<int> expected = [];
        Vocabularies.Early.Encode("[gMASK]<sop><|user|>\nQ<|assistant|>\n<think>", recogniseAdded: true, expected);
        Assert.Equal(expected, prompt.Tokens);
    }

    private static Conversation Talk(IReadOnlyList<ChatMessage> messages, RenderOptions? options = null) => new(messages, [], options ?? new());
}
