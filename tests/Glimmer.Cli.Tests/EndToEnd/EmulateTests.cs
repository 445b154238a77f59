using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Glimmer.Cli.Emulator;
using Glimmer.Inference.Script;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary><c>glimmer emulate</c> and <c>glimmer health</c> as processes.</summary>
public sealed partial class EmulateTests : ProgramTests
{
    private const string WellKnownKey = "61d4c0de61d4c0de61d4c0de61d4c0de.EmulatorTestCredential00";
    private const string Question = """{"model":"glm-4.7","messages":[{"role":"user","content":"QUESTION"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}]}""";

    [Fact]
    public async Task A_strict_run_says_where_it_listens_and_ends_with_what_went_wrong()
    {
        string scenario = Write("s.yaml", "rules:\n  - { name: greet, when: { last: hello }, expect: 1, reply: Hi! }\nfallback: never");
        string ready = Path.Combine(Folder, "ready.json");
        await using GlimmerProcess process = GlimmerProcess.Start(Folder, ["emulate", scenario, "--port", "0", "--strict", "--seed", "1", "--clock", "2026-01-01T00:00:00Z", "--ready-file", ready]);
        await process.ReadyAsync();

        string first = process.Output.Split('\n')[0];
        Assert.Equal(first, File.ReadAllText(ready).Trim());
        using JsonDocument told = JsonDocument.Parse(first);
        string url = told.RootElement.GetProperty("url").GetString()!;
        Assert.Equal(WellKnownKey, told.RootElement.GetProperty("key").GetString());
        using HttpClient client = Client(url);
        (HttpStatusCode status, string body) = await AskAsync(client, "hello");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Contains("\"created\":1767225600", body, StringComparison.Ordinal);
        (status, body) = await AskAsync(client, "good night");
        Assert.Equal(HttpStatusCode.InternalServerError, status);
        Assert.Contains("- last: expected \\\"hello\\\", actual \\\"good night\\\"", body, StringComparison.Ordinal);
        Assert.Equal((0, "ready\n"), await HealthAsync(url));

        process.Interrupt();
        ProgramRun run = await process.EndAsync();
        Assert.Equal(1, run.ExitCode);
        Assert.Contains("1 requests matched no rule", run.Errors, StringComparison.Ordinal);
        Assert.Contains("\"No rule of the scenario matches this request.", run.Errors, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(Folder, "data")));
        Assert.Equal(69, (await RunAsync("health", url)).ExitCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Answers_are_recorded_from_a_service_and_said_again_without_it(bool file)
    {
        string scenario = Write("live.yaml", "rules:\n  - { when: { last: tools }, reply: { thinking: hm, text: Look., tool_calls: [{ name: f, arguments: { a: 1 } }] } }\n  - { when: { last: busy }, reply: { error: { code: 1302, retry_after: 7 } } }\nfallback: { thinking: Well., text: \"Hello, 世界 🌍!\" }");
        string recorded = Path.Combine(Folder, "out.yaml");
        string[] questions = ["hi", "tools", "busy", "hi"];
        List<string> live = [];
        const string Key = "abcdefabcdefabcdefabcdefabcdefab.OtherCredentialOfTests00";
        await using (GlimmerProcess upstream = GlimmerProcess.Start(Folder, ["emulate", scenario, "--port", "0"]))
        {
            await upstream.ReadyAsync();
            string url = UrlOf(upstream);
            string[] from = file
                ? ["--backends", Write("backends.yaml", $"backends:\n- {{name: up, kind: zai, url: '{url}/api/paas/v4', api_key: env:GLIMMER_BACKEND_KEY, models: [glm-4.7]}}")]
                : ["--backend", url + "/api/paas/v4"];
            await using GlimmerProcess recorder = GlimmerProcess.Start(
                Folder, ["emulate", "--record", recorded, .. from, "--key", Key, "--port", "0"], null, ("GLIMMER_BACKEND_KEY", WellKnownKey));
            await recorder.ReadyAsync();
            using HttpClient client = Client(UrlOf(recorder), Key);
            foreach (string question in questions)
                live.Add(Meaning(await AskAsync(client, question)));
            recorder.Interrupt();
            Assert.Equal(0, (await recorder.EndAsync()).ExitCode);
        }

        string text = File.ReadAllText(recorded);
        Assert.Equal(3, text.Split("fingerprint:").Length - 1);
        Assert.DoesNotContain("EmulatorTestCredential00", text, StringComparison.Ordinal);
        Assert.DoesNotContain("OtherCredentialOfTests00", text, StringComparison.Ordinal);
        await using GlimmerProcess replay = GlimmerProcess.Start(Folder, ["emulate", recorded, "--port", "0", "--strict"]);
        await replay.ReadyAsync();
        using HttpClient again = Client(UrlOf(replay));
        foreach ((string question, string said) in questions.Zip(live))
            Assert.Equal(said, Meaning(await AskAsync(again, question)));
        Assert.Contains("Hello, 世界 🌍!", live[0], StringComparison.Ordinal);
        Assert.Contains("tool_calls", live[1], StringComparison.Ordinal);
        replay.Interrupt();
        Assert.Equal(0, (await replay.EndAsync()).ExitCode);
    }

    /// <summary>Every way to ask is recorded and replayed without the service: dialects, streams, tasks, vectors, reranking.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_dialect_and_vectors_are_recorded(bool file)
    {
        (string Path, string Body)[] asked =
        [
            ("/v1/chat/completions", """{"model":"glm-4.7","stream":true,"messages":[{"role":"user","content":"streamed"}]}"""),
            ("/api/anthropic/v1/messages", """{"model":"glm-4.7","max_tokens":50,"messages":[{"role":"user","content":"anthropic"}]}"""),
            ("/v1/responses", """{"model":"glm-4.7","input":"responses"}"""),
            ("/api/chat", """{"model":"glm-4.7","stream":false,"messages":[{"role":"user","content":"ollama"}]}"""),
            ("/api/paas/v4/async/chat/completions", """{"model":"glm-4.7","messages":[{"role":"user","content":"later"}]}"""),
            ("/api/paas/v4/embeddings", """{"model":"embedding-3","input":["a","b"]}"""),
            ("/v1/embeddings", """{"model":"embedding-3","input":"c","encoding_format":"base64"}"""),
            ("/api/embed", """{"model":"embedding-3","input":["d"]}"""),
            ("/api/paas/v4/rerank", """{"model":"rerank","query":"a","documents":["b","c","d"]}"""),
        ];
        string recorded = Path.Combine(Folder, "all.yaml");
        List<string> live;
        string scenario = Write("up.yaml", "fallback: { thinking: Hm., text: 'live {{last}}' }\nembeddings: [{ model: embedding-3, dimensions: 6 }]");
        await using (GlimmerProcess upstream = GlimmerProcess.Start(Folder, ["emulate", scenario, "--port", "0", "--seed", "77"]))
        {
            await upstream.ReadyAsync();
            string url = UrlOf(upstream) + "/api/paas/v4";
            string[] from = file
                ? ["--backends", Write("backends.yaml", $"backends:\n- {{name: up, kind: zai, url: '{url}', api_key: env:GLIMMER_BACKEND_KEY, models: [glm-4.7, {{code: embedding-3, kind: embedding}}]}}")]
                : ["--backend", url, "--embedding-model", "embedding-3"];
            await using GlimmerProcess recorder = GlimmerProcess.Start(Folder, ["emulate", "--record", recorded, .. from, "--port", "0"], null, ("GLIMMER_BACKEND_KEY", WellKnownKey));
            await recorder.ReadyAsync();
            live = await SaidAsync(UrlOf(recorder), asked);
            recorder.Interrupt();
            Assert.Equal(0, (await recorder.EndAsync()).ExitCode);
        }

        Assert.Equal(asked.Length, File.ReadAllText(recorded).Split("fingerprint:").Length - 1);
        await using GlimmerProcess replay = GlimmerProcess.Start(Folder, ["emulate", recorded, "--port", "0", "--strict"]);
        await replay.ReadyAsync();
        Assert.Equal(live, await SaidAsync(UrlOf(replay), asked));
        replay.Interrupt();
        Assert.Equal(0, (await replay.EndAsync()).ExitCode);
    }

    [Fact]
    public async Task A_changed_scenario_is_played_from_its_beginning()
    {
        string path = Write("watched.yaml", "fallback: one");
        string more = Write("more.yaml", "rules: [{ when: { last: more }, reply: other file }]");
        await using GlimmerProcess emulator = GlimmerProcess.Start(Folder, ["emulate", path, more, "--watch", "--port", "0"]);
        await emulator.ReadyAsync();
        using HttpClient client = Client(UrlOf(emulator));
        Assert.Contains("\"one\"", (await AskAsync(client, "x")).Body, StringComparison.Ordinal);
        Assert.Contains("other file", (await AskAsync(client, "more")).Body, StringComparison.Ordinal);
        Write("watched.yaml", "fallback: another");
        await Eventually.HoldsAsync(async () => (await AskAsync(client, "x")).Body.Contains("\"another\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_scenario_that_changes_between_its_reading_and_the_watching_is_played()
    {
        string path = Write("early.yaml", "fallback: one");
        (DateTime, long)[] before = ScenarioWatch.Look([path]);
        ScriptChatBackend backend = new(ScenarioReader.ReadFile(path), new Lazy<Glimmer.Dialogue.Tokenization.ITokenizer>(() => throw new InvalidOperationException("No answer is written here.")), new ScriptOptions());
        Write("early.yaml", "fallback: another");
        using CancellationTokenSource stop = new();
        Task watching = ScenarioWatch.RunAsync([path], before, backend, static _ => { }, static _ => { }, stop.Token);
        await Eventually.HoldsAsync(() => backend.Scenario.Fallback?.Text == "another");
        await stop.CancelAsync();
        await watching;
    }

    [Fact]
    public async Task A_changed_scenario_that_is_broken_leaves_the_former_one()
    {
        string path = Write("broken.yaml", "fallback: one");
        ScriptChatBackend backend = new(ScenarioReader.ReadFile(path), new Lazy<Glimmer.Dialogue.Tokenization.ITokenizer>(() => throw new InvalidOperationException("No answer is written here.")), new ScriptOptions());
        ConcurrentQueue<string> told = [], warned = [];
        using CancellationTokenSource stop = new();
        Task watching = ScenarioWatch.RunAsync([path], ScenarioWatch.Look([path]), backend, told.Enqueue, warned.Enqueue, stop.Token);
        Write("broken.yaml", "fallback: [broken");
        await Eventually.HoldsAsync(() => !warned.IsEmpty);
        Assert.Equal("one", backend.Scenario.Fallback?.Text);
        Assert.Contains("broken.yaml, line ", warned.First(), StringComparison.Ordinal);
        Write("broken.yaml", "fallback: whole again");
        await Eventually.HoldsAsync(() => backend.Scenario.Fallback?.Text == "whole again");
        await stop.CancelAsync();
        await watching;
    }

    [Theory]
    [InlineData(64, "emulate")]
    [InlineData(64, "emulate", "--watch", "--record", "x.yaml", "--backend", "http://127.0.0.1:1")]
    [InlineData(64, "emulate", "--record", "x.yaml", "--backend", "https://x/api/anthropic", "--embedding-model", "e")]
    [InlineData(65, "emulate", "s.yaml", "missing.yaml")]
    [InlineData(64, "emulate", "--record", "x.yaml")]
    [InlineData(64, "emulate", "s.yaml", "--backends", "b.yaml")]
    [InlineData(64, "emulate", "--record", "x.yaml", "--backends", "b.yaml", "--model", "glm-4.7")]
    [InlineData(78, "emulate", "--record", "x.yaml", "--backends", "missing.yaml")]
    [InlineData(64, "emulate", "s.yaml", "--seed", "many")]
    [InlineData(64, "emulate", "s.yaml", "--clock", "noon")]
    [InlineData(64, "emulate", "--record", "x.yaml", "--backend", "ftp://x")]
    [InlineData(64, "emulate", "--record", "x.yaml", "--backend", "http://127.0.0.1:1", "--host", "*")]
    [InlineData(65, "emulate", "missing.yaml")]
    [InlineData(73, "emulate", "s.yaml", "--key", "short", "--port", "0")]
    [InlineData(64, "health", "ftp://x")]
    [InlineData(69, "health", "http://127.0.0.1:1")]
    public async Task A_mistake_is_one_line(int code, params string[] arguments)
    {
        Write("s.yaml", "fallback: x");
        Write("b.yaml", "backends: [{name: a, kind: zai, url: 'http://127.0.0.1:1', models: [glm-4.7]}]");
        (await RunAsync(arguments)).AssertOneClearLine(code, arguments[0]);
    }

    [Fact]
    public async Task The_samples_for_other_languages_run()
    {
        string samples = Path.Combine(Fixtures.RepositoryRoot, "samples", "emulator");
        int ran = 0;
        foreach ((string program, string[] arguments) in new (string, string[])[]
        {
            ("python3", [Path.Combine(samples, "python", "test_app.py")]),
            ("node", ["--test", Path.Combine(samples, "node", "app.test.mjs")]),
            ("java", [Path.Combine(samples, "java", "GlimmerEmulator.java"), Path.Combine(samples, "greet.yaml")]),
        })
        {
            if (await RunSampleAsync(program, arguments) is not { } run)
                continue;
            Assert.True(run.ExitCode == 0, $"{program}: {run.Output}\n{run.Errors}");
            ran++;
        }

        Assert.SkipUnless(ran > 0, "None of Python, Node.js and Java is installed here.");
    }

    [Fact]
    public async Task The_sample_for_dotnet_runs()
    {
        string samples = Path.Combine(Fixtures.RepositoryRoot, "samples", "emulator");
        Environment.SetEnvironmentVariable("GLIMMER_COMMAND", Command);
        await using Samples.Emulator.GlimmerEmulator emulator = await Samples.Emulator.GlimmerEmulator.StartAsync(Path.Combine(samples, "greet.yaml"));
        (HttpStatusCode status, string body) = await AskAsync(emulator.Client, "hello you");
        Assert.True(status == HttpStatusCode.OK, body);
        Assert.Contains("Hello, hello you!", body, StringComparison.Ordinal);
        using HttpResponseMessage verdict = await emulator.Client.GetAsync(new Uri("/emulator/verify", UriKind.Relative));
        Assert.Equal(HttpStatusCode.OK, verdict.StatusCode);
    }

    private static string Command => "dotnet " + Path.Combine(AppContext.BaseDirectory, "glimmer.dll");

    private static string UrlOf(GlimmerProcess process)
    {
        using JsonDocument told = JsonDocument.Parse(process.Output.Split('\n')[0]);
        return told.RootElement.GetProperty("url").GetString()!;
    }

    private static HttpClient Client(string url, string key = WellKnownKey)
    {
        HttpClient client = new() { BaseAddress = new Uri(url) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        return client;
    }

    private static async Task<(HttpStatusCode Status, string Body)> AskAsync(HttpClient client, string question)
    {
        using StringContent content = new(Question.Replace("QUESTION", question, StringComparison.Ordinal), Encoding.UTF8, "application/json");
        using HttpResponseMessage answer = await client.PostAsync(new Uri("/api/paas/v4/chat/completions", UriKind.Relative), content);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync() + answer.Headers.RetryAfter);
    }

    /// <summary>An answer without what differs from run to run: ids and times.</summary>
    private static string Meaning((HttpStatusCode Status, string Body) answer)
    {
        string body = System.Text.RegularExpressions.Regex.Replace(answer.Body, "\"(?:id|request_id)\":\"[^\"]*\"|\"created\":\\d+", "", System.Text.RegularExpressions.RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(60));
        return $"{(int)answer.Status} {body}";
    }

    /// <summary>What was said to each, without ids, moments and durations; a task is waited for.</summary>
    private static async Task<List<string>> SaidAsync(string url, (string Path, string Body)[] asked)
    {
        using HttpClient client = Client(url);
        List<string> said = [];
        foreach ((string path, string body) in asked)
        {
            using StringContent content = new(body, Encoding.UTF8, "application/json");
            using HttpResponseMessage answer = await client.PostAsync(new Uri(path, UriKind.Relative), content);
            string text = await answer.Content.ReadAsStringAsync();
            Assert.True(answer.IsSuccessStatusCode, $"{path}: {text}");
            if (path.Contains("/async/", StringComparison.Ordinal))
            {
                string id = JsonDocument.Parse(text).RootElement.GetProperty("id").GetString()!;
                await Eventually.HoldsAsync(async () => (text = await client.GetStringAsync(new Uri("/api/paas/v4/async-result/" + id, UriKind.Relative))).Contains("\"choices\"", StringComparison.Ordinal));
            }

            said.Add(Ephemeral().Replace(text, ""));
        }

        return said;
    }

    [System.Text.RegularExpressions.GeneratedRegex("\"(?:id|item_id|request_id|created|created_at|completed_at|[a-z_]+_duration|signature|encrypted_content)\":(?:\"[^\"]*\"|[0-9]+)", System.Text.RegularExpressions.RegexOptions.None, matchTimeoutMilliseconds: 60_000)]
    private static partial System.Text.RegularExpressions.Regex Ephemeral();

    private async Task<(int Code, string Output)> HealthAsync(string url)
    {
        ProgramRun run = await RunAsync("health", url, "--timeout", "120");
        return (run.ExitCode, run.Output.ReplaceLineEndings("\n"));
    }

    private async Task<ProgramRun?> RunSampleAsync(string program, string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { WorkingDirectory = Folder, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["GLIMMER_COMMAND"] = Command;
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        try
        {
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            try
            {
                string output = await process.StandardOutput.ReadToEndAsync().WaitAsync(Eventually.Patience);
                await process.WaitForExitAsync().WaitAsync(Eventually.Patience);
                return new ProgramRun(process.ExitCode, output, await errors);
            }
            finally
            {
                if (!process.HasExited)
                    process.Kill(entireProcessTree: true);
            }
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    }
}
