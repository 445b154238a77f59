using Glimmer.Platform.Admission;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Server.Answers;
using Glimmer.Server.Billing;
using Glimmer.Server.Tasks;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Hosting;

/// <summary>Log lines of the server itself.</summary>
internal static partial class ServerLog
{
    public static void Attach(PlatformStore store, PlatformLedger ledger, ILogger log)
    {
        store.Faulted = fault =>
        {
            if (fault is not StoreAwayException)
                StoreFault(log, fault.Message);
        };
        store.Presence.Changed = (fault, gone) =>
        {
            if (fault is not null)
                StoreAway(log, store.Description, fault.Message);
            else
                StoreBack(log, store.Description, Math.Round(gone.TotalSeconds, 1), ledger.JournalWaiting);
        };
        foreach (JournalReplay replay in ledger.Replays)
        {
            if (replay.Fault is null)
                Replayed(log, replay.Requests, replay.Path, replay.Torn);
            else
                NotReplayed(log, replay.Path, replay.Fault);
        }

        foreach (string step in store.IsNew ? [] : store.Upgrades)
            StoreUpgraded(log, step);
        if (store.Newer.Count > 0)
            StoreNewer(log, string.Join(", ", store.Newer));
        if (store.Warning is { } warning)
            StoreWarning(log, warning);
    }

    [LoggerMessage(1003, LogLevel.Error, "Store: {Fault} What was known before stays in force; it is tried again.")]
    private static partial void StoreFault(ILogger log, string fault);

    [LoggerMessage(1004, LogLevel.Information, "Store upgraded: {Step}")]
    private static partial void StoreUpgraded(ILogger log, string step);

    [LoggerMessage(1005, LogLevel.Warning, "Store: {Warning}")]
    private static partial void StoreWarning(ILogger log, string warning);

    [LoggerMessage(1012, LogLevel.Warning, "A newer version has upgraded the store ({Steps}). This one goes on with it; replace it soon.")]
    private static partial void StoreNewer(ILogger log, string steps);

    [LoggerMessage(1007, LogLevel.Error, "The database {Store} is away: {Fault} Answers go on and are kept in the journal; it is tried again.")]
    private static partial void StoreAway(ILogger log, string store, string fault);

    [LoggerMessage(1008, LogLevel.Warning, "The database {Store} is back after {Seconds} s; {Journal} settled requests of the journal go into it.")]
    private static partial void StoreBack(ILogger log, string store, double seconds, long journal);

    [LoggerMessage(1009, LogLevel.Warning, "{Requests} settled requests of the journal {Path} that a former run left are in the database, once each ({Torn} bytes at its end were no whole record).")]
    private static partial void Replayed(ILogger log, int requests, string path, long torn);

    [LoggerMessage(1010, LogLevel.Error, "The journal {Path} that a former run left was not taken in whole: {Fault}")]
    private static partial void NotReplayed(ILogger log, string path, string fault);

    [LoggerMessage(1006, LogLevel.Error, "Renewals, refunds or rewards could not be run and will be tried again: {Fault}")]
    public static partial void PlansNotRun(ILogger log, string fault);
}
