using Glimmer.Inference.Backends;
using Glimmer.Inference.Remote;
using Glimmer.Testing;
using Microsoft.Extensions.Logging.Abstractions;

namespace Glimmer.Inference.Tests.Remote;

/// <summary>A real llama-server with the bundled model, where the environment says where one is; started once.</summary>
public sealed class LlamaServerProcess : IAsyncLifetime
{
    private LlamaServer? _server;

    /// <summary>The backend that asks it; null when there is none.</summary>
    public IRemoteBackend? Backend { get; private set; }

    /// <inheritdoc/>
    public async ValueTask InitializeAsync()
    {
        _server = await LlamaServer.StartAsync();
        if (_server is null)
            return;
        Backend = RawBackends.Create(
            new BackendDefinition { Name = "llama", Kind = BackendKind.LlamaServer, Url = _server.Url, Models = [new BackendModel { Code = "glimmer-tiny" }] },
            TimeProvider.System,
            NullLoggerFactory.Instance);
        BackendProbe probe = await Backend.ProbeAsync(CancellationToken.None);
        Assert.True(probe.Alive, probe.Detail);
    }

    /// <summary>Waits until the server works on nothing.</summary>
    public Task IdleAsync() => _server!.IdleAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (Backend is not null)
            await Backend.DisposeAsync();
        if (_server is not null)
            await _server.DisposeAsync();
    }
}
