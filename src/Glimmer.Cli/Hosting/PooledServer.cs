using System.Runtime.InteropServices;
using Glimmer.Engine;
using Glimmer.Inference;
using Glimmer.Inference.Embedded;
using Glimmer.Inference.Embedded.Hosting;
using Glimmer.Inference.Embeddings;
using Glimmer.Inference.Routing;
using Glimmer.Inference.Routing.Definitions;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Cli.Hosting;

/// <summary>The platform in front of the backends of a file, with or without an engine of its own beside them.</summary>
internal static class PooledServer
{
    /// <summary>Serves until the process is told to stop.</summary>
    /// <exception cref="GlimmerStartupException">The file, a model or a setting cannot be used.</exception>
    public static async Task RunAsync(GlimmerOptions options, EngineSettings settings)
    {
        // What is wrong with the file is told before anything listens. That a backend does not answer is no reason not to start.
        Explain(() => BackendFile.ReadFile(options.BackendsFile));
        var slot = new ChatBackendSlot("The backends are being opened.");
        await using GlimmerServer server = await GlimmerServer.CreateWhenReadyAsync(options, slot);
        await server.StartAsync();
        await using Local local = await OpenLocalAsync(settings, server);
        var factory = new BackendFactory(TimeProvider.System, server.Logs);
        await using var pool = new BackendPool(factory.Create, createEmbeddings: factory.CreateEmbeddings);
        BackendLog.Attach(pool, server.Logs);
        foreach (IChatBackend backend in local.Backends)
            pool.AddLocal(backend);
        BackendFileSource source = Explain(() => BackendFileSource.Open(pool, options.BackendsFile, options.BackendsWatch));
        BackendLog.Warn(source, server.Logs);
        using IDisposable? signal = OnHangUp(source);
        await using EmbeddedEmbeddingBackend? embeddings = LocalModel.StartEmbeddings(settings);
        slot.FillEmbeddings(embeddings is null ? [] : [embeddings]);
        await pool.FirstProbesAsync(TimeSpan.FromSeconds(5));
        string? standIn = settings.StandIn && local.Backends.Count > 0 ? local.Backends[0].Models[0] : null;
        slot.Follow(pool, standIn);
        Banner.Write(Console.Out, server, options, pool, slot.StandIn?.Model);
        await server.WaitForShutdownAsync();
        await local.StopAsync(TimeSpan.FromSeconds(1)); // answers have had the server's drain time by now
    }

    private static async Task<Local> OpenLocalAsync(EngineSettings settings, GlimmerServer server)
    {
        if (settings.ModelPath is null && settings.Others.Count == 0)
            return new Local(null, null, null);
        if (settings.Others.Count > 0 || settings.MemoryBytes is not null)
        {
            ModelHost host = new(HostedModels.Read(settings), new ModelHostOptions { MemoryBytes = HostedModels.MemoryFor(settings) }, server.Logs);
            try
            {
                ModelHostMetrics.Publish(host, server.Meter);
                await HostedModels.LoadFirstAsync(host);
                return new Local(host, null, null);
            }
            catch
            {
                await host.DisposeAsync();
                throw;
            }
        }

        EmbeddedChatBackend backend = await Task.Run(() => LocalModel.Start(LocalModel.Load(settings), settings, server.Logs.CreateLogger<InferenceEngine>()));
        ModelFileWatch? watch = settings.Mapped ? ModelFileWatch.Start(LocalModel.PathOf(settings.ModelPath), () => backend.StopAsync(TimeSpan.Zero), server.Logs) : null;
        return new Local(null, backend, watch);
    }

    /// <summary>The usual way to have a Unix program read its files again.</summary>
    private static PosixSignalRegistration? OnHangUp(BackendFileSource source) => OperatingSystem.IsWindows() ? null : PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
    {
        signal.Cancel = true;
        source.Reload();
    });

    private static T Explain<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (BackendFileException fault)
        {
            throw new GlimmerStartupException(fault.Message, 78, fault);
        }
    }

    /// <summary>The engines of this process; none when no model was named.</summary>
    private sealed class Local(ModelHost? host, EmbeddedChatBackend? backend, ModelFileWatch? watch) : IAsyncDisposable
    {
        public IReadOnlyList<IChatBackend> Backends { get; } = host?.Backends ?? (backend is null ? [] : [backend]);

        public async Task StopAsync(TimeSpan grace)
        {
            if (host is not null)
                await host.StopAsync(grace);
            if (backend is not null)
                await backend.StopAsync(grace);
        }

        public async ValueTask DisposeAsync()
        {
            if (watch is not null)
                await watch.DisposeAsync();
            if (backend is not null)
                await backend.DisposeAsync();
            if (host is not null)
                await host.DisposeAsync();
        }
    }
}
