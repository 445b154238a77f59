using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Chat;

public sealed class ChatMeaningTests : IAsyncLifetime
{
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Fact]
    public async Task A_plain_answer_has_the_shape_of_the_specification()
    {
        _harness.Backend.Script = _ => new ChatScript(
        [
            new(ChatEventKind.Reasoning, "th"), new(ChatEventKind.Reasoning, "ink"), new(ChatEventKind.Content, "a"), new(ChatEventKind.Content, "b"),
            new(ChatEventKind.ToolCallStart, "get_weather", 0), new(ChatEventKind.ToolCallArguments, "{\"city\":", 0),
            new(ChatEventKind.ToolCallArguments, "\"Beijing\"}", 0), new(ChatEventKind.ToolCallEnd, "", 0),
        ], FinishReason.ToolCalls);
        JsonElement answer = await _harness.ChatAsync("""{"model":"GLM-4.7","request_id":123456,"messages":[{"role":"user","content":"hi"}]}""");
        Assert.Equal(["id", "request_id", "created", "model", "object", "choices", "usage"], answer.EnumerateObject().Select(member => member.Name));
        Assert.Equal("123456", answer.GetProperty("request_id").GetString());
        Assert.Equal("glm-4.7", answer.GetProperty("model").GetString());
        Assert.Equal(JsonValueKind.Number, answer.GetProperty("created").ValueKind);
        JsonElement choice = answer.GetProperty("choices")[0];
        Assert.Equal("tool_calls", choice.GetProperty("finish_reason").GetString());
        JsonElement message = choice.GetProperty("message");
        Assert.Equal(("assistant", "ab", "think"), (message.GetProperty("role").GetString(), message.GetProperty("content").GetString(), message.GetProperty("reasoning_content").GetString()));
        JsonElement call = message.GetProperty("tool_calls")[0];
        Assert.StartsWith("call_", call.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, call.GetProperty("index").GetInt32());
        Assert.Equal("{\"city\":\"Beijing\"}", call.GetProperty("function").GetProperty("arguments").GetString());
        Assert.Equal(
            """{"prompt_tokens":107,"completion_tokens":34,"total_tokens":141,"prompt_tokens_details":{"cached_tokens":100},"completion_tokens_details":{"reasoning_tokens":12}}""",
            answer.GetProperty("usage").GetRawText());
    }

    [Fact]
    public async Task A_call_that_was_none_is_content_and_never_a_broken_call()
    {
        _harness.Backend.Script = _ => new ChatScript(
        [
            new(ChatEventKind.ToolCallStart, "get_weather", 0), new(ChatEventKind.ToolCallArguments, "{\"city\":\"Bei", 0),
            new(ChatEventKind.ToolCallAbandoned, "", 0), new(ChatEventKind.Content, "<tool_call>get_weather<arg_key>city"),
        ], FinishReason.Length);
        JsonElement message = (await _harness.ChatAsync(Body("glm-4.7"))).GetProperty("choices")[0].GetProperty("message");
        Assert.False(message.TryGetProperty("tool_calls", out _));
        Assert.Equal("<tool_call>get_weather<arg_key>city", message.GetProperty("content").GetString());
        List<JsonElement> chunks = await _harness.StreamAsync(Body("glm-4.7", ",\"stream\":true"));
        Assert.DoesNotContain(chunks, chunk => chunk.GetProperty("choices")[0].GetProperty("delta").TryGetProperty("tool_calls", out _));
    }

    [Fact]
    public async Task Reasoning_that_was_the_answer_is_shown_once_in_a_plain_answer()
    {
        _harness.Backend.Script = _ => new ChatScript(
        [
            new(ChatEventKind.Reasoning, "It is "), new(ChatEventKind.Reasoning, "four."),
            new(ChatEventKind.ReasoningWasAnswer, ""), new(ChatEventKind.Content, "It is four."),
        ], FinishReason.Stop);
        JsonElement message = (await _harness.ChatAsync(Body("glm-4.7"))).GetProperty("choices")[0].GetProperty("message");
        Assert.False(message.TryGetProperty("reasoning_content", out _));
        Assert.Equal("It is four.", message.GetProperty("content").GetString());
    }

    [Theory]
    [InlineData(FinishReason.Stop, "stop")]
    [InlineData(FinishReason.Length, "length")]
    [InlineData(FinishReason.ToolCalls, "tool_calls")]
    [InlineData(FinishReason.ContextWindow, "model_context_window_exceeded")]
    [InlineData(FinishReason.Sensitive, "sensitive")]
    public async Task Finish_reasons_have_the_words_of_the_platform(FinishReason reason, string word)
    {
        _harness.Backend.Script = _ => ChatScript.Of("x") with { Finish = reason };
        Assert.Equal(word, (await _harness.ChatAsync(Body("glm-4.7"))).GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(word, (await _harness.StreamAsync(Body("glm-4.7", ",\"stream\":true")))[^1].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
    }

    [Fact]
    public async Task A_fault_is_an_error_before_the_first_byte_and_a_finish_reason_after()
    {
        _harness.Backend.Script = _ => ChatScript.Of("a", "b") with { FaultAt = 0 };
        using (HttpResponseMessage response = await _harness.PostAsync(Body("glm-4.7", ",\"stream\":true")))
        {
            Assert.Equal(500, (int)response.StatusCode);
            Assert.Contains("\"1234\"", await response.Content.ReadAsStringAsync());
        }

        _harness.Backend.Script = _ => ChatScript.Of("a", "b") with { FaultAt = 1 };
        List<JsonElement> chunks = await _harness.StreamAsync(Body("glm-4.7", ",\"stream\":true"));
        Assert.Equal(2, chunks.Count);
        Assert.Equal("network_error", chunks[^1].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        using (HttpResponseMessage response = await _harness.PostAsync(Body("glm-4.7")))
            Assert.Equal(500, (int)response.StatusCode);

        _harness.Backend.Script = _ => ChatScript.Of("a") with { Finish = FinishReason.BackendFault };
        chunks = await _harness.StreamAsync(Body("glm-4.7", ",\"stream\":true"));
        Assert.Equal("network_error", chunks[^1].GetProperty("choices")[0].GetProperty("finish_reason").GetString());

        _harness.Backend.Script = _ => ChatScript.Of("a") with { StartFault = new InvalidOperationException("x") };
        using (HttpResponseMessage response = await _harness.PostAsync(Body("glm-4.7")))
            Assert.Equal(500, (int)response.StatusCode);
    }

    [Fact]
    public async Task An_error_of_the_backend_keeps_its_code_and_status()
    {
        _harness.Backend.Script = _ => ChatScript.Of() with { Error = Protocol.Errors.PlatformError.Of(Protocol.Errors.BusinessCode.PromptTooLong) };
        foreach (string stream in new[] { "", ",\"stream\":true" })
        {
            using HttpResponseMessage response = await _harness.PostAsync(Body("glm-4.7", stream));
            Assert.Equal(400, (int)response.StatusCode);
            Assert.Equal("""{"error":{"code":"1261","message":"The prompt exceeds the maximum length"}}""", await response.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task Tool_arguments_come_whole_unless_streamed_on_a_model_that_can()
    {
        _harness.Backend.Script = _ => new ChatScript(
        [
            new(ChatEventKind.ToolCallStart, "f", 0), new(ChatEventKind.ToolCallArguments, "{\"a\"", 0), new(ChatEventKind.ToolCallArguments, ":1}", 0), new(ChatEventKind.ToolCallEnd, "", 0),
            new(ChatEventKind.ToolCallStart, "g", 1), new(ChatEventKind.ToolCallArguments, "{}", 1), new(ChatEventKind.ToolCallEnd, "", 1),
        ], FinishReason.ToolCalls);
        List<JsonElement> whole = await _harness.StreamAsync(Body("glm-4.7", ",\"stream\":true"));
        Assert.Equal(3, whole.Count);
        JsonElement call = Delta(whole[0]).GetProperty("tool_calls")[0];
        Assert.Equal("{\"a\":1}", call.GetProperty("function").GetProperty("arguments").GetString());
        Assert.Equal(1, Delta(whole[1]).GetProperty("tool_calls")[0].GetProperty("index").GetInt32());

        List<JsonElement> pieces = await _harness.StreamAsync(Body("glm-4.7", ",\"stream\":true,\"tool_stream\":\"true\""));
        Assert.Equal(6, pieces.Count);
        call = Delta(pieces[0]).GetProperty("tool_calls")[0];
        Assert.Equal(("f", "", "function"), (call.GetProperty("function").GetProperty("name").GetString(), call.GetProperty("function").GetProperty("arguments").GetString(), call.GetProperty("type").GetString()));
        call = Delta(pieces[1]).GetProperty("tool_calls")[0];
        Assert.False(call.TryGetProperty("id", out _));
        Assert.Equal(0, call.GetProperty("index").GetInt32());

        // GLM-4.5 does not stream arguments: the switch is ignored.
        Assert.Equal(3, (await _harness.StreamAsync(Body("glm-4.5", ",\"stream\":true,\"tool_stream\":true"))).Count);
    }

    [Fact]
    public async Task Disabled_thinking_shows_no_reasoning()
    {
        _harness.Backend.Script = _ => new ChatScript([new(ChatEventKind.Reasoning, "r"), new(ChatEventKind.Content, "c")]);
        JsonElement message = (await _harness.ChatAsync(Body("glm-4.7", ",\"thinking\":{\"type\":\"disabled\"}"))).GetProperty("choices")[0].GetProperty("message");
        Assert.False(message.TryGetProperty("reasoning_content", out _));
        Assert.Equal(2, (await _harness.StreamAsync(Body("glm-4.7", ",\"stream\":true,\"thinking\":{\"type\":\"disabled\"}"))).Count);
    }

    [Fact]
    public async Task A_stream_means_what_the_plain_answer_means()
    {
        var random = new Random(11);
        for (int round = 0; round < 60; round++)
        {
            ChatScript script = RandomScript(random);
            _harness.Backend.Script = _ => script;
            string plain = Meaning((await _harness.ChatAsync(Body("glm-4.7"))).GetProperty("choices")[0], "message");
            foreach (string toolStream in new[] { "false", "true" })
            {
                string streamed = Gather(await _harness.StreamAsync(Body("glm-4.7", $",\"stream\":true,\"tool_stream\":{toolStream}")));
                Assert.Equal(plain, streamed);
            }
        }
    }

    private static ChatScript RandomScript(Random random)
    {
        string[] words = ["a", " b", "\n", "中", "😀", "\"", "\\", "\u2028", "{", "data: ", ""];
        string Word() => words[random.Next(words.Length)];
        var events = new List<ChatEvent>();
        for (int i = random.Next(6); i > 0; i--)
            events.Add(new(ChatEventKind.Reasoning, Word()));
        for (int i = random.Next(30); i > 0; i--)
            events.Add(new(ChatEventKind.Content, Word()));
        int calls = random.Next(4);
        for (int call = 0; call < calls; call++)
        {
            events.Add(new(ChatEventKind.ToolCallStart, $"f{call}", call));
            for (int i = random.Next(5); i > 0; i--)
                events.Add(new(ChatEventKind.ToolCallArguments, Word(), call));

            // A call that the token limit cut off has no end.
            if (call < calls - 1 || random.Next(3) > 0)
                events.Add(new(ChatEventKind.ToolCallEnd, "", call));
        }

        return new ChatScript(events, calls > 0 ? FinishReason.ToolCalls : FinishReason.Length) { Yield = random.Next(2) == 0 };
    }

    private static string Meaning(JsonElement choice, string name)
    {
        JsonElement message = choice.GetProperty(name);
        IEnumerable<string> calls = message.TryGetProperty("tool_calls", out JsonElement list)
            ? list.EnumerateArray().Select(call => $"{call.GetProperty("index").GetInt32()}:{call.GetProperty("function").GetProperty("name").GetString()}:{call.GetProperty("function").GetProperty("arguments").GetString()}")
            : [];
        string reasoning = message.TryGetProperty("reasoning_content", out JsonElement text) ? text.GetString()! : "";
        return $"{reasoning}|{message.GetProperty("content").GetString()}|{string.Join(';', calls)}|{choice.GetProperty("finish_reason").GetString()}";
    }

    private static string Gather(List<JsonElement> chunks)
    {
        var content = new StringBuilder();
        var reasoning = new StringBuilder();
        var calls = new SortedDictionary<int, StringBuilder>();
        foreach (JsonElement chunk in chunks)
        {
            JsonElement delta = Delta(chunk);
            if (delta.TryGetProperty("content", out JsonElement text))
                content.Append(text.GetString());
            if (delta.TryGetProperty("reasoning_content", out text))
                reasoning.Append(text.GetString());
            if (!delta.TryGetProperty("tool_calls", out JsonElement list))
                continue;
            JsonElement call = list[0];
            int index = call.GetProperty("index").GetInt32();
            if (!calls.TryGetValue(index, out StringBuilder? builder))
                calls[index] = builder = new StringBuilder($"{index}:{call.GetProperty("function").GetProperty("name").GetString()}:");
            builder.Append(call.GetProperty("function").GetProperty("arguments").GetString());
        }

        return $"{reasoning}|{content}|{string.Join(';', calls.Values)}|{chunks[^1].GetProperty("choices")[0].GetProperty("finish_reason").GetString()}";
    }

    private static JsonElement Delta(JsonElement chunk) => chunk.GetProperty("choices")[0].GetProperty("delta");

    private static string Body(string model, string more = "") => $$"""{"model":"{{model}}","messages":[{"role":"user","content":"hi"}]{{more}}}""";
}
