using Glimmer.Engine;
using Glimmer.Engine.Packages;
using Glimmer.Inference.Embedded;
using Glimmer.Inference.Routing;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;

namespace Glimmer.Server.Tests.Remote;

/// <summary>One server with the bundled model in its own process, and one whose file of backends names a real llama-server with the same model.</summary>
public sealed class TinyServers : IAsyncLifetime
{
    private LlamaServer? _llama;
    private EmbeddedChatBackend? _engine;
    private RawServer? _raw;

    internal ServerHarness Embedded { get; private set; } = null!;

    internal ServerHarness Remote => _raw!.Harness;

    /// <summary>Whether there is a llama-server.</summary>
    public bool AreHere => _raw is not null;

    public async ValueTask InitializeAsync()
    {
        _llama = await LlamaServer.StartAsync();
        if (_llama is null)
            return;
        _engine = new EmbeddedChatBackend(ModelPackage.Load(Fixtures.BundledModel), new EngineOptions { KvBytes = 64 << 20, Threads = 1 });
        Embedded = await ServerHarness.StartAsync(fill: false);
        Embedded.Slot.Fill([_engine], null);
        _raw = await RawServer.StartAsync($"- {{name: llama, kind: llama-server, url: '{_llama.Url}', models: [{{code: glimmer-tiny, tokenizer: '{Fixtures.BundledModel}'}}]}}");
    }

    public async ValueTask DisposeAsync()
    {
        if (_raw is not null)
        {
            await _raw.DisposeAsync();
            await Embedded.DisposeAsync();
            await _engine!.DisposeAsync();
        }

        if (_llama is not null)
            await _llama.DisposeAsync();
    }
}
