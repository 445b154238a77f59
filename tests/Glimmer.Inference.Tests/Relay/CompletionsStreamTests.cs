using System.Text;
using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;
using static Glimmer.Inference.Tests.Relay.RelayCases;

namespace Glimmer.Inference.Tests.Relay;

/// <summary>Streams of chat completions as services send them, and as they should not.</summary>
public sealed class CompletionsStreamTests
{
    /// <summary>Deltas, the word for the end, what is told, and why it ended.</summary>
    public static TheoryData<string, string[], string, string, FinishReason> Streams => new()
    {
        { "text", ["""{"role":"assistant","content":""}""", """{"content":"Hel"}""", """{"content":"lo ä🌍"}"""], "stop", "C:Hel C:lo ä🌍", FinishReason.Stop },
        { "the platform's reasoning", ["""{"role":"assistant","reasoning_content":"Let me"}""", """{"role":"assistant","content":"Yes"}"""], "stop", "R:Let me C:Yes", FinishReason.Stop },
        { "another name of reasoning", ["""{"reasoning":"hm","reasoning_content":"hm"}""", """{"reasoning":"so","content":null}"""], "stop", "R:hm R:so", FinishReason.Stop },
        { "a whole call", ["""{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]}"""], "tool_calls", """0<f 0:{"x":1} 0>""", FinishReason.ToolCalls },
        { "a call in pieces", ["""{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}}]}""", """{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]}""", """{"tool_calls":[{"index":0,"function":{"arguments":"\"}\"}"}}]}"""], "tool_calls", """0<f 0:{"x": 0:"}"} 0>""", FinishReason.ToolCalls },
        { "two after each other", ["""{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}""", """{"tool_calls":[{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}"""], "tool_calls", "0<f 0:{} 0> 1<g 1:{} 1>", FinishReason.ToolCalls },
        { "two at once", ["""{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}},{"index":1,"id":"b","function":{"name":"g","arguments":"{\"y\""}}]}""", """{"tool_calls":[{"index":1,"function":{"arguments":":2}"}}]}""", """{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}"""], "tool_calls", """0<f 0:{"x" 0::1} 0> 1<g 1:{"y":2} 1>""", FinishReason.ToolCalls },
        { "numbers with gaps", ["""{"tool_calls":[{"index":3,"id":"a","function":{"name":"f","arguments":"{}"}}]}""", """{"tool_calls":[{"index":9,"id":"b","function":{"name":"g","arguments":"{}"}}]}"""], "tool_calls", "0<f 0:{} 0> 1<g 1:{} 1>", FinishReason.ToolCalls },
        { "every number 0", ["""{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}""", """{"tool_calls":[{"index":0,"id":"b","function":{"name":"f","arguments":"{}"}}]}"""], "stop", "0<f 0:{} 0> 1<f 1:{} 1>", FinishReason.ToolCalls },
        { "no numbers", ["""{"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{"}}]}""", """{"tool_calls":[{"function":{"arguments":"}"}}]}""", """{"tool_calls":[{"id":"b","function":{"name":"g","arguments":{"y":[1]}}}]}"""], "tool_calls", """0<f 0:{ 0:} 0> 1<g 1:{"y":[1]} 1>""", FinishReason.ToolCalls },
        { "no arguments", ["""{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}},{"index":1,"id":"b","function":{"name":"g","arguments":"null"}}]}"""], "tool_calls", "0<f 0:{} 0> 1<g 1:{} 1>", FinishReason.ToolCalls },
        { "the name again", ["""{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{"}}]}""", """{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"}"}}]}"""], "tool_calls", "0<f 0:{ 0:} 0>", FinishReason.ToolCalls },
        { "cut inside a call", ["""{"content":"a"}""", """{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]}"""], "length", """C:a 0<f 0:{"x": 0x""", FinishReason.Length },
        { "text after a broken call", ["""{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]}""", """{"content":"<tool_call>f"}"""], "stop", """0<f 0:{"x": 0x C:<tool_call>f""", FinishReason.Stop },
        { "a sign torn in two", ["""{"content":"a\ud83c"}""", """{"content":"\udf0d\n\u00e9\\"}""", """{"content":"\uD83C\uDF0Db"}"""], "stop", "C:a C:🌍\né\\ C:🌍b", FinishReason.Stop },
        { "a torn sign of reasoning and of arguments", ["""{"reasoning_content":"\ud83c"}""", """{"reasoning_content":"\udf0d"}""", """{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":\"\ud83c"}}]}""", """{"tool_calls":[{"index":0,"function":{"arguments":"\udf0d\"}"}}]}"""], "tool_calls", "R:🌍 0<f 0:{\"x\":\" 0:🌍\"} 0>", FinishReason.ToolCalls },
        { "parts", ["""{"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}"""], "stop", "C:ab", FinishReason.Stop },
        { "a refusal", ["""{"refusal":"No."}"""], "content_filter", "C:No.", FinishReason.Sensitive },
        { "a full context", ["""{"content":"a"}"""], "model_context_window_exceeded", "C:a", FinishReason.ContextWindow },
        { "a word that nobody knows", ["""{"content":"a"}"""], "eos", "C:a", FinishReason.Stop },
        { "members that nobody knows", ["""{"content":"a","audio":{"x":[1,{}]},"annotations":[]}"""], "stop", "C:a", FinishReason.Stop },
    };

    /// <summary>Streams that break the protocol: what, and its bytes.</summary>
    public static TheoryData<string, string> Broken => new()
    {
        { "nothing", "" },
        { "no end", "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n" },
        { "no [DONE]", Chunks("stop", """{"content":"a"}""").Replace("data: [DONE]\n\n", "", StringComparison.Ordinal) },
        { "[DONE] without a reason", "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: [DONE]\n\n" },
        { "two reasons", Chunks("stop", "{}").Replace("data: {\"choices\":[],", "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"length\"}],", StringComparison.Ordinal) },
        { "content after the end", Chunks("stop", "{}").Replace("data: [DONE]", "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n\ndata: [DONE]", StringComparison.Ordinal) },
        { "not JSON", "data: hello\n\n" },
        { "half of it", "data: {\"choices\":[{\n\n" },
        { "more after it", "data: {} {}\n\n" },
        { "a list", "data: []\n\n" },
        { "a number for the content", Chunks("stop", """{"content":1}""") },
        { "a string for the delta", Chunks("stop", "\"a\"") },
        { "a number for the reason", "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":7}]}\n\n" },
        { "choices that are none", "data: {\"choices\":{}}\n\n" },
        { "a second answer", "data: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"a\"}}]}\n\n" },
        { "a negative number", Chunks("tool_calls", """{"tool_calls":[{"index":-1,"id":"a","function":{"name":"f","arguments":"{}"}}]}""") },
        { "a fractional count", Chunks("stop", "{}").Replace("\"prompt_tokens\":12", "\"prompt_tokens\":1.5", StringComparison.Ordinal) },
        { "arguments that are no JSON", Chunks("tool_calls", """{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{x}"}}]}""") },
        { "arguments that are no object", Chunks("tool_calls", """{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"[1]"}}]}""") },
        { "arguments in a string", Chunks("tool_calls", """{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"\"{}\""}}]}""") },
        { "arguments without an end", Chunks("tool_calls", """{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\":"}}]}""") },
        { "arguments with two ends", Chunks("tool_calls", """{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}}"}}]}""") },
        { "arguments after the end", Chunks("tool_calls", """{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}}]}""", """{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}""") },
        { "a call without a function", Chunks("tool_calls", """{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{}"}}]}""") },
        { "a half and another text", Chunks("stop", """{"content":"\ud83c"}""", """{"content":"b"}""") },
        { "the second half first", Chunks("stop", """{"content":"\udf0d"}""", """{"content":"\ud83c"}""") },
        { "half a surrogate pair", Chunks("stop", """{"content":"\ud83c"}""") },
        { "a failure as a reason", Chunks("network_error", """{"content":"a"}""") },
        { "a line without an end", "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" + new string('a', 17 << 20) },
    };

    [Theory]
    [MemberData(nameof(Streams))]
    public async Task A_stream_is_told_in_the_order_of_the_house(string what, string[] deltas, string finish, string line, FinishReason reason)
    {
        Assert.NotEmpty(what);
        string stream = Chunks(finish, deltas);
        await using FakeUpstream upstream = FakeUpstream.Stream(stream);
        Told told = await AskAsync(upstream, Ask());
        Assert.Equal((line, reason), (told.Line, told.Finish));
        Assert.Equal(new ChatUsage(12, 5, 7, 2), told.Answer!.Usage);
        Assert.Null(told.Answer.Error);

        // The same with other line ends, comments, names, and cut at every byte.
        string other = ": hello\r\n\r\n" + stream.Replace("data: ", "event: x\r\nid: 7\r\nretry: 1\r\ndata:", StringComparison.Ordinal).Replace("\n\n", "\r\n\r\n", StringComparison.Ordinal);
        await using FakeUpstream slow = FakeUpstream.Start(async exchange =>
        {
            await exchange.BeginStreamAsync();
            foreach (byte one in Encoding.UTF8.GetBytes(other))
                await exchange.WriteAsync(new[] { one });
            await exchange.EndAsync();
        });
        Assert.Equal(line, (await AskAsync(slow, Ask())).Line);
    }

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task A_broken_stream_is_the_backends_fault(string what, string stream)
    {
        LogLines log = new();
        await using FakeUpstream upstream = FakeUpstream.Stream(stream);
        Told told = await AskAsync(upstream, Ask(), log: log);
        Assert.True(told.Finish == FinishReason.BackendFault, what);
        Assert.Equal(BusinessCode.Network, told.Answer!.Error!.Code);
        Assert.Equal("The model glm-4.7 cannot answer now: the answer was cut off, because the service behind it failed. Please try again later.", told.Answer.Error.Message);
        Assert.Contains(log.Lines, static line => line.Id == 6103);
    }

    [Fact]
    public async Task A_connection_that_breaks_is_the_backends_fault_and_what_came_is_told()
    {
        // What has not been read when a connection is reset is lost.
        var read = new TaskCompletionSource();
        await using FakeUpstream upstream = FakeUpstream.Start(async exchange =>
        {
            await exchange.BeginStreamAsync();
            await exchange.WriteAsync("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"abcdefgh\"}}]}\n\n");
            await read.Task;
            exchange.Abort();
        });
        Told told = await AskAsync(upstream, Ask("12345678"), onEvent: () => read.TrySetResult());
        Assert.Equal(("C:abcdefgh", FinishReason.BackendFault), (told.Line, told.Finish));

        // Nobody counted: four bytes are a token, and four tokens stand around a message.
        Assert.Equal(new ChatUsage(6, 0, 2, 0), told.Answer!.Usage);
    }

    [Fact]
    public async Task An_answer_that_nobody_counted_is_estimated_and_the_log_says_so()
    {
        LogLines log = new();
        string stream = Chunks("stop", """{"reasoning_content":"abcd"}""", """{"content":"abcdefgh"}""");
        stream = stream[..stream.IndexOf("data: {\"choices\":[],", StringComparison.Ordinal)] + "data: [DONE]\n\n";
        await using FakeUpstream upstream = FakeUpstream.Stream(stream);
        Told told = await AskAsync(upstream, Ask("12345678"), log: log);
        Assert.Equal((FinishReason.Stop, new ChatUsage(6, 0, 3, 1)), (told.Finish, told.Answer!.Usage));
        Assert.Contains(log.Lines, static line => line.Id == 6104);
    }

    [Fact]
    public async Task An_end_without_an_empty_line_and_a_reason_said_again_are_fine()
    {
        string stream = Chunks("stop", """{"content":"a"}""").Replace("\"choices\":[],\"usage\"", "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"\"},\"finish_reason\":\"stop\"}],\"usage\"", StringComparison.Ordinal).TrimEnd();
        await using FakeUpstream upstream = FakeUpstream.Stream(stream);
        Told told = await AskAsync(upstream, Ask());
        Assert.Equal(("C:a", FinishReason.Stop, 12), (told.Line, told.Finish, told.Answer!.Usage.PromptTokens));
    }

    /// <summary>The platform's stream as its specification shows it.</summary>
    [Fact]
    public async Task The_platforms_own_stream_is_read()
    {
        const string Stream = """
            data: {"id":"8655897009087545746","created":1749187238,"model":"glm-5.1","choices":[{"index":0,"delta":{"role":"assistant","reasoning_content":"Let me"}}]}

            data: {"id":"8655897009087545746","created":1749187238,"model":"glm-5.1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"}}]}

            data: {"id":"8655897009087545746","created":1749187238,"model":"glm-5.1","choices":[{"index":0,"finish_reason":"stop","delta":{"role":"assistant","content":""}}],"usage":{"prompt_tokens":8,"completion_tokens":262,"total_tokens":270,"prompt_tokens_details":{"cached_tokens":0}}}

            data: [DONE]


            """;
        await using FakeUpstream upstream = FakeUpstream.Stream(Stream);
        Told told = await AskAsync(upstream, Ask(), Glimmer.Inference.Backends.BackendKind.Zai);

        // The reasoning is not counted by itself: 6 of 11 bytes.
        Assert.Equal(("R:Let me C:Hello", FinishReason.Stop, new ChatUsage(8, 0, 262, 142)), (told.Line, told.Finish, told.Answer!.Usage));
    }

    [Fact]
    public async Task A_failure_that_the_platform_tells_with_its_usage_has_that_usage()
    {
        await using FakeUpstream upstream = FakeUpstream.Stream("data: {\"choices\":[{\"index\":0,\"finish_reason\":\"network_error\",\"delta\":{\"content\":\"a\"}}],\"usage\":{\"prompt_tokens\":8,\"completion_tokens\":3}}\n\ndata: [DONE]\n\n");
        Told told = await AskAsync(upstream, Ask());
        Assert.Equal(("C:a", FinishReason.BackendFault, new ChatUsage(8, 0, 3, 0)), (told.Line, told.Finish, told.Answer!.Usage));
    }

    [Fact]
    public async Task One_call_is_all_where_one_was_asked_for()
    {
        await using FakeUpstream upstream = FakeUpstream.Stream(Chunks("tool_calls", """{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{}"}},{"index":1,"id":"b","function":{"name":"g","arguments":"{}"}}]}"""));
        Told told = await AskAsync(upstream, Ask() with { ParallelToolCalls = false });
        Assert.Equal(("0<f 0:{} 0>", FinishReason.ToolCalls), (told.Line, told.Finish));
    }

    [Fact]
    public async Task Probabilities_come_with_their_tokens()
    {
        const string Chunk = """{"choices":[{"index":0,"delta":{"content":"ä"},"logprobs":{"content":[{"token":"\ufffd","logprob":-0.5,"bytes":[195],"top_logprobs":[{"token":"b","logprob":-1,"bytes":null}]},{"token":"x","logprob":-9999,"bytes":[164],"top_logprobs":[]}]}}]}""";
        await using FakeUpstream upstream = FakeUpstream.Stream($"data: {Chunk}\n\n" + Chunks("stop"));
        Told told = await AskAsync(upstream, Ask() with { TopLogProbs = 1 });
        IReadOnlyList<SaidToken> tokens = told.Message.Tokens!;
        Assert.Equal("ä", Encoding.UTF8.GetString([.. tokens[0].Bytes.Span, .. tokens[1].Bytes.Span]));
        Assert.Equal((-0.5f, "b", -1f), (tokens[0].LogProb, Encoding.UTF8.GetString(tokens[0].Top[0].Bytes.Span), tokens[0].Top[0].LogProb));
        Assert.Null((await AskAsync(upstream, Ask())).Message.Tokens);
    }

    [Fact]
    public async Task A_stop_text_is_named_where_the_service_names_it()
    {
        await using FakeUpstream upstream = FakeUpstream.Stream(Chunks("stop", """{"content":"a"}""").Replace("\"finish_reason\":\"stop\"", "\"stop_reason\":\"END\",\"finish_reason\":\"stop\"", StringComparison.Ordinal));
        Assert.Equal("END", (await AskAsync(upstream, Ask() with { Stop = ["END"] })).Answer!.StopText);
        Assert.Null((await AskAsync(upstream, Ask())).Answer!.StopText);
    }

    [Theory]
    [InlineData("""{"error":{"code":"1301","message":"unsafe"}}""", BusinessCode.ContentUnsafe, "unsafe")]
    [InlineData("""{"error":{"code":"1305","message":"busy"}}""", BusinessCode.Overloaded, "The model glm-4.7 is overloaded. Please try again later.")]
    [InlineData("""{"error":{"message":"boom","type":"server_error"}}""", BusinessCode.Network, "The model glm-4.7 cannot answer now: the service behind it failed. Please try again later.")]
    [InlineData("""{"object":"error","message":"bad","type":"BadRequestError","code":400}""", BusinessCode.CallIncorrect, "bad")]
    [InlineData("""{"error":{"code":429,"message":"slow"}}""", BusinessCode.Overloaded, "The model glm-4.7 is overloaded. Please try again later.")]
    public async Task An_error_in_the_middle_is_told(string error, BusinessCode code, string message)
    {
        await using FakeUpstream upstream = FakeUpstream.Stream("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\ndata: " + error + "\n\n");
        Told told = await AskAsync(upstream, Ask());
        Assert.Equal(("C:a", FinishReason.BackendFault), (told.Line, told.Finish));
        Assert.Equal((code, message), (told.Answer!.Error!.Code, told.Answer.Error.Message));
    }
}
