using System.Text.Json;
using Glimmer.Server.Tests.Chat;
using Glimmer.Server.Tests.Support;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Tests.Transport;

public sealed class RouteTests : IAsyncLifetime
{
    private ServerHarness _harness = null!;

    public async ValueTask InitializeAsync() => _harness = await ServerHarness.StartAsync();

    public ValueTask DisposeAsync() => _harness.DisposeAsync();

    [Theory]
    [InlineData("/api/paas/v4/chat/completions")]
    [InlineData("/api/paas/v4//chat/completions")]
    [InlineData("/api/paas/v4/chat/completions/")]
    [InlineData("//api//paas/v4///chat/completions//")]
    [InlineData("/api/paas/v4chat/completions")]
    [InlineData("/api/coding/paas/v4chat/completions/")]
    [InlineData("/API/PaaS/v4/Chat/Completions")]
    public async Task Slashes_and_case_are_tolerated(string path)
    {
        string raw = await _harness.RawAsync(_harness.RawChat("""{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""").Replace("/api/paas/v4/chat/completions", path, StringComparison.Ordinal));
        Assert.StartsWith("HTTP/1.1 200 ", raw, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "/api/paas/v4/nothing", 404, "1222")]
    [InlineData("GET", "/api", 404, "1222")]
    [InlineData("GET", "/favicon.ico", 404, "1222")]
    [InlineData("GET", "/api/paas/v4/chat/completions", 405, "1210")]
    [InlineData("DELETE", "/api/paas/v4/models", 405, "1210")]
    [InlineData("POST", "/", 405, "1210")]
    [InlineData("POST", "/api/paas/v4/images/generations", 400, "1221")]
    [InlineData("POST", "/api/paas/v4/files/", 400, "1221")]
    [InlineData("GET", "/api/paas/v4/files/parser/result/5/text", 400, "1221")]
    [InlineData("POST", "/api/paas/v4/v1/agents", 400, "1221")]
    [InlineData("POST", "/api/v1/agents/conversation/", 400, "1221")]
    [InlineData("POST", "/api/mcp/web_search_prime/mcp", 400, "1221")]
    [InlineData("POST", "/api/zrag/agent/chat", 400, "1221")]
    [InlineData("POST", "/api/coding/paas/v4/embeddings", 404, "1222")]
    public async Task Other_paths_and_methods_are_answered_in_the_platform_s_form(string method, string path, int status, string code)
    {
        using HttpResponseMessage response = await _harness.Client.SendAsync(new HttpRequestMessage(new HttpMethod(method), path));
        Assert.Equal((status, code), ((int)response.StatusCode, (await ChatRefusalTests.ErrorAsync(response)).GetProperty("code").GetString()));
        Assert.True(response.Headers.Contains("x-request-id"));
        if (status == 405)
            Assert.NotEmpty(response.Content.Headers.Allow);
    }

    [Theory]
    [InlineData("/v1/nothing", 404, """{"error":{"message":"*","type":"invalid_request_error","param":null,"code":"1222"}}""")]
    [InlineData("/api/anthropic/v1/nothing", 404, """{"type":"error","error":{"type":"not_found_error","message":"*","code":"1222"},"request_id":"*"}""")]
    [InlineData("/v1/messages/nothing", 404, """{"type":"error","error":{"type":"not_found_error","message":"*","code":"1222"},"request_id":"*"}""")]
    [InlineData("/api/push", 403, """{"error":"*"}""")]
    public async Task Other_dialects_are_answered_in_their_own(string path, int status, string body)
    {
        using HttpResponseMessage response = await _harness.Client.PostAsync(path, null);
        string text = await response.Content.ReadAsStringAsync();
        string masked = System.Text.RegularExpressions.Regex.Replace(text, "(?<key>\"message\":|\"request_id\":|^\\{\"error\":)\"[^\"]+\"", "${key}\"*\"", System.Text.RegularExpressions.RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5));
        Assert.Equal((status, body), ((int)response.StatusCode, masked));
        Assert.Equal(status == 403 ? "1220" : "1222", response.Headers.GetValues("X-Glimmer-Code").Single());
    }

    [Fact]
    public async Task Head_is_get_without_the_body()
    {
        foreach (string path in new[] { "/", "/health/live", "/api/paas/v4/models" })
        {
            using HttpResponseMessage response = await _harness.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, path));
            Assert.Equal(200, (int)response.StatusCode);
            Assert.Empty(await response.Content.ReadAsByteArrayAsync());
            Assert.True(response.Content.Headers.ContentLength > 0);
        }
    }

    [Fact]
    public async Task Browsers_may_call()
    {
        using var preflight = new HttpRequestMessage(HttpMethod.Options, "/api/paas/v4/chat/completions");
        preflight.Headers.Add("Origin", "https://app.example");
        preflight.Headers.Add("Access-Control-Request-Method", "POST");
        preflight.Headers.Add("Access-Control-Request-Headers", "authorization,x-custom");
        using HttpResponseMessage response = await _harness.Client.SendAsync(preflight);
        Assert.Equal(204, (int)response.StatusCode);
        Assert.Equal("*", Assert.Single(response.Headers.GetValues("Access-Control-Allow-Origin")));
        Assert.Equal("authorization,x-custom", Assert.Single(response.Headers.GetValues("Access-Control-Allow-Headers")));

        await using ServerHarness strict = await ServerHarness.StartAsync(options => options with { CorsOrigins = ["https://good.example"] });
        foreach ((string origin, bool allowed) in new[] { ("https://good.example", true), ("https://bad.example", false) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/api/paas/v4/models");
            request.Headers.Add("Origin", origin);
            using HttpResponseMessage answer = await strict.Client.SendAsync(request);
            Assert.Equal(allowed, answer.Headers.Contains("Access-Control-Allow-Origin"));
        }
    }

    [Fact]
    public async Task Models_are_listed_with_who_answers()
    {
        foreach (string basePath in new[] { "/api/paas/v4", "/api/coding/paas/v4" })
        {
            JsonElement list = JsonDocument.Parse(await _harness.Client.GetStringAsync(basePath + "/models")).RootElement;
            Assert.Equal("list", list.GetProperty("object").GetString());
            var ids = list.GetProperty("data").EnumerateArray().Select(item => item.GetProperty("id").GetString()!).ToList();
            Assert.Contains("glm-4.7", ids);
            Assert.Contains("glimmer-tiny", ids);
            Assert.DoesNotContain(ids, id => id is "glm-4.6v" or "cogview-4" or "embedding-3" or "glm-z1-air" or "glm-4-0520" or "glm-4.6-air" or "glm-4-voice");
            JsonElement first = list.GetProperty("data").EnumerateArray().First(item => item.GetProperty("id").GetString() == "glm-4.7");
            Assert.Equal("""{"id":"glm-4.7","object":"model","created":1766361600,"owned_by":"z-ai","x_glimmer":{"backend":"embedded","served_by":"glimmer-tiny","stand_in":true}}""", first.GetRawText());
        }

        JsonElement own = JsonDocument.Parse(await _harness.Client.GetStringAsync("/api/paas/v4/models/Glimmer-Tiny")).RootElement;
        Assert.False(own.GetProperty("x_glimmer").GetProperty("stand_in").GetBoolean());
        foreach (string unknown in new[] { "nobody", "cogview-4", "glm-4.6v" })
        {
            using HttpResponseMessage response = await _harness.Client.GetAsync("/api/paas/v4/models/" + unknown);
            Assert.Equal(404, (int)response.StatusCode);
            await ChatRefusalTests.ErrorAsync(response);
        }

        _harness.Client.DefaultRequestHeaders.Authorization = null;
        using HttpResponseMessage refused = await _harness.Client.GetAsync("/api/paas/v4/models");
        Assert.Equal(401, (int)refused.StatusCode);
    }

    [Fact]
    public async Task Health_tells_the_phases()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync(fill: false);
        async Task<(int Status, string Body)> GetAsync(string path)
        {
            using HttpResponseMessage response = await harness.Client.GetAsync(path);
            return ((int)response.StatusCode, await response.Content.ReadAsStringAsync());
        }

        Assert.Equal((200, """{"status":"live"}"""), await GetAsync("/health/live"));
        Assert.Equal((503, """{"status":"loading","detail":"The model is being loaded."}"""), await GetAsync("/health/ready"));
        harness.Slot.Fail("The file is damaged.");
        Assert.Equal((503, """{"status":"failed","detail":"The file is damaged."}"""), await GetAsync("/health/ready"));
        harness.Slot.Fill([harness.Backend], harness.Backend);
        Assert.Equal((200, """{"status":"ready","detail":"Ready."}"""), await GetAsync("/health/ready"));
        harness.Backend.IsReady = false;
        Assert.Equal(503, (await GetAsync("/health/ready")).Status);
    }

    [Fact]
    public async Task The_home_page_is_self_contained_and_shows_a_first_request()
    {
        using HttpResponseMessage response = await _harness.Client.GetAsync("/");
        string html = await response.Content.ReadAsStringAsync();
        Assert.Equal("text/html", response.Content.Headers.ContentType?.MediaType);
        Assert.Contains("default-src 'none'; style-src 'sha256-", Assert.Single(response.Headers.GetValues("Content-Security-Policy")));
        Assert.Contains($"{_harness.Server.Addresses[0]}api/paas/v4/chat/completions", html);
        Assert.Contains("&quot;", html.Replace("\"", "&quot;", StringComparison.Ordinal));
        Assert.Contains("glimmer-tiny", html);
        Assert.Contains("Ready.", html);
        Assert.DoesNotContain("{{", html);
        Assert.DoesNotContain("<script", html);
        Assert.DoesNotContain(_harness.Key, html);

        string hostile = await _harness.RawAsync("GET / HTTP/1.1\r\nHost: a<b>\r\nConnection: close\r\n\r\n");
        Assert.DoesNotContain("a<b>", hostile);
    }

    [Theory]
    [InlineData("", "/")]
    [InlineData("/", "/")]
    [InlineData("///", "/")]
    [InlineData("/a//b/", "/a/b")]
    [InlineData("/api/paas/v4", "/api/paas/v4")]
    [InlineData("/api/paas/v4files", "/api/paas/v4/files")]
    [InlineData("/api/paas/v42", "/api/paas/v42")]
    public void Paths_have_one_spelling(string path, string expected) => Assert.Equal(expected, RequestPath.Normalise(path));
}
