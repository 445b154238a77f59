using Glimmer.Inference.Routing;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;

namespace Glimmer.Server.Tests.Remote;

/// <summary>A server in front of the backends of a file, made as the product makes them.</summary>
internal sealed class RawServer : IAsyncDisposable
{
    private RawServer(ServerHarness harness, BackendPool pool)
    {
        Harness = harness;
        Pool = pool;
    }

    public ServerHarness Harness { get; }

    public BackendPool Pool { get; }

    /// <summary>Starts one and waits for the first probes.</summary>
    /// <param name="backends">The items of the file's list.</param>
    /// <param name="change">Changes the server's settings.</param>
    public static async Task<RawServer> StartAsync(string backends, Func<GlimmerOptions, GlimmerOptions>? change = null)
    {
        ServerHarness harness = await ServerHarness.StartAsync(change, fill: false);
        BackendFactory factory = new(TimeProvider.System, harness.Server.Logs);
        BackendPool pool = new(factory.Create, createEmbeddings: factory.CreateEmbeddings);
        BackendLog.Attach(pool, harness.Server.Logs);
        string path = Path.Combine(harness.Folder, "backends.yaml");
        await File.WriteAllTextAsync(path, $"backends:\n{backends}\nrouting: {{probe: {{interval: off}}}}\n");
        BackendFileSource.Open(pool, path, TimeSpan.Zero);
        await pool.FirstProbesAsync(Eventually.Patience);
        harness.Slot.Follow(pool, null);
        return new RawServer(harness, pool);
    }

    public async ValueTask DisposeAsync()
    {
        await Harness.DisposeAsync();
        await Pool.DisposeAsync();
    }
}
