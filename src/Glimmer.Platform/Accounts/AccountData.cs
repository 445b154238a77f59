using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Accounts;

/// <summary>What another room keeps about an account, for export and deletion.</summary>
public interface IAccountDataOwner
{
    /// <summary>Name of its part in an export: <c>ledger</c>, <c>tasks</c> …</summary>
    string Part { get; }

    /// <summary>What it has, as JSON.</summary>
    Task<JsonNode?> ExportAsync(AccountEntry account, CancellationToken cancel);

    /// <summary>Removes what is personal. May keep rows that name the account's number only.</summary>
    Task EraseAsync(AccountEntry account);
}

/// <summary>
/// Export and deletion of an account (spec: platform.md, ACC-9). After a deletion nothing personal of the account is left
/// in the database: names, addresses, passwords, sessions, locks of end users and the audit trail's contents are gone;
/// numbers and random ids stay, since the ledger's rows refer to them. Users who belong to no other account go along.
/// </summary>
public sealed class AccountData
{
    private readonly PlatformAccounts _accounts;
    private readonly List<IAccountDataOwner> _owners = [];

    internal AccountData(PlatformAccounts accounts) => _accounts = accounts;

    /// <summary>Adds a room that keeps something about accounts. Before the server starts.</summary>
    public void Add(IAccountDataOwner owner) => _owners.Add(owner);

    /// <summary>Everything that is kept about an account. Secrets and hashes are not in it: nobody can use them.</summary>
    public async Task<JsonObject> ExportAsync(Actor actor, AccountEntry account, CancellationToken cancel = default)
    {
        PlatformStore store = _accounts.Store;
        await _accounts.Audit.RecordAsync(actor, account.Id, "account.export", account.PublicId, null, null);
        IReadOnlyList<KeyDetails> keys = await _accounts.Keys.ListAsync(account.Id);
        JsonObject result = await store.ReadAsync(
            session =>
            {
                var export = new JsonObject
                {
                    ["exported"] = store.Time.GetUtcNow().ToString("O"),
                    ["account"] = new JsonObject
                    {
                        ["id"] = account.PublicId,
                        ["name"] = account.Name,
                        ["state"] = account.State.ToString(),
                        ["tier"] = account.Tier,
                        ["language"] = account.Language,
                        ["created"] = account.Created.ToString("O"),
                    },
                };
                export["members"] = List(MemberService.List(session, account.Id), member => new JsonObject
                {
                    ["id"] = member.User.PublicId,
                    ["email"] = member.User.Email,
                    ["name"] = member.User.Name,
                    ["language"] = member.User.Language,
                    ["role"] = MemberService.RoleText(member.Role),
                    ["since"] = member.Since.ToString("O"),
                    ["logins"] = List(session.List<string>("SELECT provider FROM user_logins WHERE user_id = @id", new { id = member.User.Id }), name => JsonValue.Create(name)),
                });
                export["projects"] = List(AccountService.Projects(session, account.Id), project => new JsonObject
                {
                    ["id"] = project.PublicId,
                    ["name"] = project.Name,
                    ["created"] = project.Created.ToString("O"),
                });
                export["end_users"] = List(
                    session.List<(string User, string Reason, long Created)>("SELECT end_user, reason, created FROM end_user_locks WHERE account_id = @id ORDER BY created", new { id = account.Id }),
                    row => new JsonObject { ["user_id"] = row.User, ["reason"] = row.Reason, ["locked"] = DateTimeOffset.FromUnixTimeMilliseconds(row.Created).ToString("O") });
                export["audit"] = List(AuditLog.List(session, account.Id, long.MaxValue, 100_000), record => new JsonObject
                {
                    ["at"] = record.At.ToString("O"),
                    ["actor"] = record.Actor.Name,
                    ["address"] = record.Actor.Address,
                    ["action"] = record.Action,
                    ["subject"] = record.Subject,
                    ["before"] = record.Before is null ? null : JsonNode.Parse(record.Before),
                    ["after"] = record.After is null ? null : JsonNode.Parse(record.After),
                });
                return export;
            },
            snapshot: true,
            cancel);
        result["keys"] = List(keys, key => new JsonObject
        {
            ["id"] = key.Key.Id,
            ["project"] = key.ProjectId,
            ["name"] = key.Key.Name,
            ["disabled"] = key.Key.Disabled,
            ["created"] = key.Key.Created.ToString("O"),
            ["expires"] = key.Key.Expires?.ToString("O"),
            ["last_used"] = key.LastUsed?.ToString("O"),
        });
        foreach (IAccountDataOwner owner in _owners)
            result[owner.Part] = await owner.ExportAsync(account, cancel);
        return result;
    }

    /// <summary>Deletes an account for good. Its keys answer 1111 from then on.</summary>
    public async Task<Outcome<bool>> DeleteAsync(Actor actor, AccountEntry account)
    {
        if (account.IsDefault)
            return AccountErrors.Conflict("The default account belongs to the machine's owner and cannot be deleted", "默认账户不可删除");
        bool open = await _accounts.Store.WriteAsync(session => Close(session, account.Id));
        if (!open)
            return AccountErrors.NoAccount();
        _accounts.Directory.Refresh();
        foreach (IAccountDataOwner owner in _owners)
            await owner.EraseAsync(account);
        await _accounts.Store.WriteAsync(session => Erase(session, actor, account));
        _accounts.Directory.Refresh();
        _accounts.Store.Checkpoint();
        return true;
    }

    private static bool Close(StoreSession session, long id) => session.Execute(
        "UPDATE accounts SET state = 1111, version = @version WHERE id = @id AND deleted IS NULL", new { id, version = session.NextVersion(AccountDirectory.Topic) }) == 1;

    private bool Erase(StoreSession session, Actor actor, AccountEntry account)
    {
        long id = account.Id;
        long now = _accounts.Store.Now;
        long version = session.NextVersion(AccountDirectory.Topic);
        List<long> users = session.List<long>("SELECT user_id FROM memberships WHERE account_id = @id", new { id });
        session.Execute("DELETE FROM memberships WHERE account_id = @id", new { id });
        session.Execute("DELETE FROM mail_tokens WHERE account_id = @id", new { id });
        session.Execute("DELETE FROM end_user_locks WHERE account_id = @id", new { id });
        foreach (long user in users)
        {
            if (session.Scalar<long>("SELECT COUNT(*) FROM memberships WHERE user_id = @user", new { user }) > 0 || UserRow.Find(session, user) is not { Operator: 0 } row)
                continue;
            Sessions.EndAll(session, user);
            session.Execute("DELETE FROM user_logins WHERE user_id = @user", new { user });
            session.Execute("DELETE FROM mail_tokens WHERE user_id = @user OR email = @email", new { user, email = row.Email ?? "" });
            session.Execute("DELETE FROM users WHERE id = @user", new { user });

            // The addresses that he called from are his, also where he acted elsewhere.
            session.Execute("UPDATE audit_log SET address = '' WHERE actor = @name", new { name = row.Public_id });
        }

        session.Execute("UPDATE projects SET name = '', deleted = COALESCE(deleted, @now) WHERE account_id = @id", new { id, now });

        // The hash stays so that the key's holder is told that the account is gone, and nobody else is.
        session.Execute(
            "UPDATE access_keys SET name = '', sealed = @nothing, old_salt = NULL, old_hash = NULL, old_sealed = NULL, old_until = NULL, models = NULL, networks = NULL, version = @version WHERE account_id = @id",
            new { id, nothing = Array.Empty<byte>(), version });
        session.Execute("UPDATE audit_log SET old_value = NULL, new_value = NULL, address = '' WHERE account_id = @id", new { id });
        session.Execute("UPDATE audit_log SET subject = '' WHERE account_id = @id AND action LIKE 'end_user.%'", new { id });
        session.Execute("UPDATE accounts SET name = '', state = 1111, state_until = NULL, state_reason = '', deleted = @now, version = @version WHERE id = @id", new { id, now, version });
        AuditLog.Write(session, now, actor with { Address = "" }, id, "account.delete", account.PublicId, null, null);
        return true;
    }

    private static JsonArray List<T>(IEnumerable<T> items, Func<T, JsonNode?> one) => [.. items.Select(one)];
}
