using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Glimmer.Cli.Tests.EndToEnd;

public sealed class StoreWaitTests : ProgramTests
{
    [Fact]
    public async Task A_server_that_waits_for_its_database_stops_when_it_is_told_to()
    {
        int[] ports = FreePorts(2);
        await using var process = GlimmerProcess.Start(
            Folder,
            ["serve", "--port", ports[0].ToString(CultureInfo.InvariantCulture), "--data", "data"],
            environment: ("GLIMMER__STORE__CONNECTIONSTRING", $"Host=127.0.0.1;Port={ports[1]};Username=nobody"));
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{ports[0]}") };
        string said = "";
        for (int i = 0; i < 600 && said.Length == 0; i++)
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

    private static int[] FreePorts(int count)
    {
        TcpListener[] listeners = [.. Enumerable.Range(0, count).Select(static _ => new TcpListener(IPAddress.Loopback, 0))];
        Array.ForEach(listeners, static listener => listener.Start());
        int[] ports = [.. listeners.Select(static listener => ((IPEndPoint)listener.LocalEndpoint).Port)];
        Array.ForEach(listeners, static listener => listener.Dispose());
        return ports;
    }
}
