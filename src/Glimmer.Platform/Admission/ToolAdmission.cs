using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Nodes;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Admission;

/// <summary>
/// Calls of the plan's remote tools (search, reader, repositories): one of the month's pool each, recorded in the ledger under the tool's
/// code, which is also where a restart finds them.
/// </summary>
public sealed class ToolAdmission(ICallerPolicy callers, PlanGate plans, CatalogueSource catalogue, Currency currency, TimeProvider time, ILedger ledger)
{
    /// <summary>Code of the web search.</summary>
    public const string Search = "search-prime";

    /// <summary>Takes a call, or says why not: 1113 without a plan, 1309, 1310, 1313, 1112 and others of the account. Settle or release what comes back.</summary>
    /// <param name="key">Whose call.</param>
    /// <param name="tool">The tool's code: <c>search-prime</c>, <c>web-reader</c>, <c>zread</c>.</param>
    /// <param name="id">The platform's id of the request.</param>
    /// <param name="error">Why not.</param>
    public ToolCall? Enter(AccessKey key, string tool, string id, out PlatformError? error)
    {
        Caller caller = callers.Find(key);
        DateTimeOffset now = time.GetUtcNow();
        error = plans.AdmitTool(caller.AccountId, tool, now);
        if (error is not null)
            return null;
        UsageUnits units = tool == Search ? new UsageUnits { Searches = 1 } : new UsageUnits { Tools = 1 };
        var quote = new Quote(Price.Free(tool, catalogue.Current.Version, currency), units, ChargeMode.Plan);
        if (ledger.TryReserve(new Payer(caller.AccountId, caller.ProjectId, caller.KeyId, caller.Cap), quote, id, out Reservation? reservation, out error))
            return new ToolCall(this, caller.AccountId, tool, now, units, reservation);
        plans.ReleaseTool(caller.AccountId, tool, now);
        return null;
    }

    /// <summary><see cref="Enter"/>, waiting where this node shares the month's pool with others and has nothing of it yet.</summary>
    public async ValueTask<(ToolCall? Call, PlatformError? Error)> EnterAsync(AccessKey key, string tool, string id, CancellationToken cancel)
    {
        for (int attempt = 0; ; attempt++)
        {
            ToolCall? call = Enter(key, tool, id, out PlatformError? error);
            if (call is not null || attempt == 2 || plans.DryMonth(callers.Find(key).AccountId, time.GetUtcNow()) is not { } dry || !await SlicePlaces.WaitAsync(dry, attempt, time, cancel))
                return (call, error);
        }
    }

    internal Task Settle(ToolCall call) => ledger.Settle(call.Reservation, call.Units, new SettleDetails(Surface: "tool")).Durable;

    internal void Release(ToolCall call)
    {
        plans.ReleaseTool(call.Account, call.Tool, call.Begun);
        ledger.Release(call.Reservation);
    }
}

/// <summary>A tool call under way: settle it when it gave a result; otherwise disposing it gives it back.</summary>
public sealed class ToolCall : IDisposable
{
    private readonly ToolAdmission _owner;
    private int _ended;

    internal ToolCall(ToolAdmission owner, string account, string tool, DateTimeOffset begun, UsageUnits units, Reservation reservation)
    {
        _owner = owner;
        Account = account;
        Tool = tool;
        Begun = begun;
        Units = units;
        Reservation = reservation;
    }

    internal string Account { get; }

    internal string Tool { get; }

    internal DateTimeOffset Begun { get; }

    internal UsageUnits Units { get; }

    internal Reservation Reservation { get; }

    /// <summary>Counts the call; completes when its record is durable. The first outcome counts.</summary>
    public Task Settle() => Interlocked.Exchange(ref _ended, 1) == 0 ? _owner.Settle(this) : Task.CompletedTask;

    /// <summary>Gives it back when it was not settled.</summary>
    public void Dispose()
    {
        if (Interlocked.Exchange(ref _ended, 1) == 0)
            _owner.Release(this);
    }
}
