using Glimmer.Platform.Accounts;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Admission;

/// <summary>
/// Callers by the accounts in memory. The account of the machine's owner has no tier: it may use every place. Others have theirs. The ledger
/// and plans know accounts by their public id.
/// </summary>
public sealed class DirectoryCallers(AccountDirectory accounts, Currency currency) : ICallerPolicy
{
    /// <inheritdoc/>
    public Caller Find(AccessKey key)
    {
        ArgumentNullException.ThrowIfNull(key);
        AccountEntry? account = accounts.Find(key.AccountId);
        SpendCap? cap = key.Rules.SpendCap is { } units ? new SpendCap(Money.FromUnits(units, currency), CapPeriod.Total) : null;
        return new Caller(
            account?.PublicId ?? "", accounts.ProjectOf(key.ProjectId), key.Id, account is { IsDefault: true } ? null : account?.Tier ?? 0, cap, key.Rules.Models)
        {
            Concurrency = account?.Concurrency,
        };
    }

    /// <inheritdoc/>
    public PlatformError? CheckEndUser(AccessKey key, string? endUser)
    {
        ArgumentNullException.ThrowIfNull(key);
        return accounts.CheckEndUser(key.AccountId, endUser);
    }
}
