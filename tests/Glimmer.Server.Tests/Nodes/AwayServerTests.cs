using System.Net.Http.Headers;
using System.Text.Json;
using System.Threading.Channels;
using Glimmer.Platform.Store;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Glimmer.Server.Tests.Nodes;

/// <summary>A server whose PostgreSQL goes away and comes back.</summary>
public sealed class AwayServerTests : IDisposable
{
    private const string Chat = """{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""";
    private readonly PostgresCluster _postgres = PostgresCluster.Start();

    public AwayServerTests()
    {
        if (_postgres.Missing is { } reason)
            Assert.Skip(reason);
    }

    [Fact]
    public async Task Streams_finish_new_requests_are_answered_and_the_server_says_how_it_is()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync(WithPostgres);
        await harness.ChatAsync(Chat);
        JsonElement kept = await harness.ChatAsync("""{"model":"glm-4.7","input":"a","store":true}""", "/v1/responses");
        await harness.Server.Ledger.FlushAsync();   // on a slow machine the journal may have them first
        var gate = Channel.CreateUnbounded<int>();
        harness.Backend.Script = _ => ChatScript.Of("one", "two", "three") with { Gate = gate.Reader };
        Task<List<JsonElement>> stream = harness.StreamAsync("""{"model":"glm-4.7","stream":true,"messages":[{"role":"user","content":"hi"}]}""");
        await gate.Writer.WriteAsync(1);
        await ServerHarness.UntilAsync(() => harness.Backend.Active == 1);

        _postgres.Halt();
        harness.Backend.Script = static _ => ChatScript.Of("Hello");
        gate.Writer.TryWrite(1);
        gate.Writer.TryWrite(1);
        gate.Writer.Complete();
        List<JsonElement> chunks = await stream;
        Assert.Equal("onetwothree", string.Concat(chunks.Select(chunk => chunk.GetProperty("choices")[0].GetProperty("delta").TryGetProperty("content", out JsonElement text) ? text.GetString() : "")));
        await harness.ChatAsync(Chat);
        JsonElement later = await harness.ChatAsync("""{"model":"glm-4.7","input":"b","store":true}""", "/v1/responses");

        await ServerHarness.UntilAsync(() => Ready(harness).Body.Contains("away_since", StringComparison.Ordinal));
        (int status, string body) = Ready(harness);
        Assert.Equal(200, status);
        Assert.Equal("ready", JsonDocument.Parse(body).RootElement.GetProperty("status").GetString());
        Assert.Equal(3, JsonDocument.Parse(body).RootElement.GetProperty("database").GetProperty("journal").GetInt64());
        string metrics = await harness.Client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
        Assert.Contains("glimmer_store_away 1", metrics, StringComparison.Ordinal);
        Assert.Contains("glimmer_store_journal_waiting 3", metrics, StringComparison.Ordinal);

        // What needs the database is told to come later, in every dialect's form; nothing of it was done.
        foreach ((string path, string request) in new[]
        {
            ("/api/paas/v4/async/chat/completions", Chat),
            ("/v1/responses", """{"model":"glm-4.7","input":"b","background":true}"""),
            ("/v1/messages/batches", """{"requests":[{"custom_id":"a","params":{"model":"glm-4.7","max_tokens":9,"messages":[{"role":"user","content":"x"}]}}]}"""),
        })
        {
            using HttpResponseMessage refused = await harness.PostAsync(request, path);
            string said = await refused.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            Assert.True((int)refused.StatusCode is 503 or 529, path + said);   // 529 is how Anthropic says it
            Assert.Equal(TimeSpan.FromSeconds(5), refused.Headers.RetryAfter!.Delta);
        }

        using (HttpResponseMessage read = await harness.Client.GetAsync(new Uri($"/v1/responses/{kept.GetProperty("id").GetString()}", UriKind.Relative), TestContext.Current.CancellationToken))
            Assert.Equal(503, (int)read.StatusCode);
        string address = $"/v1/responses/{later.GetProperty("id").GetString()}";
        Assert.Contains("Hello", await harness.Client.GetStringAsync(address, TestContext.Current.CancellationToken), StringComparison.Ordinal);

        _postgres.Resume();
        await harness.Server.Ledger.FlushAsync();
        await ServerHarness.UntilAsync(() => !Ready(harness).Body.Contains("away_since", StringComparison.Ordinal));
        Assert.Empty(await harness.Server.Ledger.AuditAsync());
        Assert.Equal(5L, Count("SELECT COUNT(DISTINCT request) FROM ledger_usage"));
        Assert.Equal(5L, Count("SELECT COUNT(*) FROM ledger_usage"));
        await ServerHarness.UntilAsync(() => Count("SELECT COUNT(*) FROM responses") == 2);
        await harness.ChatAsync(Chat);

        (LogLevel Level, int Id, string Text)[] lines = [.. harness.Logs.Lines.Where(line => line.Id is > 1001 and < 1100)];
        Assert.Equal([1007, 1008], lines.Select(static line => line.Id));
    }

    [Fact]
    public async Task A_server_that_refuses_while_the_database_is_away_is_not_ready()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync(options => WithPostgres(options) with { StoreWhenAway = StoreAwayPolicy.Refuse });
        _postgres.Halt();
        await ServerHarness.UntilAsync(() => Ready(harness).Status == 503);
        Assert.Contains("waiting for the database", Ready(harness).Body, StringComparison.Ordinal);
        using (HttpResponseMessage refused = await harness.PostAsync(Chat))
        {
            Assert.Equal(503, (int)refused.StatusCode);
            Assert.Contains("\"1234\"", await refused.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }

        using HttpResponseMessage live = await harness.Client.GetAsync(new Uri("/health/live", UriKind.Relative), TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)live.StatusCode);
        _postgres.Resume();
        await ServerHarness.UntilAsync(() => Ready(harness).Status == 200);
        await harness.ChatAsync(Chat);
    }

    [Fact]
    public async Task A_start_waits_for_the_database_and_says_so_and_then_settles_what_the_last_run_left()
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-wait-").FullName;
        int port = LoopbackPorts.Take();
        GlimmerOptions options = WithPostgres(new GlimmerOptions { Port = port, DataFolder = folder, LogLevel = LogLevel.None, DrainTime = TimeSpan.Zero });
        var backend = new ScriptedBackend("glimmer-tiny");
        var slot = new ChatBackendSlot();
        slot.Fill([backend], backend);
        string key;
        using var client = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        await using (var first = GlimmerServer.Create(options, slot))
        {
            await first.StartAsync(TestContext.Current.CancellationToken);
            key = first.FirstKey!.Value.Credential;
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
            _postgres.Halt();
            using HttpResponseMessage answered = await client.PostAsync("/api/paas/v4/chat/completions", new StringContent(Chat), TestContext.Current.CancellationToken);
            Assert.Equal(200, (int)answered.StatusCode);
        }

        Assert.Single(Directory.GetFiles(Path.Combine(folder, "journal")));
        NpgsqlConnection.ClearAllPools();
        Task<GlimmerServer> starting = GlimmerServer.CreateWhenReadyAsync(options, slot, cancel: TestContext.Current.CancellationToken);
        string ready = "";
        await ServerHarness.UntilAsync(() => Try(client, "/health/ready", out ready) == 503);
        Assert.Contains("waiting for the database", ready, StringComparison.Ordinal);
        Assert.Equal(200, Try(client, "/health/live", out _));
        Assert.Equal(503, Try(client, "/v1/models", out string error));
        Assert.Contains("error", error, StringComparison.Ordinal);
        _postgres.Resume();
        await using (GlimmerServer second = await starting)
        {
            Assert.Equal(1, Assert.Single(second.Ledger.Replays).Requests);
            await second.StartAsync(TestContext.Current.CancellationToken);
            Assert.Equal(200, Try(client, "/health/ready", out _));
            Assert.Equal(1L, Count("SELECT COUNT(*) FROM ledger_usage"));
        }

        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task A_server_stops_though_nobody_can_tell_what_became_of_its_last_commit()
    {
        ServerHarness harness = await ServerHarness.StartAsync(WithPostgres);

        // Commits take their time, so that the database goes away within one: of the runner of tasks, which looks at them every few seconds.
        Execute("CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN NULL; END'");
        Execute("CREATE CONSTRAINT TRIGGER slow AFTER INSERT OR UPDATE ON store_commits DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pause()");
        await ServerHarness.UntilAsync(() => Count("SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query ILIKE 'commit%'") > 0);
        _postgres.Halt();
        await harness.DisposeAsync().AsTask().WaitAsync(Eventually.Patience, TestContext.Current.CancellationToken);
        _postgres.Resume();
    }

    [Fact]
    public async Task A_start_that_may_not_wait_fails_with_what_to_do()
    {
        _postgres.Halt();
        string folder = Directory.CreateTempSubdirectory("glimmer-wait-").FullName;
        GlimmerOptions options = WithPostgres(new GlimmerOptions { Port = 0, DataFolder = folder, LogLevel = LogLevel.None, StoreWait = TimeSpan.Zero });
        GlimmerStartupException fault = await Assert.ThrowsAsync<GlimmerStartupException>(() => GlimmerServer.CreateWhenReadyAsync(options, new ChatBackendSlot()));
        Assert.Equal(73, fault.ExitCode);
        Assert.Contains("Start PostgreSQL", fault.Message, StringComparison.Ordinal);
        _postgres.Resume();
        Directory.Delete(folder, recursive: true);
    }

    public void Dispose() => _postgres.Dispose();

    private GlimmerOptions WithPostgres(GlimmerOptions options) => options with { StoreConnectionString = _postgres.ConnectionString, StoreDurability = StoreDurability.Full };

    private void Execute(string sql)
    {
        using var connection = new NpgsqlConnection(_postgres.ConnectionString);
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        command.ExecuteNonQuery();
    }

    private long Count(string sql)
    {
        using var connection = new NpgsqlConnection(_postgres.ConnectionString);
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        return (long)command.ExecuteScalar()!;
    }

    private static (int Status, string Body) Ready(ServerHarness harness) => (Try(harness.Client, "/health/ready", out string body), body);

    private static int Try(HttpClient client, string path, out string body)
    {
        body = "";
        try
        {
            using HttpResponseMessage response = client.GetAsync(new Uri(path, UriKind.Relative)).GetAwaiter().GetResult();
            body = response.Content.ReadAsStringAsync().GetAwaiter().GetResult();
            return (int)response.StatusCode;
        }
        catch (HttpRequestException)
        {
            return 0;
        }
    }
}
