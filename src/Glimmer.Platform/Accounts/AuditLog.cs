using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Accounts;

/// <summary>Who changes something.</summary>
/// <param name="Name">A user's public id, <c>cli</c>, <c>system</c> or <c>provider:stripe</c>.</param>
/// <param name="Address">Where the call came from; empty when it came from this machine.</param>
public readonly record struct Actor(string Name, string Address = "")
{
    /// <summary>The platform itself.</summary>
    public static Actor System { get; } = new("system");

    /// <summary>Whoever may run commands on this machine.</summary>
    public static Actor Cli { get; } = new("cli");
}

/// <summary>One change.</summary>
/// <param name="Id">Its number.</param>
/// <param name="At">When.</param>
/// <param name="Actor">Who.</param>
/// <param name="AccountId">Number of the account it concerns; null when it concerns the platform.</param>
/// <param name="Action">What was done: <c>key.rotate</c>, <c>account.state</c> …</param>
/// <param name="Subject">To what, by its public id.</param>
/// <param name="Before">State before as JSON; null when there was none.</param>
/// <param name="After">State after as JSON; null when there is none.</param>
public sealed record AuditRecord(long Id, DateTimeOffset At, Actor Actor, long? AccountId, string Action, string Subject, string? Before, string? After);

/// <summary>Which changes to look up, the newest first.</summary>
/// <param name="AccountId">Of this account; null for all.</param>
/// <param name="Actor">By this actor, exactly; null for all.</param>
/// <param name="Action">Whose action begins so (<c>key.</c>); null for all.</param>
/// <param name="Subject">To this subject, exactly; null for all.</param>
/// <param name="Before">Only those with a smaller number; null for the newest.</param>
/// <param name="Most">How many, 1 to 1000.</param>
public sealed record AuditFilter(long? AccountId = null, string? Actor = null, string? Action = null, string? Subject = null, long? Before = null, int Most = 100);

/// <summary>Keeps who did what. Secrets and prompts never stand in it.</summary>
public interface IAuditLog
{
    /// <summary>Keeps a change on its own, through the background writer; goes on when it is durable.</summary>
    Task RecordAsync(Actor actor, long? accountId, string action, string subject, JsonNode? before, JsonNode? after);

    /// <summary>The latest changes, the newest first.</summary>
    /// <param name="accountId">Of this account; null for all.</param>
    /// <param name="before">Only those with a smaller number; null for the newest.</param>
    /// <param name="limit">Most records, 1 to 1000.</param>
    Task<IReadOnlyList<AuditRecord>> ListAsync(long? accountId, long? before = null, int limit = 100);

    /// <summary>The latest changes that a filter lets through, the newest first.</summary>
    Task<IReadOnlyList<AuditRecord>> SearchAsync(AuditFilter filter);
}

/// <summary>The audit log in the store.</summary>
internal sealed class AuditLog(PlatformStore store) : IAuditLog
{
    public Task RecordAsync(Actor actor, long? accountId, string action, string subject, JsonNode? before, JsonNode? after) =>
        store.Writes.WriteAsync(session => Write(session, store.Now, actor, accountId, action, subject, before, after));

    public async Task<IReadOnlyList<AuditRecord>> ListAsync(long? accountId, long? before = null, int limit = 100) =>
        await SearchAsync(new AuditFilter(accountId, Before: before, Most: limit));

    public async Task<IReadOnlyList<AuditRecord>> SearchAsync(AuditFilter filter)
    {
        ArgumentNullException.ThrowIfNull(filter);
        return await store.ReadAsync(session => List(session, filter));
    }

    /// <summary>Keeps a change in the transaction that makes it: neither is there without the other.</summary>
    internal static void Write(StoreSession session, long now, Actor actor, long? accountId, string action, string subject, JsonNode? before, JsonNode? after) =>
        session.Execute(
            "INSERT INTO audit_log (at, actor, address, account_id, action, subject, old_value, new_value) VALUES (@now, @actor, @address, @accountId, @action, @subject, @before, @after)",
            new { now, actor = actor.Name, address = actor.Address, accountId, action, subject, before = before?.ToJsonString(_json), after = after?.ToJsonString(_json) });

    internal static List<AuditRecord> List(StoreSession session, AuditFilter filter) => List(
        session, filter.AccountId, filter.Before ?? long.MaxValue, Math.Clamp(filter.Most, 1, 1000), filter.Actor, filter.Action, filter.Subject);

    internal static List<AuditRecord> List(
        StoreSession session, long? accountId, long before, int limit, string? actor = null, string? action = null, string? subject = null) =>
    [
        .. session.List<(long Id, long At, string Actor, string Address, long? Account, string Action, string Subject, string? Old, string? New)>(
            $"SELECT id, at, actor, address, account_id, action, subject, old_value, new_value FROM audit_log WHERE id < @before{(accountId is null ? "" : " AND account_id = @accountId")}"
            + (actor is null ? "" : " AND actor = @actor") + (action is null ? "" : " AND substr(action, 1, @length) = @action") + (subject is null ? "" : " AND subject = @subject")
            + " ORDER BY id DESC LIMIT @limit",
            new { accountId, before, limit, actor, action, length = action?.Length ?? 0, subject })
            .Select(row => new AuditRecord(row.Id, DateTimeOffset.FromUnixTimeMilliseconds(row.At), new Actor(row.Actor, row.Address), row.Account, row.Action, row.Subject, row.Old, row.New)),
    ];

    private static readonly JsonSerializerOptions _json = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}
