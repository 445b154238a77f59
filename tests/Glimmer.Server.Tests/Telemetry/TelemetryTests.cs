using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Text.RegularExpressions;
using Glimmer.Dialogue.Output;
using Glimmer.Engine;
using Glimmer.Server.Telemetry;
using Glimmer.Server.Tests.Support;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Telemetry;

public sealed partial class TelemetryTests
{
    private const string Canary = ScriptedBackend.CanaryText;

    [Fact]
    public async Task Metrics_are_in_the_text_format_with_the_genai_names()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync();
        for (int i = 0; i < 3; i++)
            await harness.ChatAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""");
        (await harness.PostAsync("{}")).Dispose();
        (await harness.Client.GetAsync("/api/paas/v4/" + Canary)).Dispose();
        using HttpResponseMessage response = await harness.Client.GetAsync("/metrics");
        Assert.Equal("text/plain; version=0.0.4; charset=utf-8", response.Content.Headers.ContentType?.ToString());
        string text = await response.Content.ReadAsStringAsync();
        Dictionary<string, double> samples = Parse(text);

        const string Chat = "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"glimmer\",gen_ai_request_model=\"glm-4.7\",gen_ai_response_model=\"glimmer-tiny\"";
        Assert.Equal(3, samples[$"gen_ai_server_request_duration_seconds_count{{{Chat}}}"]);
        Assert.Equal(3, samples[$"gen_ai_server_time_to_first_token_seconds_count{{{Chat}}}"]);
        Assert.Equal(3 * 107, samples[$"gen_ai_client_token_usage_sum{{{Chat},gen_ai_token_type=\"input\"}}"]);
        Assert.Equal(3 * 34, samples[$"gen_ai_client_token_usage_sum{{{Chat},gen_ai_token_type=\"output\"}}"]);
        Assert.Equal(1, samples["glimmer_errors_total{code=\"1213\"}"]);
        Assert.Equal(1, samples["glimmer_errors_total{code=\"1222\"}"]);
        Assert.Equal(3, samples["http_server_request_duration_seconds_count{http_request_method=\"POST\",http_route=\"/api/paas/v4/chat/completions\",http_response_status_code=\"200\"}"]);
        Assert.Equal(1, samples["glimmer_requests_open"]);
        Assert.True(samples["process_memory_usage_bytes"] > 0);
        Assert.DoesNotContain(Canary, text);
    }

    [Fact]
    public async Task Engines_in_the_process_show_what_they_do()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync();
        Dictionary<string, double> samples = Parse(await harness.Client.GetStringAsync("/metrics"));
        Assert.DoesNotContain(samples.Keys, name => name.StartsWith("glimmer_engine", StringComparison.Ordinal));
        harness.Backend.EngineStatistics = new EngineStatistics { Pages = 9, PagesInUse = 4, PagesCached = 3, PagesFree = 2, Waiting = 5, GeneratedTokens = 70, Preemptions = 1 };

        samples = Parse(await harness.Client.GetStringAsync("/metrics"));
        Assert.Equal(9, samples["glimmer_engine_kv_pages{model=\"glimmer-tiny\"}"]);
        Assert.Equal(4, samples["glimmer_engine_kv_pages_used{model=\"glimmer-tiny\"}"]);
        Assert.Equal(5, samples["glimmer_engine_waiting{model=\"glimmer-tiny\"}"]);
        Assert.Equal(70, samples["glimmer_engine_tokens_generated_total{model=\"glimmer-tiny\"}"]);
        Assert.Equal(1, samples["glimmer_engine_preemptions_total{model=\"glimmer-tiny\"}"]);
    }

    [Fact]
    public async Task Repairs_of_the_output_are_counted_by_kind()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync();
        harness.Backend.Script = static _ => ChatScript.Of("x") with { Repairs = new Dictionary<Repairs, int> { [Repairs.KeyClose] = 2, [Repairs.StrayText] = 1 } };
        await harness.ChatAsync("""{"model":"glm-4.7","messages":[{"role":"user","content":"hi"}]}""");
        await harness.StreamAsync("""{"model":"glm-4.7","stream":true,"messages":[{"role":"user","content":"hi"}]}""");
        Dictionary<string, double> samples = [];

        // The stream's last byte goes out before it is counted.
        await ServerHarness.UntilAsync(() =>
        {
            samples = Parse(harness.Client.GetStringAsync("/metrics").GetAwaiter().GetResult());
            return samples.GetValueOrDefault(Sample("stray_text")) == 2;
        });
        Assert.Equal(4, samples[Sample("key_close")]);
        Assert.Equal(2, samples.Keys.Count(name => name.StartsWith("glimmer_output_repairs_total", StringComparison.Ordinal)));

        static string Sample(string kind) => $"glimmer_output_repairs_total{{gen_ai_response_model=\"glimmer-tiny\",kind=\"{kind}\"}}";
    }

    [Fact]
    public void Histograms_are_cumulative_and_label_sets_bounded()
    {
        using var meter = new Meter("test");
        using var registry = new PrometheusRegistry(meter);
        Histogram<double> histogram = meter.CreateHistogram("my.time", "s", "Help \\ me\nnow", null, new InstrumentAdvice<double> { HistogramBucketBoundaries = [1, 2] });
        foreach (double value in new[] { 0.5, 1, 1.5, 2, 3, -1 })
            histogram.Record(value);
        Counter<long> counter = meter.CreateCounter<long>("my.count");
        for (int i = 0; i < PrometheusRegistry.MaxSeries + 50; i++)
            counter.Add(1, new KeyValuePair<string, object?>("who", $"a\"\\\n{i}"));
        string text = registry.Write();
        Dictionary<string, double> samples = Parse(text);
        Assert.Equal(
            (3, 5, 6, 6, 7),
            (samples["my_time_seconds_bucket{le=\"1\"}"], samples["my_time_seconds_bucket{le=\"2\"}"], samples["my_time_seconds_bucket{le=\"+Inf\"}"], samples["my_time_seconds_count"], samples["my_time_seconds_sum"]));
        Assert.Contains("# HELP my_time_seconds Help \\\\ me\\nnow\n# TYPE my_time_seconds histogram\n", text);
        Assert.Equal(50, samples["my_count_total{overflow=\"true\"}"]);
        Assert.Equal(1, samples["my_count_total{who=\"a\\\"\\\\\\n7\"}"]);
    }

    [Fact]
    public async Task A_span_carries_the_genai_attributes()
    {
        var spans = new List<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == GlimmerTelemetry.SourceName,
            Sample = static (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                lock (spans)
                    spans.Add(activity);
            },
        };
        ActivitySource.AddActivityListener(listener);
        await using ServerHarness harness = await ServerHarness.StartAsync();
        harness.Client.DefaultRequestHeaders.Add("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        await harness.ChatAsync($$"""{"model":"codegeex-4","seed":5,"messages":[{"role":"user","content":"{{Canary}}"}]}""");
        await ServerHarness.UntilAsync(() =>
        {
            lock (spans)
                return spans.Exists(IsOurs);
        });
        Activity span;
        lock (spans)
            span = spans.Find(IsOurs)!;
        Assert.Equal("chat codegeex-4", span.DisplayName);
        Assert.Equal("codegeex-4", span.GetTagItem("gen_ai.request.model"));
        Assert.Equal("glimmer-tiny", span.GetTagItem("gen_ai.response.model"));
        Assert.Equal(107, span.GetTagItem("gen_ai.usage.input_tokens"));
        Assert.Equal(5L, span.GetTagItem("gen_ai.request.seed"));
        Assert.DoesNotContain(span.TagObjects, tag => tag.Value?.ToString()?.Contains(Canary, StringComparison.Ordinal) == true);

        // The listener hears every server of this process, and other tests run beside this one.
        static bool IsOurs(Activity span) => span.TraceId.ToString() == "0af7651916cd43dd8448eb211c80319c";
    }

    [Fact]
    public async Task Logs_hold_one_line_per_request_and_neither_texts_nor_secrets()
    {
        await using ServerHarness harness = await ServerHarness.StartAsync();
        harness.Backend.Script = _ => ChatScript.Of("an answer with " + Canary);
        string body = $$"""{"model":"glm-4.7","user_id":"{{Canary}}","stop":["{{Canary}}"],"messages":[{"role":"user","content":"{{Canary}}"}]}""";
        await harness.ChatAsync(body);
        await harness.StreamAsync(body.Replace("{\"model\"", "{\"stream\":true,\"model\"", StringComparison.Ordinal));
        harness.Backend.Script = _ => ChatScript.Of("x", Canary) with { FaultAt = 1 };
        (await harness.PostAsync(body)).Dispose();
        await harness.StreamAsync(body.Replace("{\"model\"", "{\"stream\":true,\"model\"", StringComparison.Ordinal));
        harness.Backend.Script = _ => ChatScript.Of("x") with { StartFault = new InvalidOperationException(Canary) };
        (await harness.PostAsync(body)).Dispose();
        (await harness.PostAsync(body.Replace("\"user\"", $"\"{Canary}\"", StringComparison.Ordinal))).Dispose();
        (await harness.PostAsync(body.Replace("glm-4.7", Canary, StringComparison.Ordinal))).Dispose();
        (await harness.PostAsync(body, $"/api/paas/v4/chat/completions?Authorization={harness.Key}&x={Canary}")).Dispose();
        (await harness.Client.GetAsync($"/api/paas/v4/models/{Canary}")).Dispose();
        (await harness.Client.GetAsync($"/{Canary}")).Dispose();
        (await harness.Client.SendAsync(new HttpRequestMessage(new HttpMethod("CANARY"), $"/{Canary}"))).Dispose();
        await ServerHarness.UntilAsync(() => harness.Logs.Lines.Count(line => line.Id == 1001) == 11);

        string secret = harness.Key.Split('.')[1];
        Assert.DoesNotContain(harness.Logs.Lines, line => line.Text.Contains(Canary, StringComparison.OrdinalIgnoreCase) || line.Text.Contains("CANARY", StringComparison.Ordinal));
        Assert.DoesNotContain(harness.Logs.Lines, line => line.Text.Contains(secret, StringComparison.Ordinal));
        Assert.Equal(4, harness.Logs.Lines.Count(line => line.Level == LogLevel.Error));
        string first = harness.Logs.Lines.First(line => line.Id == 1001).Text;
        Assert.Contains("POST /api/paas/v4/chat/completions 200 code=0", first);
        Assert.Contains("model=glm-4.7 backend=embedded stream=False finish=stop prompt=107 cached=100 completion=34", first);
    }

    private static Dictionary<string, double> Parse(string text)
    {
        var samples = new Dictionary<string, double>(StringComparer.Ordinal);
        string? family = null;
        foreach (string line in text.Split('\n')[..^1])
        {
            if (line.StartsWith("# TYPE ", StringComparison.Ordinal))
            {
                string[] parts = line.Split(' ');
                family = parts[2];
                Assert.Contains(parts[3], (string[])["counter", "gauge", "histogram"]);
            }
            else if (!line.StartsWith("# HELP ", StringComparison.Ordinal))
            {
                Match match = Sample().Match(line);
                Assert.True(match.Success, line);
                Assert.StartsWith(family!, line, StringComparison.Ordinal);
                samples.Add(match.Groups["name"].Value, double.Parse(match.Groups["value"].Value, CultureInfo.InvariantCulture));
            }
        }

        return samples;
    }

    [GeneratedRegex("""^(?<name>[a-zA-Z_][a-zA-Z0-9_]*(?:\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)+\})?) (?<value>-?[0-9.eE+-]+)$""", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Sample();
}
