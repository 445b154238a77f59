using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Sse;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;

namespace Glimmer.Server.Tests.Responses;

public sealed class ResponsesTests : IAsyncLifetime
{
    private const string Path = "/v1/responses";
    private const string Tools = """[{"type":"function","name":"read","parameters":{"type":"object"},"strict":false},{"type":"web_search"},{"type":"namespace","name":"team","tools":[{"type":"function","name":"spawn","description":"d","parameters":{"type":"object"}}]}]""";

    private static readonly ChatScript Everything = new(
    [
        new(ChatEventKind.Reasoning, "th"), new(ChatEventKind.Reasoning, "ink"), new(ChatEventKind.Content, "Hel"), new(ChatEventKind.Content, "lo"),
        new(ChatEventKind.ToolCallStart, "read", 0), new(ChatEventKind.ToolCallArguments, "{\"a\":", 0), new(ChatEventKind.ToolCallArguments, "1}", 0),
        new(ChatEventKind.ToolCallEnd, "", 0), new(ChatEventKind.ToolCallStart, "team__spawn", 1), new(ChatEventKind.ToolCallArguments, "{}", 1), new(ChatEventKind.ToolCallEnd, "", 1),
    ], FinishReason.ToolCalls);

    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData("", "response.content_part.added response.reasoning_text.delta response.reasoning_text.delta response.reasoning_text.done response.content_part.done")]
    [InlineData(",\"reasoning\":{\"effort\":\"high\",\"summary\":\"auto\"}", "response.reasoning_summary_part.added response.reasoning_summary_text.delta response.reasoning_summary_text.delta response.reasoning_summary_text.done response.reasoning_summary_part.done")]
    public async Task A_stream_has_every_event_in_order_and_ends_with_what_a_plain_answer_says(string reasoning, string reasoningEvents)
    {
        _harness.Backend.Script = _ => Everything;
        List<JsonElement> events = await StreamAsync(Body($"\"stream\":true,\"tools\":{Tools}{reasoning}"));
        Assert.Equal(
            $"response.created response.in_progress response.output_item.added {reasoningEvents} response.output_item.done " +
            "response.output_item.added response.content_part.added response.output_text.delta response.output_text.delta response.output_text.done response.content_part.done response.output_item.done " +
            "response.output_item.added response.function_call_arguments.delta response.function_call_arguments.delta response.function_call_arguments.done response.output_item.done " +
            "response.output_item.added response.function_call_arguments.delta response.function_call_arguments.done response.output_item.done response.completed",
            string.Join(' ', events.Select(item => item.GetProperty("type").GetString())));
        Assert.Equal(Enumerable.Range(0, events.Count), events.Select(item => item.GetProperty("sequence_number").GetInt32()));

        // Every item keeps its id and its place, and is at its end what the whole response holds.
        JsonElement final = events[^1].GetProperty("response");
        JsonElement[] done = [.. events.Where(item => item.GetProperty("type").GetString() == "response.output_item.done")];
        Assert.Equal(final.GetProperty("output").EnumerateArray().Select(item => item.GetRawText()), done.Select(item => item.GetProperty("item").GetRawText()));
        Assert.Equal([0, 1, 2, 3], done.Select(item => item.GetProperty("output_index").GetInt32()));
        foreach (JsonElement item in events.Where(item => item.TryGetProperty("item_id", out _)))
            Assert.Equal(done[item.GetProperty("output_index").GetInt32()].GetProperty("item").GetProperty("id").GetString(), item.GetProperty("item_id").GetString());

        JsonElement whole = await _harness.ChatAsync(Body($"\"tools\":{Tools}{reasoning}"), Path);
        Assert.Equal(Meaning(whole), Meaning(final));
        Assert.Equal("completed", whole.GetProperty("status").GetString());
        Assert.Equal("""{"input_tokens":107,"input_tokens_details":{"cached_tokens":100,"cache_write_tokens":0},"output_tokens":34,"output_tokens_details":{"reasoning_tokens":12},"total_tokens":141}""", whole.GetProperty("usage").GetRawText());
        Assert.Equal(("spawn", "team"), (whole.GetProperty("output")[3].GetProperty("name").GetString(), whole.GetProperty("output")[3].GetProperty("namespace").GetString()));
    }

    [Theory]
    [InlineData(FinishReason.Length, "incomplete", "max_output_tokens")]
    [InlineData(FinishReason.ContextWindow, "incomplete", "max_output_tokens")]
    [InlineData(FinishReason.Sensitive, "incomplete", "content_filter")]
    [InlineData(FinishReason.Stop, "completed", null)]
    public async Task Ends_have_their_status(FinishReason finish, string status, string? reason)
    {
        _harness.Backend.Script = _ => ChatScript.Of("x") with { Finish = finish };
        JsonElement whole = await _harness.ChatAsync(Body(""), Path);
        JsonElement streamed = (await StreamAsync(Body("\"stream\":true")))[^1];
        Assert.Equal($"response.{status}", streamed.GetProperty("type").GetString());
        foreach (JsonElement response in new[] { whole, streamed.GetProperty("response") })
        {
            Assert.Equal(status, response.GetProperty("status").GetString());
            Assert.Equal(reason, response.GetProperty("incomplete_details") is { ValueKind: JsonValueKind.Object } details ? details.GetProperty("reason").GetString() : null);
            Assert.Equal(status, response.GetProperty("output")[0].GetProperty("status").GetString());
        }
    }

    [Fact]
    public async Task A_fault_in_the_middle_is_a_failed_response()
    {
        _harness.Backend.Script = _ => ChatScript.Of("a", "b") with { FaultAt = 1, Yield = true };
        JsonElement last = (await StreamAsync(Body("\"stream\":true")))[^1];
        Assert.Equal("response.failed", last.GetProperty("type").GetString());
        Assert.Equal("server_error", last.GetProperty("response").GetProperty("error").GetProperty("code").GetString());
        Assert.DoesNotContain(ScriptedBackend.CanaryText, last.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Everything_a_request_says_reaches_the_model()
    {
        await _harness.ChatAsync(
            $$$"""
            {"model":"glm-4.7","instructions":"Be brief","max_output_tokens":77,"temperature":1.5,"top_p":0.5,"parallel_tool_calls":false,"tools":{{{Tools}}},"tool_choice":{"type":"function","name":"read"},
             "text":{"format":{"type":"json_schema","name":"a","strict":true,"schema":{"type":"object"} } },"reasoning":{"effort":"high"},"metadata":{"k":"v"},"include":[],"prompt_cache_key":"p","client_metadata":{"x":"y"},
             "input":[{"role":"developer","content":"dev"},{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":"b"}]},
              {"type":"reasoning","id":"rs_1","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},
              {"type":"message","role":"assistant","content":[{"type":"output_text","text":"calling","annotations":[]}]},
              {"type":"function_call","call_id":"c1","name":"read","arguments":"{\"p\":1}"},{"type":"function_call","call_id":"c2","name":"spawn","namespace":"team","arguments":""},
              {"type":"function_call_output","call_id":"c1","output":"one"},{"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"two"}]},
              {"role":"user","content":"go on"}]}
            """, Path);
        ChatRequest request = _harness.Backend.LastRequest!;
        Assert.Equal((77, 1.5f, 0.5f, false), (request.MaxTokens, request.Sampling.Temperature, request.Sampling.TopP, request.ParallelToolCalls));
        Assert.Equal((AnswerFormatKind.JsonSchema, true), (request.Format.Kind, request.Format.Strict));
        Assert.Equal(new ToolChoice(ToolChoiceMode.Named, "read"), request.ToolChoice);
        Assert.Equal(["read", "team__spawn"], request.Conversation.Tools.Select(tool => tool.Name));
        Assert.Equal("""{"type":"function","function":{"name":"team__spawn","description":"d","parameters":{"type":"object"}}}""", request.Conversation.Tools[1].Json.GetRawText());
        Assert.False(request.Conversation.Options.ClearThinking);
        IReadOnlyList<ChatMessage> messages = request.Conversation.Messages;
        Assert.Equal(
            ["System:Be brief", "System:dev", "User:ab", "Assistant:calling", "Tool:one", "Tool:two", "User:go on"],
            messages.Select(message => $"{message.Role}:{string.Concat(message.Content.Cast<TextPart>().Select(part => part.Text))}"));
        Assert.Equal("hm", messages[3].ReasoningContent);
        Assert.Equal([("c1", "read", "{\"p\":1}"), ("c2", "team__spawn", "{}")], messages[3].ToolCalls.Select(call => (call.Id, call.Name, call.Arguments)));
    }

    [Fact]
    public async Task Sealed_reasoning_comes_back_as_reasoning_and_foreign_one_counts_for_nothing()
    {
        _harness.Backend.Script = _ => new([new(ChatEventKind.Reasoning, "secret thought"), new(ChatEventKind.Content, "x")]);
        JsonElement first = await _harness.ChatAsync(Body("\"store\":false,\"include\":[\"reasoning.encrypted_content\"]"), Path);
        JsonElement item = first.GetProperty("output")[0];
        string box = item.GetProperty("encrypted_content").GetString()!;
        Assert.DoesNotContain("secret", box, StringComparison.Ordinal);
        foreach ((string sent, string? seen) in new[] { (box, "secret thought"), (box[..^6] + "AAAAA=", null), ("gAAAAfromElsewhere", null), ("glimmer1.", null) })
        {
            await _harness.ChatAsync($$"""{"model":"glm-4.7","store":false,"input":[{"role":"user","content":"q"},{"type":"reasoning","summary":[],"encrypted_content":"{{sent}}"},{"role":"assistant","content":"x"},{"role":"user","content":"more"}]}""", Path);
            Assert.Equal(seen, _harness.Backend.LastRequest!.Conversation.Messages[1].ReasoningContent);
        }
    }

    [Theory]
    [InlineData("{}", "model")]
    [InlineData("{\"model\":\"glm-4.7\"}", "input")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":[]}", "input")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":5}", "input")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":[\"x\"]}", "input[0]")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":[{\"role\":\"robot\",\"content\":\"x\"}]}", "input[0].role")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":[{\"role\":\"user\"}]}", "input[0].content")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":[{\"role\":\"user\",\"content\":[{\"type\":\"hologram\"}]}]}", "input[0].content[0].type")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":[{\"role\":\"user\",\"content\":\"x\"},{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"x\"}]}", "input[1].call_id")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":[{\"type\":\"function_call\",\"call_id\":\"c\",\"name\":\"f\",\"arguments\":\"[1]\"}]}", "input[0].arguments")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":[{\"type\":\"web_search_call\"}]}", "input[0].type")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":[{\"role\":\"assistant\",\"content\":\"x\"}]}", "input")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"tools\":[{\"type\":\"custom\",\"name\":\"x y\"}]}", "tools[0].name")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"tools\":[{\"type\":\"custom\",\"name\":\"x\",\"format\":{\"type\":\"grammar\",\"syntax\":\"lark\",\"definition\":\"start: A\"}}]}", "tools[0].format.syntax")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"include\":[\"everything\"]}", "include")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"reasoning\":{\"mode\":\"pro\"}}", "reasoning.mode")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"reasoning\":{\"context\":\"most\"}}", "reasoning.context")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":[{\"type\":\"compaction\",\"encrypted_content\":\"x\"}]}", "input[0].type")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":[{\"type\":\"custom_tool_call\",\"call_id\":\"c\",\"name\":\"f\"}]}", "input[0].input")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"tools\":[{\"type\":\"file_search\"}]}", "tools[0].type")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"tools\":[{\"type\":\"function\",\"name\":\"a b\"}]}", "tools[0].name")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"tool_choice\":\"required\"}", "tool_choice")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"tool_choice\":{\"type\":\"web_search\"}}", "tool_choice.type")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"truncation\":\"middle\"}", "truncation")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"prompt\":{\"id\":\"p\"}}", "prompt")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"background\":true,\"store\":false}", "store")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"text\":{\"format\":{\"type\":\"xml\"}}}", "text.format.type")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"reasoning\":{\"effort\":\"lots\"}}", "reasoning.effort")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"previous_response_id\":\"a\",\"conversation\":\"b\"}", "conversation")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"max_output_tokens\":0}", "max_output_tokens")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":\"x\",\"moderation\":{\"model\":\"y\"}}", "moderation")]
    [InlineData("{\"model\":\"glm-4.7\",\"input\":[{\"type\":\"item_reference\"}]}", "input[0].id")]
    public async Task A_wrong_field_is_named(string body, string param)
    {
        using HttpResponseMessage response = await _harness.PostAsync(body, Path);
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.GetProperty("error");
        Assert.Equal((400, param), ((int)response.StatusCode, error.GetProperty("param").GetString()));
        Assert.Equal(0, _harness.Backend.Requests);
    }

    [Theory]
    [InlineData("", "null")]
    [InlineData("\"max_output_tokens\":77", "77")]
    public async Task A_limit_is_told_where_one_was_sent(string field, string told) =>
        Assert.Equal(told, (await _harness.ChatAsync(Body(field), Path)).GetProperty("max_output_tokens").GetRawText());

    [Fact]
    public async Task A_prompt_is_counted_as_it_would_be_read()
    {
        _harness.Backend.Count = static request => request.Conversation.Messages.Count * 10;
        string earlier = (await _harness.ChatAsync(Body(""), Path)).GetProperty("id").GetString()!;
        Assert.Equal("""{"object":"response.input_tokens","input_tokens":10}""", (await _harness.ChatAsync(Body(""), Path + "/input_tokens")).GetRawText());
        JsonElement longer = await _harness.ChatAsync(Body($"\"instructions\":\"Be brief\",\"previous_response_id\":\"{earlier}\""), Path + "/input_tokens");
        Assert.Equal(40, longer.GetProperty("input_tokens").GetInt32());
        Assert.Equal(1, _harness.Backend.Requests);

        using HttpResponseMessage wrong = await _harness.PostAsync("""{"model":"glm-4.7"}""", Path + "/input_tokens");
        Assert.Equal(400, (int)wrong.StatusCode);
        using HttpResponseMessage compact = await _harness.PostAsync(Body(""), Path + "/compact");
        Assert.Equal(404, (int)compact.StatusCode);
        Assert.Equal("invalid_request_error", JsonDocument.Parse(await compact.Content.ReadAsStringAsync(TestContext.Current.CancellationToken)).RootElement.GetProperty("error").GetProperty("type").GetString());
    }

    [Fact]
    public async Task A_search_that_is_offered_is_left_out_and_told()
    {
        using HttpResponseMessage response = await _harness.PostAsync(Body($"\"tools\":{Tools}"), Path);
        Assert.Equal("web_search", Assert.Single(response.Headers.GetValues("X-Glimmer-Tools-Left-Out")));
    }

    [Fact]
    public async Task A_client_that_leaves_at_any_event_ends_the_generation()
    {
        _harness.Backend.Script = _ => Everything with { HangAtEnd = true, Yield = true };
        await Task.WhenAll(new[] { 0, 3, 9, 20, 40 }.Select(LeaveAsync));
        await ServerHarness.UntilAsync(() => _harness.Backend.Active == 0);

        async Task LeaveAsync(int after)
        {
            using HttpResponseMessage response = await _harness.PostAsync(Body("\"stream\":true"), Path, HttpCompletionOption.ResponseHeadersRead);
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken));
            for (int i = 0; i < after; i++)
                await reader.ReadLineAsync(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task A_history_of_ten_megabytes_is_read()
    {
        string part = new('x', 10_000);
        string items = string.Join(',', Enumerable.Range(0, 500).Select(_ => $$"""{"role":"user","content":"{{part}}"},{"role":"assistant","content":"{{part}}"}"""));
        await _harness.ChatAsync($$"""{"model":"glm-4.7","input":[{{items}},{"role":"user","content":"last"}]}""", Path);
        Assert.Equal(1001, _harness.Backend.LastRequest!.Conversation.Messages.Count);
    }

    private static string Body(string field) => $$"""{"model":"glm-4.7","input":"hi"{{(field.Length > 0 ? "," : "")}}{{field}}}""";

    /// <summary>The output without what is drawn anew each time.</summary>
    private static string Meaning(JsonElement response) => string.Join('\n', response.GetProperty("output").EnumerateArray().Select(item =>
        string.Join(' ', item.EnumerateObject().Where(member => member.Name is not ("id" or "call_id")).Select(member => member.ToString()))));

    private async Task<List<JsonElement>> StreamAsync(string body)
    {
        using HttpResponseMessage response = await _harness.PostAsync(body, Path, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        var events = new List<JsonElement>();
        await foreach (SseEvent item in Eventually.EachAsync(SseReader.ReadAsync(await response.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken))))
        {
            JsonElement data = JsonDocument.Parse(item.Data).RootElement;
            Assert.Equal(item.Event, data.GetProperty("type").GetString());
            events.Add(data);
        }

        return events;
    }
}
