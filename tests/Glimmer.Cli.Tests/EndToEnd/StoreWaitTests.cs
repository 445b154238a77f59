using System.Globalization;
using System.Net;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.EndToEnd;

public sealed class StoreWaitTests : ProgramTests
{
    [Fact]
    public async Task A_server_that_waits_for_its_database_stops_when_it_is_told_to()
    {
        int port = LoopbackPorts.Take();
        await using var process = GlimmerProcess.Start(
            Folder,
            ["serve", "--port", port.ToString(CultureInfo.InvariantCulture), "--data", "data"],
            environment: ("GLIMMER__STORE__CONNECTIONSTRING", $"Host=127.0.0.1;Port={LoopbackPorts.Take()};Username=nobody"));
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        string said = "";
        for (int i = 0; i < 2400 && said.Length == 0; i++)
        {
            try
            {
                using HttpResponseMessage ready = await http.GetAsync(new Uri("/health/ready", UriKind.Relative), TestContext.Current.CancellationToken);
                Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
                said = await ready.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
            }
            catch (HttpRequestException)
            {
                await Task.Delay(50, TestContext.Current.CancellationToken);
            }
        }

        Assert.Contains("waiting for the database", said, StringComparison.Ordinal);
        process.Interrupt();
        ProgramRun run = await process.EndAsync();
        Assert.Equal(0, run.ExitCode);
        Assert.Contains("Told to stop", run.Errors, StringComparison.Ordinal);
    }
}
