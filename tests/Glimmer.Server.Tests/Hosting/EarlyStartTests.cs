using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Hosting;

/// <summary>What a start does beside itself.</summary>
public sealed class EarlyStartTests
{
    [Fact]
    public async Task The_warm_up_answers_its_request()
    {
        string answer = await ServerWarmUp.RunServerAsync();
        Assert.StartsWith("HTTP/1.1 200 OK\r\n", answer);
        Assert.Contains("data: {\"model\":\"glm-4.7\"}\n\n", answer);
        Assert.Contains("data: [DONE]\n\n", answer);
    }

    [Fact]
    public async Task A_server_takes_what_was_opened_before()
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-start-").FullName;
        var options = new GlimmerOptions { DataFolder = folder, Port = 0 };
        var services = new GlimmerServices { Logs = new LogCapture() };
        await using (PlatformOpening opening = GlimmerServer.BeginOpening(options, services))
        {
            await using var server = GlimmerServer.Create(options, new ChatBackendSlot(), services, opening);
            await server.StartAsync(TestContext.Current.CancellationToken);
            Assert.NotNull(server.FirstKey);
            Assert.Throws<ObjectDisposedException>(() => GlimmerServer.Create(options, new ChatBackendSlot(), services, opening));
        }

        Directory.Delete(folder, true);
    }

    [Fact]
    public async Task What_no_server_took_is_closed()
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-start-").FullName;
        var options = new GlimmerOptions { DataFolder = folder, Port = 0 };
        PlatformOpening opening = GlimmerServer.BeginOpening(options);
        await opening.DisposeAsync();
        Assert.Throws<ObjectDisposedException>(() => GlimmerServer.Create(options, new ChatBackendSlot(), opening: opening));
        await using (var server = GlimmerServer.Create(options, new ChatBackendSlot(), new GlimmerServices { Logs = new LogCapture() }))
            Assert.NotNull(server.FirstKey);
        Directory.Delete(folder, true);
    }

    [Fact]
    public async Task What_cannot_be_opened_is_said_by_the_server_that_takes_it()
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-start-").FullName;
        File.WriteAllText(Path.Combine(folder, "catalog.yaml"), "models:\n  - oops");
        var options = new GlimmerOptions { DataFolder = folder };
        await using (PlatformOpening taken = GlimmerServer.BeginOpening(options))
        {
            GlimmerStartupException fault = Assert.Throws<GlimmerStartupException>(() => GlimmerServer.Create(options, new ChatBackendSlot(), opening: taken));
            Assert.Equal((78, true), (fault.ExitCode, fault.Message.Contains("catalog.yaml, line 2", StringComparison.Ordinal)));
        }

        // Nobody took it: nobody hears of it.
        await GlimmerServer.BeginOpening(options).DisposeAsync();
        Directory.Delete(folder, true);
    }
}
