using System.Text.Json;

namespace Glimmer.Server.Tests.Emulator;

public sealed class EmulatorEndpointsTests
{
    private const string Yaml = """
        rules:
          - { name: greet, when: { last: hello, headers: { x-tenant: /^acme/ }, user_id: user-1, dialect: native }, expect: 1, reply: Hi! }
          - { name: slow, when: { last: slow }, reply: { text: one two, delay: 3600 } }
        limits: [{ requests: 5, window: 60 }]
        """;

    [Fact]
    public async Task What_was_asked_is_told_with_what_became_of_it()
    {
        await using EmulatorHarness emulator = await EmulatorHarness.StartAsync(Yaml);
        Assert.Equal(200, (await emulator.ChatAsync("hello", ("X-Tenant", "acme-7"), ("x-api-key", "very-secret"))).Status);
        (int status, string body, _) = await emulator.ChatAsync("hello", ("X-Tenant", "other"));
        Assert.Equal(500, status);
        Assert.Contains("headers.x-tenant: expected \\\"/^acme/\\\", actual \\\"other\\\"", body, StringComparison.Ordinal);

        JsonElement all = await emulator.GetAsync("/emulator/requests");
        Assert.Equal(2, all.GetProperty("count").GetInt32());
        JsonElement first = all.GetProperty("requests")[0];
        Assert.Equal(
            ("native", "/api/paas/v4/chat/completions", "glm-4.7", "user-1", "rule", "greet", "Stop"),
            (Text(first, "dialect"), Text(first, "path"), Text(first, "model"), Text(first, "user_id"), Text(first, "outcome"), Text(first, "rule"), Text(first, "finish")));
        Assert.Equal("hello", first.GetProperty("messages")[0].GetProperty("text").GetString());
        Assert.DoesNotContain("very-secret", all.GetRawText(), StringComparison.Ordinal);
        Assert.DoesNotContain("FixedCredential", all.GetRawText(), StringComparison.Ordinal);
        JsonElement unknown = Assert.Single((await emulator.GetAsync("/emulator/requests?outcome=unknown&limit=5")).GetProperty("requests").EnumerateArray());
        Assert.Equal("1200", Text(unknown, "code"));
        Assert.Empty((await emulator.GetAsync("/emulator/requests?after=2")).GetProperty("requests").EnumerateArray());
        Assert.Empty((await emulator.GetAsync("/emulator/requests?dialect=openai")).GetProperty("requests").EnumerateArray());

        (status, body, _) = await emulator.SendAsync(HttpMethod.Get, "/emulator/verify");
        Assert.Equal(409, status);
        Assert.Contains("1 requests matched no rule", body, StringComparison.Ordinal);
        Assert.Equal(1, (await emulator.GetAsync("/emulator/rules")).GetProperty("rules")[0].GetProperty("uses").GetInt32());

        (await emulator.SendAsync(HttpMethod.Post, "/emulator/reset")).Answer.Dispose();
        Assert.Equal(0, (await emulator.GetAsync("/emulator/requests")).GetProperty("count").GetInt32());
        Assert.Equal(200, (await emulator.ChatAsync("hello", ("X-Tenant", "acme"))).Status);
        Assert.True((await emulator.GetAsync("/emulator/verify")).GetProperty("holds").GetBoolean());
    }

    [Fact]
    public async Task Limits_and_retry_after_follow_the_clock()
    {
        await using EmulatorHarness emulator = await EmulatorHarness.StartAsync("limits: [{ requests: 1, window: 18000, error: 1303 }]\nfallback: x");
        Assert.Equal(200, (await emulator.ChatAsync("a")).Status);
        await Clock("""{"advance":"1h"}""");
        (int status, string body, HttpResponseMessage answer) = await emulator.ChatAsync("a");
        Assert.Equal((429, "14400"), (status, answer.Headers.RetryAfter!.ToString()));
        Assert.Contains("1303", body, StringComparison.Ordinal);
        await Clock("""{"set":"2026-01-01T05:00:00Z"}""");
        Assert.Equal(200, (await emulator.ChatAsync("a")).Status);
        Assert.Equal("2026-01-01T05:00:00+00:00", Text(await emulator.GetAsync("/emulator/clock"), "now"));

        foreach (string wrong in new[] { """{"set":"2025-01-01T00:00:00Z"}""", """{"advance":"five"}""", """{"advance":"-3s"}""", "{}", "[", """{"set":"9999-12-31T23:59:59Z"}""", """{"advance":"1e30"}""" })
            Assert.Equal(400, (await emulator.SendAsync(HttpMethod.Post, "/emulator/clock", wrong)).Status);

        async Task Clock(string change) => Assert.Equal(200, (await emulator.SendAsync(HttpMethod.Post, "/emulator/clock", change)).Status);
    }

    [Fact]
    public async Task Another_scenario_is_played_from_now_on()
    {
        await using EmulatorHarness emulator = await EmulatorHarness.StartAsync(Yaml);
        (int status, string body, _) = await emulator.SendAsync(HttpMethod.Put, "/emulator/scenario", "models: [glm-5, my-model]\nfallback: other\nembeddings: [{ model: embedding-2, dimensions: 2 }]");
        Assert.True(status == 200, body);
        Assert.Contains("other", (await emulator.SendAsync(HttpMethod.Post, "/v1/chat/completions", """{"model":"my-model","messages":[{"role":"user","content":"x"}]}""")).Body, StringComparison.Ordinal);
        Assert.Equal(200, (await emulator.SendAsync(HttpMethod.Post, "/v1/embeddings", """{"model":"embedding-2","input":"x"}""")).Status);

        (status, body, _) = await emulator.SendAsync(HttpMethod.Put, "/emulator/scenario", "rules: 3");
        Assert.Equal(400, status);
        Assert.Contains("line 1, column 8: rules must be a list", body, StringComparison.Ordinal);
        Assert.Contains("other", (await emulator.SendAsync(HttpMethod.Post, "/v1/chat/completions", """{"model":"my-model","messages":[{"role":"user","content":"x"}]}""")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Callers_of_other_machines_and_pages_need_a_key()
    {
        await using EmulatorHarness emulator = await EmulatorHarness.StartAsync(Yaml);
        using HttpClient stranger = new() { BaseAddress = emulator.Client.BaseAddress };

        Assert.Equal(200, await Status([]));
        Assert.Equal(401, await Status([("X-Forwarded-For", "10.0.0.1")]));
        Assert.Equal(401, await Status([("Origin", "https://example.com")]));
        Assert.Equal(401, await Status([("Host", "evil.example.com")]));
        Assert.Equal(200, await Status([("Origin", "https://example.com"), ("Authorization", $"Bearer {EmulatorHarness.Key}")]));

        async Task<int> Status((string Name, string Value)[] headers)
        {
            using HttpRequestMessage request = new(HttpMethod.Get, "/emulator/rules");
            foreach ((string name, string value) in headers)
                request.Headers.TryAddWithoutValidation(name, value);
            using HttpResponseMessage answer = await stranger.SendAsync(request);
            return (int)answer.StatusCode;
        }
    }

    [Fact]
    public async Task Delays_by_the_clock_wait_until_it_is_moved()
    {
        await using EmulatorHarness emulator = await EmulatorHarness.StartAsync(Yaml, virtualDelays: true);
        Task<(int Status, string Body, HttpResponseMessage Answer)> asked = emulator.ChatAsync("slow");
        await Support.ServerHarness.UntilAsync(() => emulator.Backend.Log.Count == 1);
        while (!asked.IsCompleted)
        {
            emulator.Clock.Advance(TimeSpan.FromHours(1));
            await Task.Yield();
        }

        Assert.Contains("one two", (await asked).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_no_emulator_has_no_such_paths()
    {
        await using Support.ServerHarness server = await Support.ServerHarness.StartAsync();
        using HttpResponseMessage answer = await server.Client.GetAsync("/emulator/requests");
        Assert.Equal(404, (int)answer.StatusCode);
    }

    private static string? Text(JsonElement json, string name) => json.TryGetProperty(name, out JsonElement value) ? value.GetString() : null;
}
