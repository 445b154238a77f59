using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Admission;

/// <summary>Who a request is made and charged for.</summary>
/// <param name="AccountId">The account.</param>
/// <param name="ProjectId">The key's project.</param>
/// <param name="KeyId">The key's public id.</param>
/// <param name="Tier">User tier, 0 for V0; null for no limits of a tier.</param>
/// <param name="Cap">The key's spend cap; null for none.</param>
/// <param name="Models">Codes that the key may call; null for all.</param>
public readonly record struct Caller(string AccountId, string ProjectId, string KeyId, int? Tier = null, SpendCap? Cap = null, IReadOnlyList<string>? Models = null)
{
    /// <summary>Requests of one model that the account may have in flight, in place of its tier's; 0 for no limit, null for the tier's.</summary>
    public int? Concurrency { get; init; }
}

/// <summary>Knows what keys may do. Reads memory only.</summary>
public interface ICallerPolicy
{
    /// <summary>Who a good key calls for.</summary>
    Caller Find(AccessKey key);

    /// <summary>Why an end user (<c>user_id</c>) of an account may not be served; null when he may.</summary>
    PlatformError? CheckEndUser(AccessKey key, string? endUser) => null;
}
