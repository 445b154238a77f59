using System.Collections.Concurrent;
using Glimmer.Inference;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing;
using Glimmer.Inference.Routing.Definitions;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Server.Tests.Support;

namespace Glimmer.Server.Tests.Routing;

/// <summary>A server in front of a pool whose backends a test makes.</summary>
internal sealed class PooledHarness : IAsyncDisposable
{
    public const string Model = "glm-4.7";

    private PooledHarness(ServerHarness harness, BackendPool pool, ConcurrentDictionary<string, IChatBackend> made)
    {
        Harness = harness;
        Pool = pool;
        Made = made;
    }

    public ServerHarness Harness { get; }

    public BackendPool Pool { get; }

    /// <summary>The newest backend of each name.</summary>
    public ConcurrentDictionary<string, IChatBackend> Made { get; }

    public static RoutingOptions Quiet { get; } = new() { Probe = new ProbeOptions { Interval = TimeSpan.Zero } };

    public static async Task<PooledHarness> StartAsync(
        Func<BackendDefinition, IChatBackend> create, RoutingOptions? options, Func<GlimmerOptions, GlimmerOptions>? change = null, params BackendDefinition[] definitions)
    {
        ConcurrentDictionary<string, IChatBackend> made = new(StringComparer.Ordinal);
        var pool = new BackendPool(definition => made[definition.Name] = create(definition));
        pool.Apply(new BackendSet(definitions, options ?? Quiet));
        ServerHarness harness = await ServerHarness.StartAsync(change, fill: false);
        BackendLog.Attach(pool, harness.Server.Logs);
        harness.Slot.Follow(pool, null);
        return new PooledHarness(harness, pool, made);
    }

    /// <summary>A server in front of scripted backends.</summary>
    public static Task<PooledHarness> StartAsync(params string[] names) => StartAsync(Scripted, null, options => options with { ShowBackend = true }, [.. names.Select(name => Define(name))]);

    public ScriptedBackend this[string name] => (ScriptedBackend)Made[name];

    public static ScriptedBackend Scripted(BackendDefinition definition) =>
        new([.. definition.Models.Select(model => model.Code)]) { Name = definition.Name, Script = _ => ChatScript.Of("I am ", definition.Name) };

    public static BackendDefinition Define(string name, int weight = 100, int maxInFlight = 256) => new()
    {
        Name = name,
        Kind = BackendKind.OpenAI,
        Url = new Uri("http://127.0.0.1:1/secret-path"),
        ApiKey = "canary-api-key",
        Headers = new Dictionary<string, string> { ["X-Secret"] = "canary-header" },
        Models = [new BackendModel { Code = Model }],
        Weight = weight,
        MaxInFlight = maxInFlight,
    };

    public async ValueTask DisposeAsync()
    {
        await Harness.DisposeAsync();
        await Pool.DisposeAsync();
    }
}
