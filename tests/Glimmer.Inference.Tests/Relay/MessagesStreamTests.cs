using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;
using static Glimmer.Inference.Tests.Relay.RelayCases;

namespace Glimmer.Inference.Tests.Relay;

/// <summary>Streams of Anthropic's messages as services send them, and as they should not.</summary>
public sealed class MessagesStreamTests
{
    private const string Start = """{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"usage":{"input_tokens":10,"cache_read_input_tokens":4,"cache_creation_input_tokens":2,"output_tokens":1}}}""";
    private const string Stop = """{"type":"message_stop"}""";
    private static readonly string[] Text = [Block(0, "text", "\"text\":\"\""), Delta(0, "text_delta", "\"text\":\"Hi\""), End(0)];
    private static readonly string[] Thinking = [Block(0, "thinking", "\"thinking\":\"\",\"signature\":\"\""), Delta(0, "thinking_delta", "\"thinking\":\"Let me\""), Delta(0, "thinking_delta", "\"thinking\":\" see\""), Delta(0, "signature_delta", "\"signature\":\"sig==\""), End(0)];

    /// <summary>Events between the first and the last two, the stop reason, what is told, and why it ended.</summary>
    public static TheoryData<string, string[], string, string, FinishReason> Streams => new()
    {
        { "text", Text, "end_turn", "C:Hi", FinishReason.Stop },
        { "text at once", [Block(0, "text", "\"text\":\"Hi\""), End(0)], "max_tokens", "C:Hi", FinishReason.Length },
        { "thinking", [.. Thinking, Block(1, "text", "\"text\":\"\""), """{"type":"ping"}""", Delta(1, "text_delta", "\"text\":\"Yes\""), End(1)], "end_turn", "R:Let me R: see C:Yes", FinishReason.Stop },
        { "calls", [Block(0, "tool_use", "\"id\":\"a\",\"name\":\"f\",\"input\":{}"), Delta(0, "input_json_delta", "\"partial_json\":\"\""), Delta(0, "input_json_delta", "\"partial_json\":\"{\\\"x\\\":\""), Delta(0, "input_json_delta", "\"partial_json\":\"1}\""), End(0), Block(1, "tool_use", "\"id\":\"b\",\"name\":\"g\",\"input\":{}"), End(1)], "tool_use", """0<f 0:{"x": 0:1} 0> 1<g 1:{} 1>""", FinishReason.ToolCalls },
        { "a call at once", [Block(0, "tool_use", "\"id\":\"a\",\"name\":\"f\",\"input\":{\"x\": [1]}"), End(0)], "tool_use", """0<f 0:{"x": [1]} 0>""", FinishReason.ToolCalls },
        { "two calls at once", [Block(0, "tool_use", "\"id\":\"a\",\"name\":\"f\",\"input\":{}"), Block(1, "tool_use", "\"id\":\"b\",\"name\":\"g\",\"input\":{}"), Delta(1, "input_json_delta", "\"partial_json\":\"{\\\"y\\\":1}\""), End(1), Delta(0, "input_json_delta", "\"partial_json\":\"{}\""), End(0)], "tool_use", """0<f 0:{} 0> 1<g 1:{"y":1} 1>""", FinishReason.ToolCalls },
        { "cut inside a call", [.. Text, Block(1, "tool_use", "\"id\":\"a\",\"name\":\"f\",\"input\":{}"), Delta(1, "input_json_delta", "\"partial_json\":\"{\\\"x\""), End(1)], "max_tokens", """C:Hi 0<f 0:{"x 0x""", FinishReason.Length },
        { "text after a broken call", [Block(0, "tool_use", "\"id\":\"a\",\"name\":\"f\",\"input\":{}"), Delta(0, "input_json_delta", "\"partial_json\":\"{\\\"x\""), End(0), Block(1, "text", "\"text\":\"raw\""), End(1)], "end_turn", """0<f 0:{"x 0x C:raw""", FinishReason.Stop },
        { "blocks that nobody knows", [Block(0, "server_tool_use", "\"id\":\"a\",\"name\":\"web\",\"input\":{}"), Delta(0, "input_json_delta", "\"partial_json\":\"{}\""), End(0), Block(1, "redacted_thinking", "\"data\":\"x\""), End(1), """{"type":"news","x":[1]}"""], "refusal", "", FinishReason.Sensitive },
        { "a full context", Text, "model_context_window_exceeded", "C:Hi", FinishReason.ContextWindow },
    };

    /// <summary>Streams that break the protocol.</summary>
    public static TheoryData<string, string> Broken => new()
    {
        { "no message_stop", Events([Start, .. Text, Delta("end_turn")]) },
        { "no stop reason", Events([Start, .. Text, Stop]) },
        { "two stop reasons", Events([Start, .. Text, Delta("end_turn"), Delta("max_tokens"), Stop]) },
        { "a block after the end", Events([Start, .. Text, Delta("end_turn"), Block(1, "text", "\"text\":\"\""), Stop]) },
        { "text after the end", Events([Start, Block(0, "text", "\"text\":\"\""), Delta("end_turn"), Delta(0, "text_delta", "\"text\":\"x\""), Stop]) },
        { "a block twice", Events([Start, .. Text, .. Text]) },
        { "a block that is not open", Events([Start, Delta(3, "text_delta", "\"text\":\"x\"")]) },
        { "the end of one that is not open", Events([Start, End(0)]) },
        { "a block without a number", Events([Start, """{"type":"content_block_start","content_block":{"type":"text"}}"""]) },
        { "a call without a function", Events([Start, Block(0, "tool_use", "\"id\":\"a\",\"input\":{}")]) },
        { "arguments that are no JSON", Events([Start, Block(0, "tool_use", "\"id\":\"a\",\"name\":\"f\",\"input\":{}"), Delta(0, "input_json_delta", "\"partial_json\":\"{x}\""), End(0), Delta("tool_use"), Stop]) },
        { "arguments without an end", Events([Start, Block(0, "tool_use", "\"id\":\"a\",\"name\":\"f\",\"input\":{}"), Delta(0, "input_json_delta", "\"partial_json\":\"{\""), End(0), Delta("tool_use"), Stop]) },
        { "a number for a text", Events([Start, Block(0, "text", "\"text\":1")]) },
        { "no type", "data: {}\n\n" },
        { "not JSON", "event: ping\ndata: ping\n\n" },
    };

    [Theory]
    [MemberData(nameof(Streams))]
    public async Task A_stream_is_told_in_the_order_of_the_house(string what, string[] events, string stop, string line, FinishReason reason)
    {
        await using FakeUpstream upstream = FakeUpstream.Stream(Events([Start, .. events, Delta(stop), Stop]));
        Told told = await AskAsync(upstream, Ask(), BackendKind.Anthropic);
        Assert.True(told.Finish == reason, what);
        Assert.Equal(line, told.Line);
        ChatUsage usage = told.Answer!.Usage;
        Assert.Equal((16, 4, 9), (usage.PromptTokens, usage.CachedTokens, usage.CompletionTokens));
        Assert.Equal(what == "thinking" ? 6 : 0, usage.ReasoningTokens); // 10 of 13 bytes
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task A_broken_stream_is_the_backends_fault(string what, string stream)
    {
        await using FakeUpstream upstream = FakeUpstream.Stream(stream);
        Told told = await AskAsync(upstream, Ask(), BackendKind.Anthropic);
        Assert.True(told.Finish == FinishReason.BackendFault, what);
        Assert.Equal(BusinessCode.Network, told.Answer!.Error!.Code);
    }

    [Theory]
    [InlineData("""{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}""", BusinessCode.Overloaded)]
    [InlineData("""{"type":"error","error":{"type":"api_error","message":"x"}}""", BusinessCode.Network)]
    [InlineData("""{"type":"error","error":{"type":"invalid_request_error","message":"x","code":"1261"}}""", BusinessCode.PromptTooLong)]
    public async Task An_error_in_the_middle_is_told(string error, BusinessCode code)
    {
        await using FakeUpstream upstream = FakeUpstream.Stream(Events([Start, .. Text, error]));
        Told told = await AskAsync(upstream, Ask(), BackendKind.Anthropic);
        Assert.Equal(("C:Hi", FinishReason.BackendFault, code), (told.Line, told.Finish, told.Answer!.Error!.Code));
    }

    [Fact]
    public async Task Counts_at_the_end_replace_those_at_the_beginning()
    {
        await using FakeUpstream upstream = FakeUpstream.Stream(Events([
            """{"type":"message_start","message":{"usage":{"input_tokens":0,"output_tokens":0}}}""", .. Text, """{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"END"},"usage":{"input_tokens":30,"cache_read_input_tokens":8,"output_tokens":5}}""", Stop]));
        Told told = await AskAsync(upstream, Ask() with { Stop = ["END"] }, BackendKind.Anthropic);
        Assert.Equal((new ChatUsage(38, 8, 5, 0), "END", FinishReason.Stop), (told.Answer!.Usage, told.Answer.StopText, told.Finish));
    }

    [Fact]
    public async Task Thinking_goes_back_signed_to_the_service_that_signed_it()
    {
        await using FakeUpstream upstream = FakeUpstream.Stream(Events([Start, .. Thinking, Block(1, "redacted_thinking", "\"data\":\"hidden\""), End(1), Block(2, "tool_use", "\"id\":\"t\",\"name\":\"f\",\"input\":{}"), End(2), Delta("tool_use"), Stop]));
        await using IRemoteBackend backend = RelayBackends.Create(Define(upstream.Address, BackendKind.Anthropic), TimeProvider.System, new LogLines());
        Told told = await AskAsync(backend, Ask());
        Assert.Equal("Let me see", told.Message.Reasoning);

        foreach ((string reasoning, bool kept) in new[] { ("Let me see", true), ("Let me see?", false) })
        {
            ChatRequest next = Ask().With(conversation => conversation with
            {
                Messages =
                [
                    .. conversation.Messages,
                    new ChatMessage { Role = ChatRole.Assistant, ReasoningContent = reasoning, ToolCalls = [new ToolCall("t", "f", "{}")] },
                    new ChatMessage { Role = ChatRole.Tool, ToolCallId = "t", Content = [new TextPart("done")] },
                ],
                Tools = [Tool("f")],
                Options = new RenderOptions { EnableThinking = true },
            }) with
            { ThinkingBudget = 2000, MaxTokens = 4000 };
            await AskAsync(backend, next);
            JsonElement body = JsonDocument.Parse(upstream.Requests.Last().Body).RootElement;
            JsonElement[] blocks = [.. body.GetProperty("messages")[1].GetProperty("content").EnumerateArray()];
            Assert.Equal(kept ? ["thinking", "redacted_thinking", "tool_use"] : ["tool_use"], blocks.Select(block => block.GetProperty("type").GetString()!));
            Assert.Equal(kept ? "enabled" : "adaptive", body.GetProperty("thinking").GetProperty("type").GetString());
            if (kept)
                Assert.Equal(("Let me see", "sig==", "hidden"), (blocks[0].GetProperty("thinking").GetString(), blocks[0].GetProperty("signature").GetString(), blocks[1].GetProperty("data").GetString()));
        }
    }

    private static string Block(int index, string type, string members) => $$"""{"type":"content_block_start","index":{{index}},"content_block":{"type":"{{type}}",{{members}} } }""";

    private static string Delta(int index, string type, string members) => $$"""{"type":"content_block_delta","index":{{index}},"delta":{"type":"{{type}}",{{members}} } }""";

    private static string Delta(string stop) => $$"""{"type":"message_delta","delta":{"stop_reason":"{{stop}}","stop_sequence":null},"usage":{"output_tokens":9} }""";

    private static string End(int index) => $$"""{"type":"content_block_stop","index":{{index}} }""";
}
