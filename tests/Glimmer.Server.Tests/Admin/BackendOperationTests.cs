using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Inference.Routing;
using Glimmer.Server.Tests.Routing;

namespace Glimmer.Server.Tests.Admin;

public sealed class BackendOperationTests
{
    private const string Ask = """{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""";

    [Fact]
    public async Task Backends_are_listed_without_their_secrets()
    {
        await using PooledHarness pool = await PooledHarness.StartAsync("a", "b");
        AdminServer admin = new(pool.Harness);
        for (int i = 0; i < 4; i++)
            await pool.Harness.ChatAsync(Ask);
        JsonElement list = await admin.OkAsync("GET", "/backends");
        JsonElement[] backends = [.. list.GetProperty("data").EnumerateArray()];
        Assert.Equal(["a", "b"], backends.Select(backend => backend.GetProperty("name").GetString()));
        Assert.All(backends, backend => Assert.Equal(("ready", "openai", 100, 0), (backend.GetProperty("state").GetString(), backend.GetProperty("kind").GetString(), backend.GetProperty("weight").GetInt32(), backend.GetProperty("in_flight").GetInt32())));
        Assert.Equal(4, backends.Sum(backend => backend.GetProperty("requests").GetInt64()));
        Assert.Equal(3, backends.Sum(backend => backend.GetProperty("affinity_hits").GetInt64()));
        Assert.Equal(1.0, backends.Sum(backend => backend.GetProperty("share").GetDouble()), 3);
        Assert.True(list.GetProperty("models")[0].GetProperty("ready").GetBoolean());
        Assert.Equal(JsonValueKind.Null, list.GetProperty("file").ValueKind);
        Assert.DoesNotContain("canary", list.GetRawText(), StringComparison.Ordinal);
        Assert.Equal("b", (await admin.OkAsync("GET", "/backends/B")).GetProperty("name").GetString());
        await admin.RefusedAsync(404, "1214", "GET", "/backends/c", null, "no such backend");
    }

    [Fact]
    public async Task Draining_and_weights_take_effect_at_once_and_are_audited()
    {
        await using PooledHarness pool = await PooledHarness.StartAsync("a", "b");
        AdminServer admin = new(pool.Harness);
        Assert.Equal("draining", (await admin.OkAsync("POST", "/backends/a/drain")).GetProperty("state").GetString());
        for (int i = 0; i < 5; i++)
            await pool.Harness.ChatAsync(Ask.Replace("hi", $"hi {i}", StringComparison.Ordinal));
        Assert.Equal((0, 5), (pool["a"].Requests, pool["b"].Requests));
        Assert.Equal("a", (await admin.AuditedAsync("backend.drain")).GetProperty("subject").GetString());
        Assert.Equal("ready", (await admin.OkAsync("POST", "/backends/a/undrain")).GetProperty("state").GetString());
        Assert.Equal(0, (await admin.OkAsync("PUT", "/backends/b/weight", new JsonObject { ["weight"] = 0 })).GetProperty("weight").GetInt32());
        for (int i = 0; i < 5; i++)
            await pool.Harness.ChatAsync(Ask.Replace("hi", $"ho {i}", StringComparison.Ordinal));
        Assert.Equal((5, 5), (pool["a"].Requests, pool["b"].Requests));
        JsonElement audit = await admin.AuditedAsync("backend.weight");
        Assert.Equal((100, 0), (audit.GetProperty("before").GetProperty("weight").GetInt32(), audit.GetProperty("after").GetProperty("weight").GetInt32()));
        await admin.RefusedAsync(400, "1214", "PUT", "/backends/b/weight", new JsonObject { ["weight"] = 1001 }, "weight");
        await admin.RefusedAsync(400, "1213", "PUT", "/backends/b/weight", null, "weight");
        await admin.RefusedAsync(404, "1214", "POST", "/backends/x/drain", null, "no such backend");
        await admin.RefusedAsync(409, "1214", "POST", "/backends/reload", null, "Backends:File");
    }

    [Fact]
    public async Task A_file_is_read_again_on_demand_and_a_broken_one_is_told_everywhere()
    {
        await using PooledHarness pool = await PooledHarness.StartAsync("a");
        AdminServer admin = new(pool.Harness);
        string path = Path.Combine(pool.Harness.Folder, "backends.yaml");
        await File.WriteAllTextAsync(path, "backends:\n- {name: x, kind: openai, url: 'http://127.0.0.1:1', models: [glm-4.7]}\nrouting: {probe: {interval: off}}\n");
        BackendFileSource.Open(pool.Pool, path, TimeSpan.Zero);
        Assert.False((await admin.OkAsync("POST", "/backends/reload")).GetProperty("changed_now").GetBoolean());
        await File.WriteAllTextAsync(path, "backends:\n- {name: y, kind: openai, url: 'http://127.0.0.1:1', models: [glm-4.7]}\n- {name: x, kind: openai, url: 'http://127.0.0.1:1', models: [glm-4.7]}\nrouting: {probe: {interval: off}}\n");
        Assert.True((await admin.OkAsync("POST", "/backends/reload")).GetProperty("changed_now").GetBoolean());
        Assert.Equal(path, (await admin.AuditedAsync("backend.reload")).GetProperty("subject").GetString());

        await File.WriteAllTextAsync(path, "backends:\n- {name: y, kind: gemini}\n");
        await admin.RefusedAsync(409, "1214", "POST", "/backends/reload", null, "line 2", "gemini");
        JsonElement list = await admin.OkAsync("GET", "/backends");
        Assert.Equal(["y", "x"], list.GetProperty("data").EnumerateArray().Where(backend => !backend.GetProperty("removed").GetBoolean()).Select(backend => backend.GetProperty("name").GetString()));
        Assert.Contains("gemini", list.GetProperty("file").GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Contains("glimmer_backends_reload_failures_total 1\n", await pool.Harness.Client.GetStringAsync("/metrics"), StringComparison.Ordinal);
        Assert.Contains(pool.Harness.Logs.Lines, line => line.Id == 2013 && line.Text.Contains("gemini", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_server_without_a_pool_has_none()
    {
        await using AdminServer admin = await AdminServer.StartAsync();
        JsonElement list = await admin.OkAsync("GET", "/backends");
        Assert.Equal(0, list.GetProperty("data").GetArrayLength());
        await admin.RefusedAsync(404, "1214", "POST", "/backends/a/drain", null, "no such backend");
    }
}
