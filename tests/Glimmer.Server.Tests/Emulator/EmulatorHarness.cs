using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine.Packages;
using Glimmer.Inference.Script;
using Glimmer.Platform.Store;
using Glimmer.Server.Emulator;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Server.Tests.Support;
using Glimmer.Testing;
using Microsoft.Extensions.Logging;

namespace Glimmer.Server.Tests.Emulator;

/// <summary>A server that plays a scenario under a clock that stands.</summary>
internal sealed class EmulatorHarness : IAsyncDisposable
{
    public const string Key = "00112233445566778899aabbccddeeff.FixedCredentialOfTests00";

    private static readonly Lazy<ModelPackage> Package = new(() => ModelPackage.Load(Fixtures.BundledModel));
    private readonly string _folder;
    private readonly GlimmerServer _server;

    private EmulatorHarness(GlimmerServer server, ScriptChatBackend backend, VirtualClock clock, LogCapture logs, string folder)
    {
        _server = server;
        _folder = folder;
        Backend = backend;
        Clock = clock;
        Logs = logs;
        Client = new HttpClient { BaseAddress = server.Addresses[0], Timeout = TimeSpan.FromMinutes(2) };
        Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
    }

    public ScriptChatBackend Backend { get; }

    public VirtualClock Clock { get; }

    public LogCapture Logs { get; }

    public HttpClient Client { get; }

    public static async Task<EmulatorHarness> StartAsync(string yaml, ulong? seed = 1, bool virtualDelays = false)
    {
        string folder = Directory.CreateTempSubdirectory("glimmer-emulator-test-").FullName;
        VirtualClock clock = new(new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        ScriptChatBackend backend = new(
            ScenarioReader.Read(new StringReader(yaml), "test.yaml"), new Lazy<ITokenizer>(() => Package.Value.Tokenizer),
            new ScriptOptions { Clock = clock, Pace = virtualDelays ? clock.Waits : TimeProvider.System, Seed = seed ?? 0 });
        ChatBackendSlot slot = new();
        backend.Changed = Fill;
        Fill();
        LogCapture logs = new();
        GlimmerServer server = GlimmerServer.Create(
            new GlimmerOptions { Port = 0, DataFolder = folder, LogLevel = LogLevel.Trace, DrainTime = TimeSpan.FromSeconds(1), StoreDurability = StoreDurability.Off },
            slot,
            new GlimmerServices { Logs = logs, Time = clock, FixedKey = Key, Seed = seed, Emulation = new Emulation(backend, clock) });
        await server.StartAsync();
        return new EmulatorHarness(server, backend, clock, logs, folder);

        void Fill()
        {
            slot.FillEmbeddings(backend.Embeddings);
            slot.Fill([backend], backend);
        }
    }

    public async Task<(int Status, string Body, HttpResponseMessage Answer)> SendAsync(HttpMethod method, string path, string? body = null, params (string Name, string Value)[] headers)
    {
        using HttpRequestMessage request = new(method, path);
        if (body is not null)
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        foreach ((string name, string value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        HttpResponseMessage answer = await Client.SendAsync(request);
        return ((int)answer.StatusCode, await answer.Content.ReadAsStringAsync(), answer);
    }

    public Task<(int Status, string Body, HttpResponseMessage Answer)> ChatAsync(string text, params (string Name, string Value)[] headers) =>
        SendAsync(HttpMethod.Post, "/api/paas/v4/chat/completions", $$"""{"model":"glm-4.7","user_id":"user-1","messages":[{"role":"user","content":"{{text}}"}]}""", headers);

    public async Task<JsonElement> GetAsync(string path)
    {
        (int status, string body, HttpResponseMessage answer) = await SendAsync(HttpMethod.Get, path);
        answer.Dispose();
        Assert.True(status == 200, body);
        return JsonDocument.Parse(body).RootElement;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _server.StopAsync();
        await _server.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }
}
