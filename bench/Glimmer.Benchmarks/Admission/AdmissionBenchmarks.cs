using BenchmarkDotNet.Attributes;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;
using Glimmer.Platform.Store;

namespace Glimmer.Benchmarks.Admission;

/// <summary>
/// What a request costs on its way in and out: all checks, plan or balance, money set aside, a place in flight, settlement. The store's
/// writer runs on its own thread, as it does in the server; only the caller's time is taken, and it does not wait for the disk.
/// </summary>
[MemoryDiagnoser]
public class AdmissionBenchmarks : IDisposable
{
    private const int Accounts = 1000;
    private readonly string _folder = Directory.CreateTempSubdirectory("glimmer-bench-").FullName;
    private PlatformStore? _store;
    private PlatformLedger? _ledger;
    private CallAdmission? _calls;
    private FairAdmission? _places;
    private CatalogueSource? _catalogue;
    private AccessKey[] _keys = [];
    private CatalogModel? _model;
    private int _next;

    /// <summary>What pays.</summary>
    [Params("balance", "plan", "free")]
    public string Payer { get; set; } = "balance";

    [GlobalSetup]
    public async Task SetupAsync()
    {
        _store = PlatformStore.Open(new StoreSettings { DataFolder = _folder, Durability = StoreDurability.Off });
        _ledger = PlatformLedger.Open(_store, new LedgerSettings { BacklogLimit = int.MaxValue });
        _catalogue = new CatalogueSource(Catalogue.Load());
        _model = _catalogue.Current.Find("glm-4.7")!;
        var plans = new PlanGate(PlanRules.Parse(new StringReader(Endless), "bench", "bench"));
        DateTimeOffset now = TimeProvider.System.GetUtcNow();
        _keys = [.. Enumerable.Range(0, Accounts).Select(i => new AccessKey($"key-{i}", "", now, null, false))];
        foreach (AccessKey key in _keys)
        {
            await _ledger.DepositAsync(key.Id, Money.Of(1_000_000, Currency.Usd), $"cash:{key.Id}");
            if (Payer == "plan")
                plans.Apply(key.Id, new SubscriptionEvent(SubscriptionEventKind.Ordered, now) { Plan = "endless", Months = 1, Currency = "USD" });
        }

        _places = new FairAdmission(new AdmissionLimits(256, 256, 1024, 256, TimeSpan.FromSeconds(60)), TimeProvider.System);
        _calls = new CallAdmission(
            new OwnAccount(),
            _places,
            plans,
            _catalogue,
            new CallRates(plans.Rules.Calendar),
            new RequestIdWindow(TimeSpan.FromMinutes(10), 200_000, TimeProvider.System),
            Payer == "free" ? BillingMode.Free : BillingMode.Metered,
            Currency.Usd,
            TimeProvider.System,
            _ledger);
    }

    /// <summary>The way in and out again without using anything.</summary>
    [Benchmark]
    public async Task EnterAndReleaseAsync()
    {
        CallEntry entry = await _calls!.EnterAsync(Request(), CancellationToken.None);
        entry.Call!.Dispose();
    }

    /// <summary>The way in and a settlement, handed to the writer.</summary>
    [Benchmark]
    public async Task<bool> EnterAndSettleAsync()
    {
        CallEntry entry = await _calls!.EnterAsync(Request(), CancellationToken.None);
        using AdmittedCall call = entry.Call!;
        return call.Settle(new UsageUnits { Input = 900, CachedInput = 500, Output = 250, Reasoning = 80 }).IsCompleted;
    }

    /// <summary>A place in flight alone.</summary>
    [Benchmark]
    public async Task PlaceAsync()
    {
        AccessKey key = _keys[_next++ % Accounts];
        AdmissionResult result = await _places!.EnterAsync(new AdmissionRequest(key, "glm-4.7") { ModelLimit = 30 }, CancellationToken.None);
        result.Lease!.Dispose();
    }

    [GlobalCleanup]
    public void Dispose()
    {
        GC.SuppressFinalize(this);
        _ledger?.DisposeAsync().AsTask().GetAwaiter().GetResult();
        _store?.Dispose();
        _places?.Dispose();
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
    }

    private CallRequest Request() => new(
        _keys[_next++ % Accounts], _model!, Payer == "plan" ? ApiSurface.Coding : ApiSurface.General, "20250605132035222ead927d794645", new UsageUnits { Input = 1000, Output = 1024 });

    private sealed class OwnAccount : ICallerPolicy
    {
        public Caller Find(AccessKey key) => new(key.Id, "project", key.Id, Tier: 0);
    }

    private const string Endless = """
        plans:
          endless: { rank: 1, window_prompts: 1000000000, week_prompts: 1000000000, tool_calls: 1, concurrency: 1000, off_peak_concurrency: 1000, surfaces: [coding], models: [glm-4.7] }
        factors:
          - { models: [glm-4.7], from: 14:00, to: 18:00, factor: 3 }
          - { models: [glm-4.7], factor: 2 }
        """;
}
