using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine;
using Glimmer.Engine.Packages;
using Glimmer.Inference;
using Glimmer.Inference.Embedded;
using Glimmer.Inference.Embeddings;
using Glimmer.Inference.Script;
using Glimmer.Platform.Store;
using Glimmer.Server.Hosting;
using Glimmer.Server.InProcess;
using Glimmer.Server.Routing;
using Glimmer.Testing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Client.Tests.Support;

/// <summary>One backend, asked over HTTP and in process.</summary>
internal sealed class TestHouse : IAsyncDisposable
{
    private readonly string _folder;

    private TestHouse(GlimmerServer server, InProcessChat chat, ChatBackendSlot slot, string folder)
    {
        Slot = slot;
        Server = server;
        InProcess = chat;
        _folder = folder;
        Client = new GlimmerClient(new GlimmerClientOptions { ApiKey = server.FirstKey!.Value.Credential, BaseUrl = new Uri(server.Addresses[0], "api/paas/v4"), MaxRetries = 0 });
    }

    public GlimmerServer Server { get; }

    public ChatBackendSlot Slot { get; }

    public GlimmerClient Client { get; }

    public InProcessChat InProcess { get; }

    public static async Task<TestHouse> StartAsync(IChatBackend backend)
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-client-test-").FullName;
        var slot = new ChatBackendSlot();
        slot.Fill([backend], backend);
        GlimmerServer server = GlimmerServer.Create(
            new GlimmerOptions { Port = 0, DataFolder = folder, LogLevel = LogLevel.Error, DrainTime = TimeSpan.FromSeconds(1), StoreDurability = StoreDurability.Off }, slot);
        await server.StartAsync();
        return new TestHouse(server, new InProcessChat(slot), slot, folder);
    }

    public static ScriptChatBackend Script(string yaml) => new(ScenarioReader.Read(new StringReader(yaml), "test.yaml"), Package.Value.Tokenizer, TimeProvider.System);

    public static EmbeddedChatBackend Bundled() => new(Package.Value, new EngineOptions { KvBytes = 64 << 20, Threads = 1 });

    public static EmbeddedEmbeddingBackend Embeddings() => new(ModelPackage.Load(Fixtures.BundledModel), "embedding-3", threads: 1);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.StopAsync();
        await Server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static readonly Lazy<ModelPackage> Package = new(() => ModelPackage.Load(Fixtures.BundledModel));
}
