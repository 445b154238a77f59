using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Glimmer.Engine;
using Glimmer.Engine.Packages;
using Glimmer.Inference.Embedded;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Testing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>Tests of this collection share one server in this process and run one after another.</summary>
[CollectionDefinition(Name)]
public sealed class TinyServerTests : ICollectionFixture<TinyServer>
{
    public const string Name = "One server with the bundled model";
}

/// <summary>The whole platform with the bundled model on a free port.</summary>
public sealed class TinyServer : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("glimmer-end-to-end-").FullName;
    private readonly EngineOptions _engine;

    public TinyServer()
        : this(new EngineOptions { KvBytes = 128L << 20, Threads = 2 })
    {
    }

    internal TinyServer(EngineOptions engine) => _engine = engine;

    public EmbeddedChatBackend Backend { get; private set; } = null!;

    public ModelPackage Package => Backend.Package;

    public GlimmerServer Server { get; private set; } = null!;

    public HttpClient Client { get; private set; } = null!;

    public string Key { get; private set; } = "";

    public Uri Base => new(Server.Addresses[0], "/api/paas/v4");

    public async ValueTask InitializeAsync()
    {
        Backend = EmbeddedChatBackend.Load(Fixtures.BundledModel, _engine);
        ChatBackendSlot slot = new();
        slot.Fill([Backend], Backend);
        GlimmerOptions options = new() { Port = 0, DataFolder = _folder, LogLevel = LogLevel.Error, MaxOpenRequestsPerKey = 256 };
        Server = GlimmerServer.Create(options, slot);
        await Server.StartAsync();
        Key = Server.FirstKey!.Value.Credential;
        Client = new HttpClient { BaseAddress = Server.Addresses[0], Timeout = TimeSpan.FromMinutes(5) };
        Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
        await Backend.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Sends a request body and reads the whole answer, streamed or not.</summary>
    internal async Task<SaidAnswer> AskAsync(Dictionary<string, object?> body, CancellationToken cancel = default)
    {
        bool stream = body.GetValueOrDefault("stream") is true;
        using StringContent content = new(JsonSerializer.Serialize(body), Encoding.UTF8, "application/json");
        using HttpRequestMessage request = new(HttpMethod.Post, "/api/paas/v4/chat/completions") { Content = content };
        using HttpResponseMessage response = await Client.SendAsync(request, stream ? HttpCompletionOption.ResponseHeadersRead : HttpCompletionOption.ResponseContentRead, cancel);
        if (!response.IsSuccessStatusCode)
            Assert.Fail($"{(int)response.StatusCode}: {await response.Content.ReadAsStringAsync(cancel)}");
        if (!stream)
            return SaidAnswer.Read(JsonSerializer.Deserialize<JsonElement>(await response.Content.ReadAsStringAsync(cancel)));
        await using Stream bytes = await response.Content.ReadAsStreamAsync(cancel);
        return await SaidAnswer.ReadStreamAsync(bytes, cancel);
    }

    /// <summary>Waits until no request is open and the engine is idle; fails when a page of its cache is held by nobody, or nothing ends within the limit.</summary>
    public async Task AssertIdleAsync(TimeSpan limit)
    {
        // A client that left may be ahead of its own request. The one that asks is open, too.
        await Eventually.HoldsAsync(async () => (await Client.GetStringAsync("/metrics")).Contains("\nglimmer_requests_open 1\n", StringComparison.Ordinal));
        await Backend.Engine.AssertNoLeakAsync().WaitAsync(limit);
        EngineStatistics now = Backend.Engine.GetStatistics();
        Assert.Equal((0, 0, 0), (now.Running, now.Waiting, now.PagesInUse));
        Assert.Equal(now.Pages, now.PagesFree + now.PagesCached);
        Assert.Equal(0, now.Faults);
    }
}
