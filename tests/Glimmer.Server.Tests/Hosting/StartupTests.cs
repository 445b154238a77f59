using System.Net;
using System.Net.Sockets;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Server.Tests.Support;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Hosting;

public sealed class StartupTests
{
    [Fact]
    public void Settings_come_from_the_chain_of_sources()
    {
        GlimmerOptions options = Read(
            ("GLIMMER:listen:PORT", "9000"), ("Glimmer:Listen:Host", "*"), ("Glimmer:DataFolder", "/x"), ("Glimmer:Limits:BodyBytes", "2048"),
            ("Glimmer:Limits:OpenRequests", "5"), ("Glimmer:Limits:OpenRequestsPerKey", "4"), ("Glimmer:Shutdown:DrainSeconds", "3"),
            ("Glimmer:Cors:Origins", "https://a.example, https://b.example:8443"), ("Glimmer:Metrics:Enabled", "False"),
            ("Glimmer:Telemetry:OtlpEndpoint", "http://collector:4318"), ("Glimmer:Log:Level", "warning"), ("Glimmer:Engine:Threads", "4"));
        Assert.Equal(
            ("*", 9000, "/x", 2048L, 5, 4, 3.0, false, LogLevel.Warning),
            (options.Host, options.Port, options.DataFolder, options.MaxBodyBytes, options.MaxOpenRequests, options.MaxOpenRequestsPerKey, options.DrainTime.TotalSeconds, options.Metrics, options.LogLevel));
        Assert.Equal(["https://a.example", "https://b.example:8443"], options.CorsOrigins);
        Assert.Equal(new Uri("http://collector:4318"), options.OtlpEndpoint);
    }

    [Fact]
    public void Defaults_are_those_that_the_table_documents()
    {
        foreach (GlimmerSetting setting in GlimmerSettings.All.Where(setting => setting.Default.Length > 0))
        {
            GlimmerOptions expected = new();
            GlimmerOptions actual = Read(($"Glimmer:{setting.Key}", setting.Default));
            Assert.Equal(expected with { CorsOrigins = [] }, actual with { CorsOrigins = [] });
        }
    }

    [Theory]
    [InlineData("Listen:Port", "http")]
    [InlineData("Listen:Port", "70000")]
    [InlineData("Listen:Port", "-1")]
    [InlineData("Listen:Host", "not a host")]
    [InlineData("Limits:BodyBytes", "12")]
    [InlineData("Limits:OpenRequests", "0")]
    [InlineData("Shutdown:DrainSeconds", "soon")]
    [InlineData("Cors:Origins", "example.com/path")]
    [InlineData("Metrics:Enabled", "on")]
    [InlineData("Telemetry:OtlpEndpoint", "collector")]
    [InlineData("Log:Level", "2")]
    [InlineData("Listen:Prot", "80")]
    [InlineData("Limits:Everything", "80")]
    [InlineData("DataFoldr", "x")]
    public void A_bad_setting_is_named_with_a_legal_value(string key, string value)
    {
        GlimmerStartupException fault = Assert.Throws<GlimmerStartupException>(() => Read(($"Glimmer:{key}", value)));
        Assert.Contains($"Glimmer:{key}", fault.Message);
        Assert.Contains("Use ", fault.Message);
        Assert.Equal(78, fault.ExitCode);
        Assert.DoesNotContain('\n', fault.Message);
    }

    [Fact]
    public async Task A_port_in_use_is_one_line()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        string folder = Directory.CreateTempSubdirectory("glimmer-start-").FullName;
        int port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var logs = new LogCapture();
        await using var server = GlimmerServer.Create(new GlimmerOptions { DataFolder = folder, Port = port }, new ChatBackendSlot(), new GlimmerServices { Logs = logs });
        GlimmerStartupException fault = await Assert.ThrowsAsync<GlimmerStartupException>(() => server.StartAsync());
        Assert.Contains($"Port {port}", fault.Message);
        Assert.Contains("Glimmer:Listen:Port", fault.Message);
        Assert.Equal(69, fault.ExitCode);
        Assert.Empty(logs.Lines);
        Directory.Delete(folder, true);
    }

    [Fact]
    public void A_data_folder_or_catalogue_that_cannot_be_used_is_one_line()
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-start-").FullName;
        string file = Path.Combine(folder, "file");
        File.WriteAllText(file, "");
        GlimmerStartupException fault = Assert.Throws<GlimmerStartupException>(() => GlimmerServer.Create(new GlimmerOptions { DataFolder = Path.Combine(file, "data") }, new ChatBackendSlot()));
        Assert.Contains("Glimmer:DataFolder", fault.Message);
        Assert.Equal(73, fault.ExitCode);
        File.WriteAllText(Path.Combine(folder, "catalog.yaml"), "models:\n  - oops");
        fault = Assert.Throws<GlimmerStartupException>(() => GlimmerServer.Create(new GlimmerOptions { DataFolder = folder }, new ChatBackendSlot()));
        Assert.Contains("catalog.yaml, line 2", fault.Message);
        Assert.Equal(78, fault.ExitCode);
        Directory.Delete(folder, true);
    }

    [Fact]
    public async Task The_first_key_is_made_once()
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-start-").FullName;
        var options = new GlimmerOptions { DataFolder = folder, Port = 0 };
        await using (var server = GlimmerServer.Create(options, new ChatBackendSlot()))
            Assert.NotNull(server.FirstKey);
        await using (var server = GlimmerServer.Create(options, new ChatBackendSlot()))
        {
            Assert.Null(server.FirstKey);
            Assert.Single(server.Keys.Keys);
        }

        Directory.Delete(folder, true);
    }

    [Fact]
    public async Task Told_to_stop_during_the_start_it_ends_without_a_fault()
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-start-").FullName;
        await using (var server = GlimmerServer.Create(new GlimmerOptions { DataFolder = folder, Port = 0 }, new ChatBackendSlot()))
        {
            await server.StopAsync(TestContext.Current.CancellationToken);
            GlimmerStartupException told = await Assert.ThrowsAsync<GlimmerStartupException>(() => server.StartAsync(TestContext.Current.CancellationToken));
            Assert.Equal(0, told.ExitCode);
        }

        Directory.Delete(folder, true);
    }

    private static GlimmerOptions Read(params (string Key, string Value)[] values) =>
        GlimmerSettings.Read(new ConfigurationBuilder().AddInMemoryCollection(values.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value))).Build());
}
