using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;

namespace Glimmer.Server.Tests.Telemetry;

public sealed class OtlpExportTests
{
    [Fact]
    public async Task Traces_and_metrics_reach_the_collector()
    {
        var received = new ConcurrentDictionary<string, string>();
        using var collector = new HttpListener();
        int port = LoopbackPorts.Take();
        collector.Prefixes.Add($"http://127.0.0.1:{port}/");
        collector.Start();
        Task serving = Task.Run(async () =>
        {
            while (collector.IsListening)
            {
                HttpListenerContext context;
                try
                {
                    context = await collector.GetContextAsync();
                }
                catch (Exception fault) when (fault is HttpListenerException or ObjectDisposedException)
                {
                    return;
                }

                try
                {
                    using var body = new MemoryStream();
                    await context.Request.InputStream.CopyToAsync(body);
                    received.AddOrUpdate(context.Request.Url!.AbsolutePath, Encoding.Latin1.GetString(body.ToArray()), (_, old) => old + Encoding.Latin1.GetString(body.ToArray()));
                    context.Response.Close();
                }
                catch (Exception fault) when (fault is HttpListenerException or IOException)
                {
                    // The sender would not wait any longer.
                }
            }
        });

        ServerHarness harness = await ServerHarness.StartAsync(options => options with { OtlpEndpoint = new Uri($"http://127.0.0.1:{port}") });
        await harness.ChatAsync("""{"model":"glm-4.5-air","messages":[{"role":"user","content":"canary-prompt-text"}]}""");
        await harness.DisposeAsync();
        await ServerHarness.UntilAsync(() => received.ContainsKey("/v1/traces") && received.ContainsKey("/v1/metrics"));
        Assert.Contains("chat glm-4.5-air", received["/v1/traces"]);
        Assert.Contains("gen_ai.usage.input_tokens", received["/v1/traces"]);
        Assert.Contains("gen_ai.client.token.usage", received["/v1/metrics"]);
        Assert.DoesNotContain(received.Values, text => text.Contains("canary-prompt-text", StringComparison.Ordinal));
        collector.Close();   // stopped first, it would be bound once more to be closed
        await serving.WaitAsync(Eventually.Patience);
    }
}
