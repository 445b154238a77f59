using System.Text.Json;
using System.Text.RegularExpressions;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Messages;

public sealed partial class MessagesEndpointTests : IAsyncLifetime
{
    private const string Path = "/api/anthropic/v1/messages";
    private const string Tools = """[{"name":"read","description":"Reads","input_schema":{"type":"object","properties":{"path":{"type":"string"}}}},{"type":"custom","name":"list","input_schema":{"type":"object"}}]""";

    private static readonly ChatScript Everything = new(
    [
        new(ChatEventKind.Reasoning, "th"), new(ChatEventKind.Reasoning, "ink"), new(ChatEventKind.Content, "Hel"), new(ChatEventKind.Content, "lo"),
        new(ChatEventKind.ToolCallStart, "read", 0), new(ChatEventKind.ToolCallArguments, "{\"path\":", 0), new(ChatEventKind.ToolCallArguments, "\"a\"}", 0),
        new(ChatEventKind.ToolCallEnd, "", 0), new(ChatEventKind.ToolCallStart, "list", 1), new(ChatEventKind.ToolCallArguments, "{}", 1), new(ChatEventKind.ToolCallEnd, "", 1),
    ], FinishReason.ToolCalls);

    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData(Path)]
    [InlineData("/v1/messages?beta=true")]
    public async Task A_whole_message_has_blocks_in_order(string path)
    {
        _harness.Backend.Script = _ => Everything;
        JsonElement message = await _harness.ChatAsync(Body("\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}"), path);
        Assert.Equal(["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"], message.EnumerateObject().Select(member => member.Name));
        Assert.StartsWith("msg_", message.GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.Equal("glm-4.7", message.GetProperty("model").GetString());
        Assert.Equal(
            """[{"type":"thinking","thinking":"think","signature":"*"},{"type":"text","text":"Hello"},{"type":"tool_use","id":"*","name":"read","input":{"path":"a"}},{"type":"tool_use","id":"*","name":"list","input":{}}]""",
            Mask(message.GetProperty("content").GetRawText()));
        Assert.Equal("tool_use", message.GetProperty("stop_reason").GetString());
        Assert.Equal("""{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":100,"output_tokens":34}""", message.GetProperty("usage").GetRawText());
    }

    [Fact]
    public async Task A_stream_has_the_events_of_the_specification_and_says_the_same()
    {
        _harness.Backend.Script = _ => Everything;
        using HttpResponseMessage response = await _harness.PostAsync(Body("\"stream\":true,\"thinking\":{\"type\":\"adaptive\"}"), Path);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        string text = Mask(await response.Content.ReadAsStringAsync());
        Assert.Equal(
            """
            event: message_start
            data: {"type":"message_start","message":{"id":"*","type":"message","role":"assistant","model":"glm-4.7","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":100,"output_tokens":0}}}

            event: ping
            data: {"type":"ping"}

            event: content_block_start
            data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"th"}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"ink"}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"*"}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":0}

            event: content_block_start
            data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hel"}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"lo"}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":1}

            event: content_block_start
            data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"*","name":"read","input":{}}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"path\":"}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"\"a\"}"}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":2}

            event: content_block_start
            data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"*","name":"list","input":{}}}

            event: content_block_delta
            data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{}"}}

            event: content_block_stop
            data: {"type":"content_block_stop","index":3}

            event: message_delta
            data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":7,"cache_creation_input_tokens":0,"cache_read_input_tokens":100,"output_tokens":34}}

            event: message_stop
            data: {"type":"message_stop"}


            """.ReplaceLineEndings("\n"), text);
    }

    [Theory]
    [InlineData(FinishReason.Stop, null, "end_turn")]
    [InlineData(FinishReason.Stop, "END", "stop_sequence")]
    [InlineData(FinishReason.Length, null, "max_tokens")]
    [InlineData(FinishReason.Sensitive, null, "refusal")]
    [InlineData(FinishReason.ContextWindow, null, "model_context_window_exceeded")]
    public async Task Ends_have_their_words_streamed_or_not(FinishReason finish, string? stop, string word)
    {
        _harness.Backend.Script = _ => ChatScript.Of("x") with { Finish = finish, StopText = stop };
        JsonElement whole = await _harness.ChatAsync(Body("\"stop_sequences\":[\"END\"]"), Path);
        using HttpResponseMessage response = await _harness.PostAsync(Body("\"stop_sequences\":[\"END\"],\"stream\":true"), Path);
        string stream = await response.Content.ReadAsStringAsync();

        Assert.Equal((word, stop), (whole.GetProperty("stop_reason").GetString(), whole.GetProperty("stop_sequence").GetString()));
        Assert.Contains($$"""{"stop_reason":"{{word}}","stop_sequence":{{(stop is null ? "null" : $"\"{stop}\"")}}}""", stream, StringComparison.Ordinal);
        Assert.Equal(["END"], _harness.Backend.LastRequest!.Stop);
    }

    [Fact]
    public async Task A_fault_in_the_middle_is_an_error_event()
    {
        _harness.Backend.Script = _ => ChatScript.Of("a", "b") with { FaultAt = 1, Yield = true };
        using HttpResponseMessage response = await _harness.PostAsync(Body("\"stream\":true"), Path);
        string stream = await response.Content.ReadAsStringAsync();
        Assert.Contains("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\"", stream, StringComparison.Ordinal);
        Assert.DoesNotContain("message_stop", stream, StringComparison.Ordinal);
        Assert.DoesNotContain(ScriptedBackend.CanaryText, stream, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Everything_a_request_says_reaches_the_model()
    {
        await _harness.ChatAsync($$"""
            {"model":"claude-sonnet-4-5-20250929[1m]","max_tokens":77,"temperature":0.5,"top_p":0.8,"top_k":40,"system":[{"type":"text","text":"Be","cache_control":{"type":"ephemeral"} },{"type":"text","text":"brief"}],
             "tools":{{Tools}},"tool_choice":{"type":"tool","name":"list","disable_parallel_tool_use":true},"thinking":{"type":"enabled","budget_tokens":2048},"metadata":{"user_id":"u"},"output_config":{"effort":"high"},
             "messages":[{"role":"user","content":"first"},{"role":"user","content":[{"type":"text","text":"second"},{"type":"document","title":"T","source":{"type":"text","media_type":"text/plain","data":"D"} }]},
              {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"foreign"},{"type":"redacted_thinking","data":"x"},{"type":"text","text":"calling"},{"type":"tool_use","id":"t1","name":"read","input":{"path":"ä"} },{"type":"tool_use","id":"t2","name":"list","input":{} }]},
              {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"one"}]},{"type":"tool_result","tool_use_id":"t2","is_error":true,"content":"two"},{"type":"text","text":"go on"}]}]}
            """, Path);

        ChatRequest request = _harness.Backend.LastRequest!;
        Assert.Equal((77, 0.5f, 0.8f, 40, 2048), (request.MaxTokens, request.Sampling.Temperature, request.Sampling.TopP, request.Sampling.TopK, request.ThinkingBudget));
        Assert.Equal((ToolChoiceMode.Named, "list", false), (request.ToolChoice.Mode, request.ToolChoice.Name, request.ParallelToolCalls));
        Assert.Equal(new RenderOptions { EnableThinking = true, ClearThinking = false }, request.Conversation.Options with { ReasoningEffort = null });
        Assert.Equal(["read", "list"], request.Conversation.Tools.Select(tool => tool.Name));
        Assert.Equal(
            """{"type":"function","function":{"name":"read","description":"Reads","parameters":{"type":"object","properties":{"path":{"type":"string"}}}}}""",
            request.Conversation.Tools[0].Json.GetRawText());
        IReadOnlyList<ChatMessage> messages = request.Conversation.Messages;
        Assert.Equal(
            ["System:Be\nbrief", "User:firstsecondT\nD", "Assistant:calling", "Tool:one", "Tool:two", "User:go on"],
            messages.Select(message => $"{message.Role}:{string.Concat(message.Content.Cast<TextPart>().Select(part => part.Text))}"));
        Assert.Equal("hm", messages[2].ReasoningContent);
        Assert.Equal([("t1", "read", "{\"path\":\"ä\"}"), ("t2", "list", "{}")], messages[2].ToolCalls.Select(call => (call.Id, call.Name, call.Arguments)));
        Assert.Equal(["t1", "t2"], messages.Where(message => message.Role == ChatRole.Tool).Select(message => message.ToolCallId));
    }

    [Theory]
    [InlineData("claude-opus-4-1", "glm-4.7")]
    [InlineData("Claude-3-5-Haiku-latest", "glm-4.5-air")]
    [InlineData("GLM-4.6", "glm-4.6")]
    public async Task Names_of_others_stand_for_codes(string asked, string code)
    {
        JsonElement message = await _harness.ChatAsync(Body("").Replace("glm-4.7", asked, StringComparison.Ordinal), Path);
        Assert.Equal(code, message.GetProperty("model").GetString());
    }

    [Fact]
    public async Task Thinking_is_off_unless_asked_for_and_a_beginning_is_gone_on_with()
    {
        await _harness.ChatAsync("""{"model":"glm-4.7","max_tokens":5,"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"The answer is"}]}""", Path);
        RenderOptions options = _harness.Backend.LastRequest!.Conversation.Options;
        Assert.Equal((false, true), (options.EnableThinking, options.ContinueFinalMessage));
    }

    [Theory]
    [InlineData("""{"model":"glm-4.7","messages":[{"role":"user","content":"x"}]}""", "max_tokens")]
    [InlineData("""{"model":"glm-4.7","max_tokens":0,"messages":[{"role":"user","content":"x"}]}""", "max_tokens")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"messages":[]}""", "messages")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"messages":[{"role":"assistant","content":"x"}]}""", "messages")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"messages":[{"role":"tool","content":"x"}]}""", "messages[0].role")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"messages":[{"role":"user","content":5}]}""", "messages[0].content")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"messages":[{"role":"user","content":""}]}""", "messages[0].content")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"messages":[{"role":"user","content":[{"type":"video"}]}]}""", "messages[0].content[0].type")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"no","content":"x"}]}]}""", "messages[0].content[0].tool_use_id")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AAAA"}}]}]}""", "messages[0].content[0]")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"tools":[{"type":"web_search_20250305","name":"web_search"}],"messages":[{"role":"user","content":"x"}]}""", "tools[0].type")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"tools":[{"name":"a b","input_schema":{}}],"messages":[{"role":"user","content":"x"}]}""", "tools[0].name")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"tools":[{"name":"a"}],"messages":[{"role":"user","content":"x"}]}""", "tools[0].input_schema")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"tool_choice":{"type":"any"},"messages":[{"role":"user","content":"x"}]}""", "tool_choice.type")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"thinking":{"type":"enabled"},"messages":[{"role":"user","content":"x"}]}""", "thinking.budget_tokens")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"temperature":1.5,"messages":[{"role":"user","content":"x"}]}""", "temperature")]
    [InlineData("""{"model":"glm-4.7","max_tokens":5,"system":[{"type":"image"}],"messages":[{"role":"user","content":"x"}]}""", "system[0].type")]
    public async Task What_cannot_be_is_told_in_the_dialect(string body, string field)
    {
        using HttpResponseMessage response = await _harness.PostAsync(body, Path);
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        Assert.Equal(400, (int)response.StatusCode);
        Assert.Equal(("error", "invalid_request_error"), (error.GetProperty("type").GetString(), error.GetProperty("error").GetProperty("type").GetString()));
        Assert.Contains(field, error.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(error.GetProperty("request_id").GetString(), response.Headers.GetValues("request-id").Single());
        Assert.Equal(0, _harness.Backend.Requests);
    }

    [Fact]
    public async Task Keys_come_in_either_header()
    {
        using HttpClient client = new() { BaseAddress = _harness.Client.BaseAddress };
        using HttpRequestMessage good = new(HttpMethod.Post, Path) { Content = new StringContent(Body("")), Headers = { { "x-api-key", _harness.Key }, { "anthropic-version", "2023-06-01" } } };
        using HttpRequestMessage none = new(HttpMethod.Post, Path) { Content = new StringContent(Body("")) };
        using HttpResponseMessage passed = await client.SendAsync(good), refused = await client.SendAsync(none);
        Assert.Equal((200, 401), ((int)passed.StatusCode, (int)refused.StatusCode));
        Assert.Contains("\"authentication_error\"", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Counting_renders_the_same_prompt()
    {
        _harness.Backend.Count = request => request.Conversation.Messages.Count * 10 + request.Conversation.Tools.Count;
        JsonElement count = await _harness.ChatAsync($$"""{"model":"claude-x","system":"s","tools":{{Tools}},"messages":[{"role":"user","content":"x"}]}""", Path + "/count_tokens");
        Assert.Equal("""{"input_tokens":22}""", count.GetRawText());
    }

    [Fact]
    public async Task Counting_takes_a_place_in_flight()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync(options => options with { MaxOpenRequestsPerKey = 1, QueueLength = 0 });
        using var entered = new SemaphoreSlim(0);
        using var go = new SemaphoreSlim(0);
        harness.Backend.Count = _ =>
        {
            entered.Release();
            go.Wait(TimeSpan.FromMinutes(2));
            return 3;
        };
        Task<JsonElement> first = harness.ChatAsync(Body(""), Path + "/count_tokens");
        Assert.True(await entered.WaitAsync(TimeSpan.FromMinutes(2)));
        using HttpResponseMessage second = await harness.PostAsync(Body(""), Path + "/count_tokens");
        go.Release();

        Assert.Equal(429, (int)second.StatusCode);
        Assert.Contains("\"rate_limit_error\"", await second.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(3, (await first).GetProperty("input_tokens").GetInt32());
    }

    [Fact]
    public async Task Models_are_listed_page_by_page_with_both_spellings()
    {
        JsonElement page = JsonDocument.Parse(await _harness.Client.GetStringAsync("/api/anthropic/v1/models?limit=2")).RootElement;
        string last = page.GetProperty("last_id").GetString()!;
        Assert.Equal((2, true, true, last), (page.GetProperty("data").GetArrayLength(), page.GetProperty("has_more").GetBoolean(), page.GetProperty("hasMore").GetBoolean(), page.GetProperty("lastId").GetString()));
        JsonElement next = JsonDocument.Parse(await _harness.Client.GetStringAsync($"/api/anthropic/v1/models?limit=1000&after_id={last}")).RootElement;
        Assert.False(next.GetProperty("has_more").GetBoolean());
        Assert.DoesNotContain(last, next.GetProperty("data").EnumerateArray().Select(model => model.GetProperty("id").GetString()));
        JsonElement one = JsonDocument.Parse(await _harness.Client.GetStringAsync("/api/anthropic/v1/models/claude-sonnet-4-5")).RootElement;
        Assert.Equal(("model", "glm-4.7"), (one.GetProperty("type").GetString(), one.GetProperty("id").GetString()));
        Assert.Equal((204800, 131072), (one.GetProperty("max_input_tokens").GetInt32(), one.GetProperty("max_tokens").GetInt32()));
    }

    private static string Body(string more) =>
        $$"""{"model":"glm-4.7","max_tokens":100,"messages":[{"role":"user","content":"hi"}]{{(more.Length > 0 ? "," + more : "")}}}""";

    private static string Mask(string text) => Ids().Replace(text, "${key}\"*\"");

    [GeneratedRegex("(?<key>\"id\":|\"signature\":)\"[^\"]+\"", RegexOptions.ExplicitCapture, 5000)]
    private static partial Regex Ids();
}
