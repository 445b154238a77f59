using System.Diagnostics;
using System.Net;
using System.Text.Json;
using Glimmer.Inference.Routing;
using Glimmer.Inference.Routing.Definitions;
using Glimmer.Server.Telemetry;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Routing;

public sealed class PooledServerTests
{
    private const string Ask = """{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""";

    [Fact]
    public async Task Another_answers_for_one_that_fails_and_the_header_and_the_log_name_it()
    {
        await using PooledHarness pool = await PooledHarness.StartAsync("a", "b");
        using HttpResponseMessage first = await pool.Harness.PostAsync(Ask);
        string owner = Assert.Single(first.Headers.GetValues("X-Glimmer-Backend")), other = owner == "a" ? "b" : "a";
        pool[owner].Script = _ => ChatScript.Of("never") with { FaultAt = 0 };
        foreach (string body in new[] { Ask, Ask.Replace("{\"model\"", "{\"stream\":true,\"model\"", StringComparison.Ordinal) })
        {
            using HttpResponseMessage response = await pool.Harness.PostAsync(body);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(other, Assert.Single(response.Headers.GetValues("X-Glimmer-Backend")));
            string text = await response.Content.ReadAsStringAsync();
            Assert.DoesNotContain("never", text, StringComparison.Ordinal);
            Assert.Contains("I am ", text, StringComparison.Ordinal);
        }

        // A request's line comes after its answer.
        await ServerHarness.UntilAsync(() => pool.Harness.Logs.Lines.Any(line => line.Text.Contains(other, StringComparison.Ordinal) && line.Text.Contains("/chat/completions", StringComparison.Ordinal)));
        Assert.DoesNotContain(pool.Harness.Logs.Lines, line => line.Text.Contains(ScriptedBackend.CanaryText, StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_header_is_not_there_unless_the_operator_allows_it()
    {
        await using PooledHarness pool = await PooledHarness.StartAsync(PooledHarness.Scripted, null, null, PooledHarness.Define("a"));
        using HttpResponseMessage response = await pool.Harness.PostAsync(Ask);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.False(response.Headers.Contains("X-Glimmer-Backend"));
    }

    [Fact]
    public async Task A_cut_after_the_first_event_is_told_and_not_asked_again()
    {
        await using PooledHarness pool = await PooledHarness.StartAsync("a", "b");
        foreach (string name in new[] { "a", "b" })
            pool[name].Script = _ => ChatScript.Of("one", "two", "three") with { FaultAt = 2 };
        using HttpResponseMessage whole = await pool.Harness.PostAsync(Ask);
        Assert.False(whole.IsSuccessStatusCode);
        List<JsonElement> chunks = await pool.Harness.StreamAsync(Ask.Replace("{\"model\"", "{\"stream\":true,\"model\"", StringComparison.Ordinal));
        Assert.Equal("network_error", chunks[^1].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal(2, pool["a"].Requests + pool["b"].Requests);
    }

    [Fact]
    public async Task With_all_backends_away_it_listens_and_says_503_and_models_stay_listed()
    {
        await using PooledHarness pool = await PooledHarness.StartAsync("a", "b");
        Assert.Equal(HttpStatusCode.OK, (await pool.Harness.Client.GetAsync("/health/ready")).StatusCode);
        pool["a"].IsReady = pool["b"].IsReady = false;
        using HttpResponseMessage ready = await pool.Harness.Client.GetAsync("/health/ready");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        Assert.Contains("0 of 1 models", await ready.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        using HttpResponseMessage asked = await pool.Harness.PostAsync(Ask);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, asked.StatusCode);
        Assert.NotNull(asked.Headers.RetryAfter);
        Assert.Contains("\"1305\"", await asked.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        JsonElement models = JsonDocument.Parse(await pool.Harness.Client.GetStringAsync("/api/paas/v4/models")).RootElement.GetProperty("data");
        Assert.Contains(models.EnumerateArray(), model => model.GetProperty("id").GetString() == PooledHarness.Model && model.GetProperty("x_glimmer").GetProperty("backend").GetString() == "pool:glm-4.7");
        Assert.Equal(HttpStatusCode.OK, (await pool.Harness.Client.GetAsync("/health/live")).StatusCode);
    }

    [Fact]
    public async Task Models_and_stand_in_follow_the_set()
    {
        await using PooledHarness pool = await PooledHarness.StartAsync("a");
        Assert.Equal(HttpStatusCode.BadRequest, (await pool.Harness.PostAsync(Ask.Replace("glm-4.7", "glm-5", StringComparison.Ordinal))).StatusCode);
        pool.Pool.Apply(new BackendSet([PooledHarness.Define("a")], PooledHarness.Quiet with { StandIn = "glm-4.7" }));
        using HttpResponseMessage stood = await pool.Harness.PostAsync(Ask.Replace("glm-4.7", "glm-5", StringComparison.Ordinal));
        Assert.Equal("glm-4.7; stand-in-for=glm-5", Assert.Single(stood.Headers.GetValues("X-Glimmer-Model")));
        pool.Pool.Apply(new BackendSet([], PooledHarness.Quiet));
        Assert.Equal(HttpStatusCode.BadRequest, (await pool.Harness.PostAsync(Ask)).StatusCode);
    }

    [Fact]
    public async Task The_span_tells_every_decision()
    {
        await using PooledHarness pool = await PooledHarness.StartAsync("a", "b");
        using HttpResponseMessage before = await pool.Harness.PostAsync(Ask);
        string owner = Assert.Single(before.Headers.GetValues("X-Glimmer-Backend")), other = owner == "a" ? "b" : "a";
        pool[owner].Script = _ => ChatScript.Of("never") with { FaultAt = 0 };

        // The listener hears every server of this process; this trace is ours alone.
        const string Trace = "6d1f0a63c9b84e5f8b7ae25f04d3c1b2";
        pool.Harness.Client.DefaultRequestHeaders.Add("traceparent", $"00-{Trace}-051581bf3cb55c13-01");
        List<Activity> spans = [];
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == GlimmerTelemetry.SourceName,
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = span =>
            {
                lock (spans)
                    spans.Add(span);
            },
        };
        ActivitySource.AddActivityListener(listener);
        using HttpResponseMessage response = await pool.Harness.PostAsync(Ask.Replace("\"hi\"", "\"hi\"", StringComparison.Ordinal));
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await ServerHarness.UntilAsync(() => Ours() is not null);
        Activity span = Ours()!;
        Assert.Equal(2, span.GetTagItem("glimmer.backend.attempts"));
        Assert.Equal(1, span.GetTagItem("glimmer.routing.blocks_known"));
        ActivityEvent[] events = [.. span.Events];
        Assert.Equal(["glimmer.routing.chosen", "glimmer.routing.failover", "glimmer.routing.chosen"], events.Select(item => item.Name));
        Assert.Contains(events[0].Tags, tag => tag is { Key: "glimmer.backend.reason", Value: "affinity" });
        Assert.Contains(events[1].Tags, tag => tag.Key == "glimmer.backend.to" && (string?)tag.Value == other);

        Activity? Ours()
        {
            lock (spans)
                return spans.Find(span => span.TraceId.ToString() == Trace && (string?)span.GetTagItem("glimmer.backend.name") == other);
        }
    }

    [Fact]
    public async Task Metrics_show_what_backends_do()
    {
        await using PooledHarness pool = await PooledHarness.StartAsync("a");
        await pool.Harness.ChatAsync(Ask);
        pool.Pool.Drain("a", true);
        string text = await pool.Harness.Client.GetStringAsync("/metrics");
        foreach (string line in new[]
        {
            "glimmer_backend_requests_total{backend=\"a\"} 1", "glimmer_backend_answers_total{backend=\"a\"} 1", "glimmer_backend_failures_total{backend=\"a\"} 0", "glimmer_backend_inflight{backend=\"a\"} 0",
            "glimmer_backend_state{backend=\"a\",state=\"draining\"} 1", "glimmer_backend_state{backend=\"a\",state=\"ready\"} 0", "glimmer_backend_weight{backend=\"a\"} 100",
            "glimmer_backends_waiting{model=\"glm-4.7\"} 0",
        })
        {
            Assert.Contains(line + "\n", text, StringComparison.Ordinal);
        }

        Assert.Contains("glimmer_backend_latency_seconds{backend=\"a\"}", text, StringComparison.Ordinal);
    }
}
