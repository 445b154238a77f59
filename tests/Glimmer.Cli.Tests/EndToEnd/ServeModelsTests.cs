using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary><c>glimmer serve</c> with several models, as a process.</summary>
public sealed partial class ServeModelsTests : ProgramTests
{
    // Room for one of them beside its KV cache, not for two.
    private static readonly string[] Small = ["--threads", "1", "--set", "Engine:KvBytes=16777216", "--set", "Engine:MaxBatch=4", "--set", "Engine:PrefillTokens=64"];

    [Fact]
    public async Task Several_models_answer_under_their_codes_and_the_first_stands_in()
    {
        await using GlimmerProcess server = GlimmerProcess.Start(Folder, ["serve", "--port", "0", "--model", $"first={Model}", "--model", $"second={Model}", .. Small]);
        await server.ReadyAsync();
        using HttpClient client = Client(server);

        using JsonDocument listed = JsonDocument.Parse(await client.GetStringAsync("/api/paas/v4/models"));
        string[] codes = [.. listed.RootElement.GetProperty("data").EnumerateArray().Select(model => model.GetProperty("id").GetString()!)];
        Assert.Contains("first", codes);
        Assert.Contains("second", codes);
        foreach (string code in (string[])["second", "first", "glm-4.7"])
        {
            using HttpResponseMessage response = await AskAsync(client, code);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            string standIn = response.Headers.TryGetValues("X-Glimmer-Model", out IEnumerable<string>? values) ? string.Join(',', values) : "";
            Assert.Equal(code == "glm-4.7" ? "first; stand-in-for=glm-4.7" : "", standIn);
        }

        server.Interrupt();
        ProgramRun end = await server.EndAsync();
        Assert.Equal(0, end.ExitCode);
        Assert.DoesNotContain("\"level\":\"Error\"", end.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Models_take_turns_where_memory_is_short()
    {
        long memory = new FileInfo(Model).Length + (48L << 20);
        await using GlimmerProcess server = GlimmerProcess.Start(
            Folder, ["serve", "--port", "0", "--model", $"first={Model}", "--model", $"second={Model}", "--memory", memory.ToString(CultureInfo.InvariantCulture), .. Small]);
        await server.ReadyAsync();
        using HttpClient client = Client(server);
        foreach (string code in (string[])["first", "second", "first", "second"])
        {
            using HttpResponseMessage response = await AskAsync(client, code);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }

        server.Interrupt();
        ProgramRun end = await server.EndAsync();
        Assert.Equal(3, Regex.Count(end.Errors, "LogEvicted", RegexOptions.NonBacktracking));
    }

    [Fact]
    public async Task Memory_that_is_too_little_for_the_first_model_stops_the_start() =>
        (await RunAsync("serve", "--port", "0", "--memory", "1000000", "--set", "Log:Level=None")).AssertOneClearLine(66, "glimmer-tiny", "MiB", "1.0 MiB");

    [Theory]
    [InlineData("--memory", "0")]
    [InlineData("--set", "Model:Others=;")]
    public async Task A_wrong_value_is_named(string option, string value) =>
        (await RunAsync("serve", "--port", "0", option, value)).AssertOneClearLine(78, "Glimmer:Model:");

    [Fact]
    public async Task A_model_file_that_is_cut_short_ends_in_an_error_and_not_in_a_dead_process()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows does not let a mapped file be cut short.");
        string path = Path.Combine(Folder, "cut.gguf");
        File.Copy(Model, path);
        await using GlimmerProcess server = GlimmerProcess.Start(Folder, ["serve", "--port", "0", "--model", $"whole={Model}", "--model", $"cut={path}", .. Small]);
        await server.ReadyAsync();
        using HttpClient client = Client(server);
        using (HttpResponseMessage before = await AskAsync(client, "cut"))
            Assert.Equal(HttpStatusCode.OK, before.StatusCode);

        using (FileStream file = new(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            file.SetLength(file.Length / 3);

        // Whoever asks has the file looked at, at most once a second.
        await Task.Delay(TimeSpan.FromSeconds(1.5), TestContext.Current.CancellationToken);

        using (HttpResponseMessage after = await AskAsync(client, "cut"))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, after.StatusCode);
            Assert.Contains("1234", await after.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        using (HttpResponseMessage other = await AskAsync(client, "whole"))
            Assert.Equal(HttpStatusCode.OK, other.StatusCode);
        File.Copy(Model, path + ".new");
        File.Move(path + ".new", path, overwrite: true);

        // A failed load is tried again after two seconds.
        HttpStatusCode again = HttpStatusCode.ServiceUnavailable;
        await Eventually.HoldsAsync(async () =>
        {
            using HttpResponseMessage answer = await AskAsync(client, "cut");
            again = answer.StatusCode;
            return again != HttpStatusCode.ServiceUnavailable;
        });
        Assert.Equal(HttpStatusCode.OK, again);
    }

    private static Task<HttpResponseMessage> AskAsync(HttpClient client, string code) => client.PostAsJsonAsync(
        "/api/paas/v4/chat/completions",
        new { model = code, max_tokens = 8, thinking = new { type = "disabled" }, messages = new[] { new { role = "user", content = "Hello!" } } });

    private static HttpClient Client(GlimmerProcess server)
    {
        HttpClient client = new() { BaseAddress = new Uri(Address().Match(server.Output).Value), Timeout = TimeSpan.FromMinutes(2) };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key().Match(server.Output).Value);
        return client;
    }

    [GeneratedRegex(@"http://[\d.]+:\d+", RegexOptions.NonBacktracking)]
    private static partial Regex Address();

    [GeneratedRegex(@"\b[0-9a-zA-Z]{16,}\.[0-9a-zA-Z]{16,}\b", RegexOptions.NonBacktracking)]
    private static partial Regex Key();
}
