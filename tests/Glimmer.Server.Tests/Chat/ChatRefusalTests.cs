using System.Text;
using System.Text.Json;
using Glimmer.Server.Routing;
using Glimmer.Server.Tests.Support;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Chat;

public sealed class ChatRefusalTests : IAsyncLifetime
{
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync(options => options with { MaxBodyBytes = 100_000 });

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData("", 400, "1210", "empty")]
    [InlineData("not json", 400, "1210", "malformed")]
    [InlineData("[]", 400, "1210", "object")]
    [InlineData("{\"model\":\"glm-9\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1211", "glm-9")]
    [InlineData("{\"model\":\"glm-4.1v-thinking\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1211", "glm-4.1v-thinking")]
    [InlineData("{\"model\":\"glm-4.6v\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1211", "no backend")]
    [InlineData("{\"model\":\"glm-4-voice\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1211", "no backend")]
    [InlineData("{\"model\":\"cogview-4\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1212", "chat/completions")]
    [InlineData("{\"model\":\"embedding-3\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1212", "chat/completions")]
    [InlineData("{\"model\":\"glm-4.7\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"x\"},{\"type\":\"image_url\",\"image_url\":{\"url\":\"AAAA\"}}]}]}", 400, "1212", "messages[0].content[1]")]
    [InlineData("{\"model\":\"glm-4.7\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"video_url\",\"video_url\":{\"url\":\"http://x\"}}]}]}", 400, "1212", "video_url")]
    [InlineData("{\"model\":\"glm-4.7\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"file\",\"file\":{\"file_id\":\"f\"}}]}]}", 400, "1212", "file")]
    [InlineData("{\"model\":\"glm-4.7\",\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"input_audio\":{\"data\":\"AA\",\"format\":\"wav\"}}]}]}", 400, "1212", "input_audio")]
    [InlineData("{\"model\":\"glm-4.7\",\"tools\":[{\"type\":\"web_search\",\"web_search\":{\"enable\":\"True\"}}],\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1212", "tools[0].type")]
    [InlineData("{\"model\":\"glm-4.7\",\"tools\":[{\"type\":\"retrieval\",\"retrieval\":{\"knowledge_id\":\"1\"}}],\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1212", "retrieval")]
    [InlineData("{\"model\":\"glm-4.7\",\"tools\":[{\"type\":\"mcp\",\"mcp\":{\"server_label\":\"1\"}}],\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1212", "mcp")]
    [InlineData("{\"model\":\"charglm-4\",\"tools\":[{\"function\":{\"name\":\"f\"}}],\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1212", "tools")]
    [InlineData("{\"model\":\"charglm-4\",\"stop\":[\"a\",\"b\"],\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1214", "stop")]
    [InlineData("{\"model\":\"emohaa\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1213", "meta")]
    [InlineData("{\"model\":\"glm-4.7\",\"temperature\":3,\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}", 400, "1214", "temperature")]
    public async Task A_bad_request_gets_status_code_and_the_name_of_the_field(string body, int status, string code, string part)
    {
        foreach (string content in new[] { body, body.Replace("\"model\"", "\"stream\":true,\"model\"", StringComparison.Ordinal) })
        {
            using HttpResponseMessage response = await _harness.PostAsync(content);
            JsonElement error = await ErrorAsync(response);
            Assert.Equal((status, code), ((int)response.StatusCode, error.GetProperty("code").GetString()));
            Assert.Contains(part, error.GetProperty("message").GetString());
        }

        Assert.Equal(0, _harness.Backend.Requests);
    }

    [Fact]
    public async Task A_compressed_body_is_refused_as_such()
    {
        const string Body = """{"model":"glm-4.7","messages":[{"role":"user","content":"x"}]}""";
        foreach ((string encoding, int status) in new[] { ("gzip", 415), ("br", 415), ("identity", 200) })
        {
            using var content = new StringContent(Body);
            content.Headers.ContentEncoding.Add(encoding);
            using HttpResponseMessage response = await _harness.Client.PostAsync(new Uri("/api/paas/v4/chat/completions", UriKind.Relative), content, TestContext.Current.CancellationToken);
            Assert.Equal(status, (int)response.StatusCode);
            if (status == 200)
                continue;
            JsonElement error = await ErrorAsync(response);
            Assert.Equal("1210", error.GetProperty("code").GetString());
            Assert.Contains("Content-Encoding", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Credentials_are_needed_and_taken_in_every_form()
    {
        const string Body = """{"model":"glm-4.7","messages":[{"role":"user","content":"x"}]}""";
        using var client = new HttpClient { BaseAddress = _harness.Server.Addresses[0] };
        async Task<(int Status, string Code)> SendAsync(Action<HttpRequestMessage> change, string query = "")
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/paas/v4/chat/completions" + query) { Content = new StringContent(Body) };
            change(request);
            using HttpResponseMessage response = await client.SendAsync(request);
            return ((int)response.StatusCode, response.IsSuccessStatusCode ? "" : (await ErrorAsync(response)).GetProperty("code").GetString()!);
        }

        Assert.Equal((401, "1001"), await SendAsync(_ => { }));
        Assert.Equal((401, "1002"), await SendAsync(request => request.Headers.TryAddWithoutValidation("Authorization", "Bearer nonsense")));
        Assert.Equal((401, "1000"), await SendAsync(request => request.Headers.TryAddWithoutValidation("Authorization", "Bearer a.b")));
        Assert.Equal((200, ""), await SendAsync(request => request.Headers.TryAddWithoutValidation("Authorization", _harness.Key)));
        Assert.Equal((200, ""), await SendAsync(request => request.Headers.TryAddWithoutValidation("Authorization", "Bearer " + _harness.Key)));
        Assert.Equal((200, ""), await SendAsync(request => request.Headers.TryAddWithoutValidation("x-api-key", _harness.Key)));
        Assert.Equal((200, ""), await SendAsync(_ => { }, "?Authorization=" + _harness.Key));
        Assert.DoesNotContain(_harness.Logs.Lines, line => line.Text.Contains(_harness.Key.Split('.')[1], StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("zh-CN,zh;q=0.9", "身份验证失败")]
    [InlineData("en-US,en", "Authentication failed")]
    [InlineData("", "Authentication failed")]
    [InlineData("zh;q=0", "Authentication failed")]
    [InlineData("zh;q=0, en", "Authentication failed")]
    [InlineData("en;q=0.5, zh-Hans;q=0.9", "身份验证失败")]
    [InlineData("zh;q=0.5,en", "Authentication failed")]
    [InlineData("zh,en", "身份验证失败")]
    [InlineData(" ZH ", "身份验证失败")]
    [InlineData("zhx", "Authentication failed")]
    [InlineData("zh;q=2", "Authentication failed")]
    [InlineData("zh;q=;;,,", "Authentication failed")]
    [InlineData("*", "Authentication failed")]
    public async Task Messages_are_in_the_caller_s_language(string language, string message)
    {
        using var client = new HttpClient { BaseAddress = _harness.Server.Addresses[0] };
        client.DefaultRequestHeaders.TryAddWithoutValidation("Accept-Language", language);
        client.DefaultRequestHeaders.TryAddWithoutValidation("Authorization", "Bearer a.b");
        using HttpResponseMessage response = await client.GetAsync("/api/paas/v4/models");
        Assert.Equal(message, (await ErrorAsync(response)).GetProperty("message").GetString());
    }

    [Fact]
    public async Task A_large_body_is_refused_whether_it_says_its_size_or_not()
    {
        string large = $$"""{"model":"glm-4.7","messages":[{"role":"user","content":"{{new string('x', 200_000)}}"}]}""";
        string announced = await _harness.RawAsync(_harness.RawChat(large));
        Assert.StartsWith("HTTP/1.1 413 ", announced, StringComparison.Ordinal);
        Assert.Contains("\"1210\"", announced);
        Assert.Contains("100000", announced);
        string chunked = $"POST /api/paas/v4/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: {_harness.Key}\r\nTransfer-Encoding: chunked\r\n\r\n{large.Length:x}\r\n{large}\r\n0\r\n\r\n";
        Assert.StartsWith("HTTP/1.1 413 ", await _harness.RawAsync(chunked), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_content_type_does_not_matter()
    {
        foreach (string? type in new[] { null, "text/plain", "application/octet-stream", "application/json;charset=UTF-8", "nonsense" })
        {
            using var content = new ByteArrayContent("{\"model\":\"glm-4.7\",\"messages\":[{\"role\":\"user\",\"content\":\"x\"}]}"u8.ToArray());
            if (type is not null)
                content.Headers.TryAddWithoutValidation("Content-Type", type);
            using HttpResponseMessage response = await _harness.Client.PostAsync("/api/paas/v4/chat/completions", content);
            Assert.Equal(200, (int)response.StatusCode);
        }
    }

    [Fact]
    public async Task Before_the_model_is_loaded_the_answer_is_503_and_when_to_come_back()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync(fill: false);
        using (HttpResponseMessage response = await harness.PostAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"x"}]}"""))
        {
            Assert.Equal(503, (int)response.StatusCode);
            Assert.Equal("1305", (await ErrorAsync(response)).GetProperty("code").GetString());
            Assert.NotNull(response.Headers.RetryAfter);
        }

        harness.Slot.Fill([harness.Backend], harness.Backend);
        harness.Backend.IsReady = false;
        using (HttpResponseMessage response = await harness.PostAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"x"}]}"""))
            Assert.Equal(503, (int)response.StatusCode);
        harness.Backend.IsReady = true;
        using (HttpResponseMessage response = await harness.PostAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"x"}]}"""))
            Assert.Equal(200, (int)response.StatusCode);
    }

    [Fact]
    public async Task Without_a_stand_in_only_what_is_served_is_offered_and_vision_models_take_pictures()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync(fill: false, backend: new ScriptedBackend("glm-4.6v"));
        harness.Slot.Fill([harness.Backend], null);
        using (HttpResponseMessage response = await harness.PostAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"x"}]}"""))
            Assert.Equal("1211", (await ErrorAsync(response)).GetProperty("code").GetString());
        const string Image = """{"type":"image_url","image_url":{"url":"AAAA"}}""";
        string With(string parts) => $$$"""{"model":"glm-4.6V","messages":[{"role":"user","content":[{{{parts}}}]}]}""";
        await harness.ChatAsync(With(Image));
        Assert.IsType<Dialogue.Conversations.MediaPart>(harness.Backend.LastRequest!.Conversation.Messages[0].Content[0]);
        using (HttpResponseMessage response = await harness.PostAsync(With(Image + """,{"type":"video_url","video_url":"http://x"}""")))
            Assert.Equal("1215", (await ErrorAsync(response)).GetProperty("code").GetString());
        using (HttpResponseMessage response = await harness.PostAsync(With(string.Join(',', Enumerable.Repeat(Image, 151)))))
            Assert.Contains("messages[0].content[150]", (await ErrorAsync(response)).GetProperty("message").GetString());
    }

    [Fact]
    public async Task Mutated_bodies_are_answered_and_never_a_500()
    {
        string[] seeds =
        [
            """{"model":"glm-4.7","temperature":0.5,"stop":["a"],"stream":false,"thinking":{"type":"enabled"},"messages":[{"role":"system","content":"s"},{"role":"user","content":[{"type":"text","text":"hi"}]}]}""",
            """{"model":"glm-4.7","tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],"tool_choice":"auto","messages":[{"role":"user","content":"q"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"x","tool_call_id":"1"}]}""",
            """{"model":"emohaa","meta":{"user_info":"a","bot_info":"b","bot_name":"c","user_name":"d"},"request_id":"abcdefgh","response_format":{"type":"json_object"},"messages":[{"role":"user","content":"hi"}]}""",
        ];
        string[] values = ["null", "0", "-1", "1e999", "\"\"", "\"\\ud800\"", "[]", "{}", "[{}]", "[null]", "true", "\"\\u0000\"", "12345678901234567890"];
        var random = new Random(5);
        int count = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), out int cases) ? cases : 600;
        for (int i = 0; i < count; i++)
        {
            byte[] body = Encoding.UTF8.GetBytes(Mutate(seeds[random.Next(seeds.Length)], values, random));
            if (random.Next(3) == 0)
                body[random.Next(body.Length)] = (byte)random.Next(256);
            using var content = new ByteArrayContent(body);
            string operation = random.Next(5) == 0 ? "tokenizer" : "chat/completions";
            using HttpResponseMessage response = await _harness.Client.PostAsync("/api/paas/v4/" + operation, content);
            Assert.InRange((int)response.StatusCode, 200, 499);
            if (!response.IsSuccessStatusCode)
                await ErrorAsync(response);
        }

        Assert.DoesNotContain(_harness.Logs.Lines, line => line.Level >= LogLevel.Warning);
    }

    private static string Mutate(string body, string[] values, Random random)
    {
        for (int change = random.Next(1, 4); change > 0; change--)
        {
            int at = random.Next(body.Length);
            int colon = body.IndexOf(':', at);
            if (colon > 0 && random.Next(4) > 0)
            {
                int end = body.IndexOfAny([',', '}', ']'], colon);
                body = string.Concat(body.AsSpan(0, colon + 1), values[random.Next(values.Length)], body.AsSpan(end));
            }
            else
            {
                body = body.Remove(at, Math.Min(random.Next(1, 4), body.Length - at));
            }

            if (body.Length < 2)
                return "{}";
        }

        return body;
    }

    internal static async Task<JsonElement> ErrorAsync(HttpResponseMessage response)
    {
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        JsonElement body = JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement;
        Assert.Equal(["error"], body.EnumerateObject().Select(member => member.Name));
        JsonElement error = body.GetProperty("error");
        Assert.Equal(["code", "message"], error.EnumerateObject().Select(member => member.Name));
        Assert.True(int.TryParse(error.GetProperty("code").GetString(), out _));
        return error;
    }
}
