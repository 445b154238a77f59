using System.Diagnostics;
using System.Text.Json;
using System.Threading.Channels;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Nodes;

/// <summary>Two servers on one PostgreSQL.</summary>
public sealed class SharedServerTests : IDisposable
{
    private const string Chat = """{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""";
    private readonly PostgresCluster _postgres = PostgresCluster.Start();

    public SharedServerTests()
    {
        if (_postgres.Missing is { } reason)
            Assert.Skip(reason);
    }

    [Fact]
    public async Task Two_servers_answer_share_limits_and_see_each_other()
    {
        await using ServerHarness first = await ServerHarness.StartAsync(options => options with { StoreConnectionString = _postgres.ConnectionString });
        await first.ChatAsync(Chat);
        await UntilCountedAsync(first, 1);
        string folder = Directory.CreateTempSubdirectory("glimmer-second-").FullName;
        File.Copy(Path.Combine(first.Folder, "protection.key"), Path.Combine(folder, "protection.key"));
        var backend = new ScriptedBackend("glimmer-tiny") { Name = "embedded" };
        var slot = new ChatBackendSlot();
        slot.Fill([backend], backend);
        GlimmerOptions options = new() { Port = 0, DataFolder = folder, LogLevel = LogLevel.None, DrainTime = TimeSpan.Zero, StoreConnectionString = _postgres.ConnectionString };
        await using (GlimmerServer second = GlimmerServer.Create(options, slot))
        {
            await second.StartAsync(TestContext.Current.CancellationToken);
            using var client = new HttpClient { BaseAddress = second.Addresses[0], Timeout = TimeSpan.FromMinutes(2) };
            client.DefaultRequestHeaders.Authorization = first.Client.DefaultRequestHeaders.Authorization;
            await UntilCountedAsync(first, 2);
            await first.ChatAsync(Chat);
            using HttpResponseMessage answered = await client.PostAsync("/api/paas/v4/chat/completions", new StringContent(Chat), TestContext.Current.CancellationToken);
            Assert.Equal(200, (int)answered.StatusCode);
            JsonElement nodes = JsonDocument.Parse(await first.Client.GetStringAsync("/api/admin/nodes", TestContext.Current.CancellationToken)).RootElement.GetProperty("data");
            Assert.Equal(2, nodes.GetArrayLength());
            Assert.All(nodes.EnumerateArray(), static node => Assert.True(node.GetProperty("shared").GetBoolean() && node.GetProperty("lease_seconds").GetDouble() > 60));
        }

        Directory.Delete(folder, recursive: true);

        // It says so itself when it leaves: its lease would last for longer.
        var since = Stopwatch.StartNew();
        await Eventually.HoldsAsync(async () =>
            JsonDocument.Parse(await first.Client.GetStringAsync("/api/admin/nodes", TestContext.Current.CancellationToken)).RootElement.GetProperty("data").GetArrayLength() == 1);
        Assert.True(since.Elapsed < TimeSpan.FromSeconds(60));
        await first.ChatAsync(Chat);
    }

    [Fact]
    public async Task A_plan_stands_the_same_wherever_one_asks()
    {
        await using ServerHarness first = await ServerHarness.StartAsync(options => options with { StoreConnectionString = _postgres.ConnectionString });
        string account = first.Server.Accounts.DefaultAccount.PublicId;
        string plan = $"/api/admin/accounts/{account}/plan";
        using (HttpResponseMessage granted = await first.PostAsync("""{"plan":"lite","months":1,"reason":"test"}""", plan + "/grant"))
            Assert.Equal(200, (int)granted.StatusCode);
        string folder = Directory.CreateTempSubdirectory("glimmer-second-").FullName;
        File.Copy(Path.Combine(first.Folder, "protection.key"), Path.Combine(folder, "protection.key"));
        var gate = Channel.CreateUnbounded<int>();
        var backend = new ScriptedBackend("glimmer-tiny") { Name = "embedded" };
        backend.Script = _ => ChatScript.Of("one") with { Gate = gate.Reader };
        var slot = new ChatBackendSlot();
        slot.Fill([backend], backend);
        GlimmerOptions options = new() { Port = 0, DataFolder = folder, LogLevel = LogLevel.None, DrainTime = TimeSpan.Zero, StoreConnectionString = _postgres.ConnectionString };
        await using (GlimmerServer second = GlimmerServer.Create(options, slot))
        {
            await second.StartAsync(TestContext.Current.CancellationToken);
            using var client = new HttpClient { BaseAddress = second.Addresses[0], Timeout = TimeSpan.FromMinutes(2) };
            client.DefaultRequestHeaders.Authorization = first.Client.DefaultRequestHeaders.Authorization;
            await UntilCountedAsync(first, 2);

            // Until the first one, which was alone and owned every limit, has heard of the second, that one says 1305.
            var watch = Stopwatch.StartNew();
            Task<HttpResponseMessage> call;
            while (true)
            {
                call = client.PostAsync("/api/coding/paas/v4/chat/completions", new StringContent(Chat), TestContext.Current.CancellationToken);
                await ServerHarness.UntilAsync(() => backend.Active == 1 || call.IsCompleted);
                if (!call.IsCompleted)
                    break;
                using HttpResponseMessage refused = await call;
                string said = await refused.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
                Assert.Contains("\"1305\"", said, StringComparison.Ordinal);
                Assert.True(watch.Elapsed < Eventually.Patience, said);
                await Task.Delay(100, TestContext.Current.CancellationToken);
            }

            // The first server has had nothing to do with it: what it shows is what the database says that the second one has.
            foreach (HttpClient asked in (HttpClient[])[first.Client, client])
            {
                JsonElement standing = JsonDocument.Parse(await asked.GetStringAsync(plan, TestContext.Current.CancellationToken)).RootElement;
                Assert.InRange(standing.GetProperty("window").GetProperty("used").GetDouble(), 0.01, standing.GetProperty("window").GetProperty("limit").GetDouble() / 4);
                Assert.InRange(standing.GetProperty("week").GetProperty("used").GetDouble(), 0.01, standing.GetProperty("week").GetProperty("limit").GetDouble() / 4);
                Assert.InRange(standing.GetProperty("in_flight").GetProperty("used").GetInt64(), 1, standing.GetProperty("in_flight").GetProperty("limit").GetInt64());
                JsonElement limits = JsonDocument.Parse(await asked.GetStringAsync("/api/monitor/usage/quota/limit", TestContext.Current.CancellationToken)).RootElement.GetProperty("data").GetProperty("limits");
                Assert.InRange(limits[0].GetProperty("percentage").GetInt64(), 0, 25);
            }

            Assert.True(JsonDocument.Parse(await first.Client.GetStringAsync($"/api/admin/accounts/{account}", TestContext.Current.CancellationToken)).RootElement.GetProperty("plan").TryGetProperty("in_flight", out _));
            gate.Writer.TryWrite(1);
            gate.Writer.Complete();
            using HttpResponseMessage answered = await call;
            Assert.Equal(200, (int)answered.StatusCode);
        }

        Directory.Delete(folder, recursive: true);
    }

    public void Dispose() => _postgres.Dispose();

    /// <summary>The count comes with a node's next exchange of slices, so it follows what happened by a moment.</summary>
    private static async Task UntilCountedAsync(ServerHarness harness, int nodes)
    {
        string wanted = $"glimmer_node_count {nodes}\n", metrics = string.Empty;
        for (int i = 0; i < 4000; i++)
        {
            metrics = await harness.Client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
            if (metrics.Contains(wanted, StringComparison.Ordinal))
                return;
            await Task.Delay(25, TestContext.Current.CancellationToken);
        }

        Assert.Contains(wanted, metrics, StringComparison.Ordinal);
    }
}
