using System.Reflection;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Tests.Answers;
using Glimmer.Server.Tests.Billing;
using Glimmer.Server.Tests.Chat;
using Glimmer.Server.Tests.Support;
using Glimmer.Server.Tests.Tasks;

namespace Glimmer.Server.Tests.Clients;

/// <summary>The checklist of what the official clients trip over (spec: api.md §27), row by row: which test holds it, or which route has yet to come.</summary>
public sealed class PitfallTests : IAsyncLifetime
{
    /// <summary>Every row: the test that holds it, or the route that it is about and that is not served yet.</summary>
    private static readonly (int Row, Type? Tests, string Name)[] Table =
    [
        (1, typeof(ChatFramingTests), nameof(ChatFramingTests.A_stream_is_exactly_data_lines_and_empty_lines)),
        (1, typeof(HeartbeatTests), nameof(HeartbeatTests.The_native_bases_and_Ollama_say_nothing)),
        (2, typeof(ChatFramingTests), nameof(ChatFramingTests.An_error_of_a_streaming_call_is_json_with_only_the_error)),
        (3, typeof(PitfallTests), nameof(Codes_are_digits_and_nothing_stands_beside_them)),
        (4, typeof(PitfallTests), nameof(The_state_of_a_task_is_one_of_three_words)),
        (5, typeof(PitfallTests), nameof(Counts_and_times_are_whole_numbers)),
        (5, null, "GET /api/paas/v4/voice/list"),
        (5, null, "GET /api/paas/v4/files/parser/result/x/y"),
        (6, typeof(PitfallTests), nameof(The_python_client_s_nulls_and_clamped_numbers_reach_the_backend)),
        (7, typeof(ChatRefusalTests), nameof(ChatRefusalTests.Without_a_stand_in_only_what_is_served_is_offered_and_vision_models_take_pictures)),
        (8, null, "GET /api/paas/v4/voice/list?voiceType=&voiceName=&request_id="),
        (9, null, "POST /api/paas/v4/v1/agents"),
        (9, null, "POST /api/v1/agents"),
        (10, typeof(BillingTests), nameof(BillingTests.Without_funds_1113_and_free_models_are_never_charged)),
        (10, typeof(PitfallTests), nameof(What_may_be_tried_again_does_not_say_otherwise)),
        (11, typeof(PitfallTests), nameof(Arguments_are_text_and_pieces_of_calls_have_an_index)),
        (12, typeof(PitfallTests), nameof(Every_row_has_its_test)), // fails in the client itself: nothing to do here
        (13, typeof(PitfallTests), nameof(A_request_id_may_be_a_number)),
        (14, null, "POST /api/paas/v4/audio/transcriptions"),
        (14, null, "POST /api/paas/v4/files"),
        (15, typeof(PitfallTests), nameof(Arguments_in_a_history_may_be_an_object)),
        (16, null, "POST /api/paas/v4/reader"),
        (17, null, "POST /api/paas/v4/files"),
        (18, typeof(PitfallTests), nameof(A_signed_token_s_time_may_be_in_either_unit)),
        (19, typeof(PitfallTests), nameof(Switches_and_numbers_of_a_search_may_be_strings)),
        (20, typeof(ChatRefusalTests), nameof(ChatRefusalTests.Credentials_are_needed_and_taken_in_every_form)),
    ];

    private const string Chat = "/api/paas/v4/chat/completions";
    private const string Messages = "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]";
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Fact]
    public async Task Every_row_has_its_test()
    {
        Assert.Equal(Enumerable.Range(1, 20), Table.Select(row => row.Row).Distinct().Order());
        foreach ((int row, Type? tests, string name) in Table)
        {
            if (tests is not null)
            {
                MethodInfo method = tests.GetMethod(name)!;
                Assert.True(method.IsDefined(typeof(FactAttribute), inherit: true), $"row {row}: {name} is no test");
                continue;
            }

            // When the route is served, this fails: the row then needs a test of its own.
            string[] parts = name.Split(' ');
            using var request = new HttpRequestMessage(new HttpMethod(parts[0]), parts[1]);
            using HttpResponseMessage response = await _harness.Client.SendAsync(request, TestContext.Current.CancellationToken);
            Assert.True((await ChatRefusalTests.ErrorAsync(response)).GetProperty("code").GetString() == "1221", $"row {row}: {name} is served now; write its test");
        }
    }

    [Theory]
    [InlineData(Chat, "[")]
    [InlineData(Chat, "{}")]
    [InlineData(Chat, "{\"model\":\"none\"," + Messages + "}")]
    [InlineData(Chat, "{\"model\":\"glm-4.7\",\"stream\":true," + Messages + ",\"top_p\":7}")]
    [InlineData("/api/paas/v4/images/generations", "{}")]
    [InlineData("/api/paas/v4/nothing", "{}")]
    [InlineData("/api/coding/paas/v4/chat/completions", "[]")]
    public async Task Codes_are_digits_and_nothing_stands_beside_them(string path, string body)
    {
        using HttpResponseMessage response = await _harness.PostAsync(body, path);
        JsonElement error = await ChatRefusalTests.ErrorAsync(response);
        Assert.Equal(["code", "message"], error.EnumerateObject().Select(member => member.Name));
        Assert.True(int.TryParse(error.GetProperty("code").GetString(), out _));
        Assert.Equal(JsonValueKind.String, error.GetProperty("message").ValueKind);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_state_of_a_task_is_one_of_three_words(bool fails)
    {
        _harness.Backend.Script = _ => ChatScript.Of("x") with { Error = fails ? PlatformError.Of(BusinessCode.PromptTooLong) : null };
        JsonElement given = await _harness.ChatAsync($"{{\"model\":\"glm-4.7\",{Messages}}}", "/api/paas/v4/async/chat/completions");
        HashSet<string> seen = [given.GetProperty("task_status").GetString()!];
        for (int i = 0; i < 20_000 && seen.Count < 2; i++)
        {
            await Task.Delay(5, TestContext.Current.CancellationToken);
            string text = await _harness.Client.GetStringAsync("/api/paas/v4/async-result/" + given.GetProperty("id").GetString(), TestContext.Current.CancellationToken);
            seen.Add(JsonDocument.Parse(text).RootElement.GetProperty("task_status").GetString()!);
        }

        Assert.Equal(["PROCESSING", fails ? "FAIL" : "SUCCESS"], seen);
    }

    [Fact]
    public async Task Counts_and_times_are_whole_numbers()
    {
        string body = $"{{\"model\":\"glm-4.7\",{Messages}}}";
        List<JsonElement> all = [await _harness.ChatAsync(body), await _harness.ChatAsync(body, "/api/paas/v4/tokenizer"), .. await _harness.StreamAsync($"{{\"model\":\"glm-4.7\",\"stream\":true,{Messages}}}")];
        foreach (JsonElement answer in all)
            CheckNumbers(answer);

        static void CheckNumbers(JsonElement value)
        {
            switch (value.ValueKind)
            {
                case JsonValueKind.Number:
                    Assert.True(value.TryGetInt64(out _) && !value.GetRawText().Contains('.', StringComparison.Ordinal), value.GetRawText());
                    break;
                case JsonValueKind.Object:
                    foreach (JsonProperty member in value.EnumerateObject())
                        CheckNumbers(member.Value);
                    break;
                case JsonValueKind.Array:
                    foreach (JsonElement item in value.EnumerateArray())
                        CheckNumbers(item);
                    break;
            }
        }
    }

    [Fact]
    public async Task The_python_client_s_nulls_and_clamped_numbers_reach_the_backend()
    {
        await _harness.ChatAsync($"{{\"model\":\"glm-4.7\",\"temperature\":0.01,\"do_sample\":false,\"top_p\":0.99,\"response_format\":null,\"thinking\":null,\"tools\":null,\"stop\":null,{Messages}}}");
        ChatRequest request = _harness.Backend.LastRequest!;
        Assert.True(request.Sampling.Greedy);
        Assert.Equal((AnswerFormatKind.Text, true), (request.Format.Kind, request.Conversation.Options.EnableThinking));
        await _harness.ChatAsync($"{{\"model\":\"glm-4.7\",\"temperature\":0.99,\"top_p\":0.99,{Messages}}}");
        Assert.Equal((false, 0.99f, 0.99f), (_harness.Backend.LastRequest!.Sampling.Greedy, _harness.Backend.LastRequest.Sampling.Temperature, _harness.Backend.LastRequest.Sampling.TopP));
    }

    [Fact]
    public async Task What_may_be_tried_again_does_not_say_otherwise()
    {
        foreach (BusinessCode code in new[] { BusinessCode.Overloaded, BusinessCode.ConcurrencyExceeded, BusinessCode.Network, BusinessCode.Internal })
        {
            _harness.Backend.Script = _ => ChatScript.Of("x") with { Error = PlatformError.Of(code) };
            using HttpResponseMessage response = await _harness.PostAsync($"{{\"model\":\"glm-4.7\",\"request_id\":\"the-same-one\",{Messages}}}");
            Assert.True((int)response.StatusCode is 429 or >= 500);
            Assert.False(response.Headers.Contains("x-should-retry"));
        }

        // A try that made nothing gives its id back, so the next one may bring it again.
        _harness.Backend.Script = _ => ChatScript.Of("fine");
        await _harness.ChatAsync($"{{\"model\":\"glm-4.7\",\"request_id\":\"the-same-one\",{Messages}}}");
    }

    [Fact]
    public async Task Arguments_are_text_and_pieces_of_calls_have_an_index()
    {
        _harness.Backend.Script = _ => new ChatScript(
            [new(ChatEventKind.ToolCallStart, "f", 0), new(ChatEventKind.ToolCallArguments, "{\"a\":", 0), new(ChatEventKind.ToolCallArguments, "1}", 0), new(ChatEventKind.ToolCallEnd, "", 0)], FinishReason.ToolCalls);
        const string Tools = "\"tool_stream\":true,\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"f\"}}]," + Messages;
        JsonElement call = (await _harness.ChatAsync($"{{\"model\":\"glm-4.7\",{Tools}}}")).GetProperty("choices")[0].GetProperty("message").GetProperty("tool_calls")[0];
        Assert.Equal("{\"a\":1}", call.GetProperty("function").GetProperty("arguments").GetString());
        Assert.StartsWith("call_", call.GetProperty("id").GetString(), StringComparison.Ordinal);
        List<JsonElement> pieces = [.. (await _harness.StreamAsync($"{{\"model\":\"glm-4.7\",\"stream\":true,{Tools}}}")).SelectMany(chunk => chunk.GetProperty("choices").EnumerateArray())
            .Where(choice => choice.GetProperty("delta").TryGetProperty("tool_calls", out _)).SelectMany(choice => choice.GetProperty("delta").GetProperty("tool_calls").EnumerateArray())];
        Assert.NotEmpty(pieces);
        Assert.All(pieces, piece => Assert.Equal(0, piece.GetProperty("index").GetInt32()));
        Assert.Equal("{\"a\":1}", string.Concat(pieces.Select(piece => piece.GetProperty("function").GetProperty("arguments").GetString())));
    }

    [Fact]
    public async Task A_request_id_may_be_a_number()
    {
        JsonElement answer = await _harness.ChatAsync($"{{\"model\":\"glm-4.7\",\"request_id\":1763750000.1234,{Messages}}}");
        Assert.Equal("1763750000.1234", answer.GetProperty("request_id").GetString());
    }

    [Fact]
    public async Task Arguments_in_a_history_may_be_an_object()
    {
        await _harness.ChatAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":{"a":[1]}}}]},{"role":"tool","tool_call_id":"c","content":"x"}]}""");
        Assert.Equal("{\"a\":[1]}", _harness.Backend.LastRequest!.Conversation.Messages[1].ToolCalls[0].Arguments);
    }

    [Theory]
    [InlineData(1000, 200)]
    [InlineData(1, 200)]
    [InlineData(-1000, 401)]
    public async Task A_signed_token_s_time_may_be_in_either_unit(long unit, int status)
    {
        string[] key = _harness.Key.Split('.');
        long now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        long expires = unit < 0 ? (now - 86_400) * 1000 : (now + 210) * unit;
        string signed = $"{Base64Url("{\"alg\":\"HS256\",\"sign_type\":\"SIGN\"}"u8)}.{Base64Url(JsonSerializer.SerializeToUtf8Bytes(new { api_key = key[0], exp = expires, timestamp = now * 1000 }))}";
        string token = $"{signed}.{Base64Url(System.Security.Cryptography.HMACSHA256.HashData(System.Text.Encoding.UTF8.GetBytes(key[1]), System.Text.Encoding.ASCII.GetBytes(signed)))}";
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/paas/v4/models");
        request.Headers.Authorization = new("Bearer", token);
        using HttpResponseMessage response = await _harness.Client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(status, (int)response.StatusCode);

        static string Base64Url(ReadOnlySpan<byte> bytes) => System.Buffers.Text.Base64Url.EncodeToString(bytes);
    }

    [Theory]
    [InlineData("\"False\"", 200)]
    [InlineData("\"false\"", 200)]
    [InlineData("\"True\"", 400)]
    [InlineData("\"maybe\"", 400)]
    public async Task Switches_and_numbers_of_a_search_may_be_strings(string enable, int status)
    {
        // A search that is switched off is left out; one that is switched on is refused by name, until there is one.
        using HttpResponseMessage response = await _harness.PostAsync($"{{\"model\":\"glm-4.7\",\"tools\":[{{\"type\":\"web_search\",\"web_search\":{{\"enable\":{enable},\"count\":\"5\",\"search_result\":\"True\"}}}}],{Messages}}}");
        Assert.Equal(status, (int)response.StatusCode);
    }

    [Theory]
    [InlineData(Chat)]
    [InlineData("/v1/chat/completions")]
    public async Task A_result_of_no_call_is_told(string path)
    {
        foreach ((string id, int status) in new[] { ("\"c1\"", 200), ("\"c2\"", 200), ("\"c3\"", 400), ("null", 200), ("7", 400) })
        {
            using HttpResponseMessage response = await _harness.PostAsync(
                $$$"""{"model":"glm-4.7","messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"c2","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":{{{id}}},"content":"x"}]}""", path);
            string text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.Equal((id, status), (id, (int)response.StatusCode));
            Assert.True(status == 200 || text.Contains("messages[2].tool_call_id", StringComparison.Ordinal), text);
        }
    }
}
