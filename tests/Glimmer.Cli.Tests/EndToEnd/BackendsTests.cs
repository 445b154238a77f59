using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary><c>glimmer serve --backends</c> in front of another process and of its own engine, and <c>glimmer backends</c>.</summary>
public sealed partial class BackendsTests : ProgramTests
{
    [Fact]
    public async Task A_server_stands_before_another_and_beside_its_own_engine_and_is_steered_while_it_runs()
    {
        Write("scenario.yaml", "models: [glm-4.7]\nfallback: {text: I am elsewhere.}\n");
        await using GlimmerProcess inner = GlimmerProcess.Start(Folder, ["emulate", "scenario.yaml", "--port", "0", "--data", "inner"]);
        await inner.ReadyAsync();
        (string innerUrl, string innerKey) = AddressOf(inner);
        Write("key", innerKey + "\n");
        string Set(string more) => $"backends:\n- {{name: elsewhere, kind: zai, url: '{innerUrl}/api/paas/v4', api_key: 'file:key', models: [glm-4.7]}}\n{more}";
        Write("backends.yaml", Set(""));

        await using GlimmerProcess outer = GlimmerProcess.Start(
            Folder,
            ["serve", "--port", "0", "--data", "outer", "--backends", "backends.yaml", "--model", $"own={Model}", "--threads", "1", "--set", "Engine:KvBytes=16777216", "--set", "Engine:MaxBatch=4", "--set", "Engine:PrefillTokens=64", "--set", "Backends:ShowInHeader=true", "--set", "Backends:WatchSeconds=0"]);
        await outer.ReadyAsync();
        (string url, string key) = AddressOf(outer);
        Assert.Contains("glm-4.7; from", outer.Output, StringComparison.Ordinal);
        using HttpClient client = new() { BaseAddress = new Uri(url) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);

        using HttpResponseMessage elsewhere = await AskAsync(client, "glm-4.7");
        Assert.Equal(("elsewhere", true), (Assert.Single(elsewhere.Headers.GetValues("X-Glimmer-Backend")), (await elsewhere.Content.ReadAsStringAsync()).Contains("I am elsewhere.", StringComparison.Ordinal)));
        using HttpResponseMessage own = await AskAsync(client, "own");
        Assert.Equal("embedded:own", Assert.Single(own.Headers.GetValues("X-Glimmer-Backend")));
        using HttpResponseMessage stood = await AskAsync(client, "glm-5");
        Assert.Equal("own; stand-in-for=glm-5", Assert.Single(stood.Headers.GetValues("X-Glimmer-Model")));

        string[] there = ["--url", url, "--key", key];
        using JsonDocument list = JsonDocument.Parse((await RunAsync(["backends", "list", "--json", .. there])).Output);
        Assert.Equal(["embedded:own", "elsewhere"], list.RootElement.GetProperty("data").EnumerateArray().Select(backend => backend.GetProperty("name").GetString()));
        Assert.Contains("state: draining", (await RunAsync(["backends", "drain", "elsewhere", .. there])).Output, StringComparison.Ordinal);
        using HttpResponseMessage drained = await AskAsync(client, "glm-4.7");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, drained.StatusCode);
        Assert.Contains("state: ready", (await RunAsync(["backends", "undrain", "elsewhere", .. there])).Output, StringComparison.Ordinal);
        Assert.Contains("weight: 7", (await RunAsync(["backends", "weight", "elsewhere", "7", .. there])).Output, StringComparison.Ordinal);

        Write("backends.yaml", Set($"- {{name: again, kind: zai, url: '{innerUrl}/api/paas/v4', api_key: 'file:key', models: [again]}}\nrouting: {{stand_in: glm-4.7}}\n"));
        Assert.Contains("changed_now: yes", (await RunAsync(["backends", "reload", .. there])).Output, StringComparison.Ordinal);
        Assert.Contains("weight: 7", (await RunAsync(["backends", "show", "elsewhere", .. there])).Output, StringComparison.Ordinal);
        using HttpResponseMessage stoodElsewhere = await AskAsync(client, "glm-5");
        Assert.Equal("glm-4.7; stand-in-for=glm-5", Assert.Single(stoodElsewhere.Headers.GetValues("X-Glimmer-Model")));
        Write("backends.yaml", Set("- {name: again, kind: telepathy}\n"));
        (await RunAsync(["backends", "reload", .. there])).AssertOneClearLine(1, "backends.yaml, line 3", "telepathy", "vllm");
        (await RunAsync("backends", "check", "backends.yaml")).AssertOneClearLine(78, "line 3", "telepathy");
        (await RunAsync(["backends", "drain", "nobody", .. there])).AssertOneClearLine(1, "no such backend");
        (await RunAsync("backends", "list", "--url", url)).AssertOneClearLine(64, "GLIMMER_API_KEY");
        Write("backends.yaml", Set(""));
        Assert.Contains("1 backends, 1 models", (await RunAsync("backends", "check", "backends.yaml")).Output, StringComparison.Ordinal);

        outer.Interrupt();
        ProgramRun end = await outer.EndAsync();
        Assert.Equal(0, end.ExitCode);
    }

    [Fact]
    public async Task A_file_that_is_wrong_stops_the_start_and_a_backend_that_is_away_does_not()
    {
        Write("wrong.yaml", "backends:\n- {name: a}\n");
        (await RunAsync("serve", "--backends", "wrong.yaml", "--port", "0")).AssertOneClearLine(78, "wrong.yaml, line 2", "kind");
        (await RunAsync("serve", "--backends", "none.yaml", "--port", "0")).AssertOneClearLine(78, "none.yaml");

        Write("away.yaml", "backends:\n- {name: a, kind: openai, url: 'http://127.0.0.1:1', models: [m]}\nrouting: {probe: {interval: 100ms, failures: 1}}\n");
        await using GlimmerProcess server = GlimmerProcess.Start(Folder, ["serve", "--backends", "away.yaml", "--port", "0"]);
        await server.ReadyAsync();
        (string url, string key) = AddressOf(server);
        using HttpClient client = new() { BaseAddress = new Uri(url) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using HttpResponseMessage asked = await AskAsync(client, "m");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, asked.StatusCode);
        using HttpResponseMessage ready = await client.GetAsync("/health/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
    }

    private static Task<HttpResponseMessage> AskAsync(HttpClient client, string model) => client.PostAsync(
        "/api/paas/v4/chat/completions",
        new StringContent($$"""{"model":"{{model}}","max_tokens":12,"messages":[{"role":"user","content":"hi"}]}""", Encoding.UTF8, "application/json"));

    private static (string Url, string Key) AddressOf(GlimmerProcess process)
    {
        Match banner = Banner.Match(process.Output);
        return (banner.Groups["url"].Value, banner.Groups["key"].Value);
    }

    [GeneratedRegex(@"ready at (?<url>http://\S+)[\s\S]*?key +(?<key>\S+)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Banner { get; }
}
