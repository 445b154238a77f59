using System.Text.Json.Nodes;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Accounts;

/// <summary>A project: keys belong to one, and usage is told per project.</summary>
/// <param name="Id">Number in the store.</param>
/// <param name="PublicId">What it is called outside: <c>proj-…</c>.</param>
/// <param name="AccountId">Number of its account.</param>
/// <param name="Name">What its owner calls it.</param>
/// <param name="Created">When it was made.</param>
public sealed record ProjectEntry(long Id, string PublicId, long AccountId, string Name, DateTimeOffset Created);

/// <summary>Which accounts to look up.</summary>
/// <param name="Text">A part of the name or of a member's address, or the whole public id; null for all.</param>
/// <param name="State">In this state now; null for any.</param>
/// <param name="After">Only accounts with a larger number.</param>
/// <param name="Most">How many, 1 to <see cref="Limit"/>.</param>
public sealed record AccountSearch(string? Text = null, AccountState? State = null, long After = 0, int Most = 50)
{
    /// <summary>Most accounts of an answer.</summary>
    public const int Limit = 500;
}

/// <summary>Makes and changes accounts, their projects and the locks of their end users. Every change is audited.</summary>
public sealed class AccountService
{
    /// <summary>Most projects of an account.</summary>
    public const int MaxProjects = 200;

    private readonly PlatformStore _store;
    private readonly AccountDirectory _directory;

    internal AccountService(PlatformStore store, AccountDirectory directory)
    {
        _store = store;
        _directory = directory;
    }

    /// <summary>Makes an account with one project.</summary>
    public async Task<Outcome<AccountEntry>> CreateAsync(Actor actor, string name, string language = "en", AccountState state = AccountState.Active)
    {
        if (AccountErrors.CheckName(name) is { } error)
            return error;
        long id = await _store.WriteAsync(session => Insert(session, _store.Now, actor, name, language, state, "person"));
        _directory.Refresh();
        return _directory.Find(id)!;
    }

    /// <summary>Renames an account.</summary>
    public Task<Outcome<AccountEntry>> RenameAsync(Actor actor, long accountId, string name) =>
        AccountErrors.CheckName(name) is { } error
            ? Task.FromResult<Outcome<AccountEntry>>(error)
            : ChangeAsync(actor, accountId, "account.rename", account => new() { ["name"] = account.Name }, "name = @name", new() { ["name"] = name }, new { accountId, name });

    /// <summary>Puts an account into a state, for a time or until further notice. Requests in flight go on.</summary>
    /// <param name="actor">Who.</param>
    /// <param name="accountId">The account.</param>
    /// <param name="state">The state; <see cref="AccountState.Closed"/> comes by deletion only.</param>
    /// <param name="reason">Why, for operators; at most 500 characters.</param>
    /// <param name="until">When it is active again by itself; null for never.</param>
    public Task<Outcome<AccountEntry>> SetStateAsync(Actor actor, long accountId, AccountState state, string reason = "", DateTimeOffset? until = null)
    {
        if (!Enum.IsDefined(state) || state == AccountState.Closed)
            return Task.FromResult<Outcome<AccountEntry>>(PlatformError.Invalid("state", $"it is {(int)state}", "Use active, inactive, locked, in_arrears, unavailable or irregular"));
        if (reason.Length > 500)
            return Task.FromResult<Outcome<AccountEntry>>(PlatformError.Invalid("reason", $"it has {reason.Length} characters", "Use at most 500"));
        return ChangeAsync(
            actor, accountId, "account.state",
            account => new() { ["state"] = account.State.ToString(), ["until"] = account.StateUntil?.ToString("O"), ["reason"] = account.StateReason },
            "state = @state, state_until = @until, state_reason = @reason",
            new() { ["state"] = state.ToString(), ["until"] = until?.ToString("O"), ["reason"] = reason },
            new { accountId, state = (long)state, until = until?.ToUnixTimeMilliseconds(), reason });
    }

    /// <summary>Sets the user tier of an account, 0 to 8 (V0 to V3 are usual).</summary>
    public Task<Outcome<AccountEntry>> SetTierAsync(Actor actor, long accountId, int tier) => tier is < 0 or > 8
        ? Task.FromResult<Outcome<AccountEntry>>(PlatformError.Invalid("tier", $"it is {tier}", "Use a whole number from 0 to 8"))
        : ChangeAsync(actor, accountId, "account.tier", account => new() { ["tier"] = account.Tier }, "tier = @tier", new() { ["tier"] = tier }, new { accountId, tier = (long)tier });

    /// <summary>Sets how many requests of one model an account may have in flight, in place of what its tier gives.</summary>
    /// <param name="actor">Who.</param>
    /// <param name="accountId">The account.</param>
    /// <param name="requests">0 to 100,000; 0 for no limit, null for the tier's.</param>
    public Task<Outcome<AccountEntry>> SetConcurrencyAsync(Actor actor, long accountId, int? requests) => requests is < 0 or > 100_000
        ? Task.FromResult<Outcome<AccountEntry>>(PlatformError.Invalid("concurrency", $"it is {requests}", "Use a whole number from 0 to 100000, or null for the tier's limit"))
        : ChangeAsync(
            actor, accountId, "account.concurrency", account => new() { ["concurrency"] = account.Concurrency }, "concurrency = @requests", new() { ["concurrency"] = requests },
            new { accountId, requests = (long?)requests });

    /// <summary>Looks accounts up, the oldest first.</summary>
    public async Task<IReadOnlyList<AccountEntry>> SearchAsync(AccountSearch search)
    {
        ArgumentNullException.ThrowIfNull(search);
        string sql = $"SELECT {AccountRow.Columns} FROM accounts a WHERE a.id > @after";
        if (search.State == AccountState.Active)
            sql += " AND (a.state = 0 OR (a.state <> 1111 AND a.state_until <= @now))";
        else if (search.State is not null)
            sql += " AND a.state = @state AND (a.state = 1111 OR a.state_until IS NULL OR a.state_until > @now)";
        if (search.Text is { Length: > 0 })
        {
            sql += " AND (a.public_id = @text OR lower(a.name) LIKE @like ESCAPE '~' OR EXISTS (SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id "
                + "WHERE m.account_id = a.id AND lower(u.email) LIKE @like ESCAPE '~'))";
        }

        List<AccountRow> rows = await _store.ReadAsync(session => session.List<AccountRow>(sql + " ORDER BY a.id LIMIT @most", new
        {
            after = search.After,
            now = _store.Now,
            state = (long?)search.State ?? 0,
            text = search.Text ?? "",
            like = "%" + (search.Text ?? "").ToLowerInvariant().Replace("~", "~~", StringComparison.Ordinal).Replace("%", "~%", StringComparison.Ordinal).Replace("_", "~_", StringComparison.Ordinal) + "%",
            most = (long)Math.Clamp(search.Most, 1, AccountSearch.Limit),
        }));
        return rows.ConvertAll(row => row.ToEntry());
    }

    /// <summary>The projects of an account, the oldest first.</summary>
    public async Task<IReadOnlyList<ProjectEntry>> ProjectsAsync(long accountId) => await _store.ReadAsync(session => Projects(session, accountId));

    /// <summary>Makes a project.</summary>
    public async Task<Outcome<ProjectEntry>> CreateProjectAsync(Actor actor, long accountId, string name)
    {
        if (AccountErrors.CheckName(name) is { } error)
            return error;
        return await _store.WriteAsync<Outcome<ProjectEntry>>(session =>
        {
            if (!IsOpen(session, accountId))
                return AccountErrors.NoAccount();
            if (Projects(session, accountId).Count >= MaxProjects)
                return AccountErrors.TooMany("projects", "项目", MaxProjects);
            ProjectEntry project = InsertProject(session, _store.Now, accountId, name);
            AuditLog.Write(session, _store.Now, actor, accountId, "project.create", project.PublicId, null, new JsonObject { ["name"] = name });
            return project;
        });
    }

    /// <summary>Renames a project.</summary>
    public async Task<Outcome<ProjectEntry>> RenameProjectAsync(Actor actor, long accountId, string projectId, string name)
    {
        if (AccountErrors.CheckName(name) is { } error)
            return error;
        return await _store.WriteAsync<Outcome<ProjectEntry>>(session =>
        {
            if (FindProject(session, accountId, projectId) is not { } project)
                return AccountErrors.NoProject();
            session.Execute("UPDATE projects SET name = @name WHERE id = @id", new { name, id = project.Id });
            AuditLog.Write(session, _store.Now, actor, accountId, "project.rename", projectId, new JsonObject { ["name"] = project.Name }, new JsonObject { ["name"] = name });
            return project with { Name = name };
        });
    }

    /// <summary>Deletes a project and its keys. An account keeps at least one.</summary>
    public async Task<Outcome<bool>> DeleteProjectAsync(Actor actor, long accountId, string projectId)
    {
        Outcome<bool> outcome = await _store.WriteAsync<Outcome<bool>>(session =>
        {
            List<ProjectEntry> all = Projects(session, accountId);
            if (all.Find(project => project.PublicId == projectId) is not { } project)
                return AccountErrors.NoProject();
            if (all.Count == 1)
                return AccountErrors.Conflict("This is the account's only project. Make another one first", "这是账户唯一的项目，请先创建其他项目");
            long version = session.NextVersion(AccountDirectory.Topic);
            int keys = session.Execute(
                "UPDATE access_keys SET deleted = @now, old_salt = NULL, old_hash = NULL, old_sealed = NULL, version = @version WHERE project_id = @id AND deleted IS NULL",
                new { now = _store.Now, version, id = project.Id });
            session.Execute("UPDATE projects SET deleted = @now WHERE id = @id", new { now = _store.Now, id = project.Id });
            AuditLog.Write(session, _store.Now, actor, accountId, "project.delete", projectId, new JsonObject { ["name"] = project.Name, ["keys"] = keys }, null);
            return true;
        });
        _directory.Refresh();
        return outcome;
    }

    /// <summary>Locks an end user of an account, or of all accounts (number 0): calls that name it are answered 429.</summary>
    /// <param name="actor">Who.</param>
    /// <param name="accountId">The account; 0 for all.</param>
    /// <param name="endUser">What calls send as <c>user_id</c>, 6 to 128 characters.</param>
    /// <param name="reason">Why; at most 500 characters.</param>
    /// <param name="until">When the lock ends; null for never.</param>
    public async Task<Outcome<bool>> LockEndUserAsync(Actor actor, long accountId, string endUser, string reason = "", DateTimeOffset? until = null)
    {
        if (endUser.Length is < 6 or > 128 || endUser.Contains('\0', StringComparison.Ordinal))
            return PlatformError.Invalid("user_id", $"it has {endUser.Length} characters", "Use the 6 to 128 characters that calls send");
        if (reason.Length > 500)
            return PlatformError.Invalid("reason", $"it has {reason.Length} characters", "Use at most 500");
        if (accountId != 0 && _directory.Find(accountId) is null)
            return AccountErrors.NoAccount();
        await _store.WriteAsync(session =>
        {
            session.Execute(
                "INSERT INTO end_user_locks (account_id, end_user, reason, created, expires, version) VALUES (@accountId, @endUser, @reason, @now, @expires, @version) "
                + "ON CONFLICT (account_id, end_user) DO UPDATE SET reason = excluded.reason, created = excluded.created, expires = excluded.expires, released = NULL, version = excluded.version",
                new { accountId, endUser, reason, now = _store.Now, expires = until?.ToUnixTimeMilliseconds(), version = session.NextVersion(AccountDirectory.Topic) });
            AuditLog.Write(session, _store.Now, actor, accountId == 0 ? null : accountId, "end_user.lock", endUser, null, new JsonObject { ["reason"] = reason, ["until"] = until?.ToString("O") });
            return true;
        });
        _directory.Refresh();
        return true;
    }

    /// <summary>Lets an end user in again.</summary>
    public async Task<Outcome<bool>> ReleaseEndUserAsync(Actor actor, long accountId, string endUser)
    {
        Outcome<bool> outcome = await _store.WriteAsync<Outcome<bool>>(session =>
        {
            if (session.Execute(
                "UPDATE end_user_locks SET released = @now, version = @version WHERE account_id = @accountId AND end_user = @endUser AND released IS NULL",
                new { now = _store.Now, version = session.NextVersion(AccountDirectory.Topic), accountId, endUser }) == 0)
            {
                return AccountErrors.Missing("lock", "锁定记录");
            }

            AuditLog.Write(session, _store.Now, actor, accountId == 0 ? null : accountId, "end_user.release", endUser, null, null);
            return true;
        });
        _directory.Refresh();
        return outcome;
    }

    /// <summary>The end users of an account that are locked now.</summary>
    public async Task<IReadOnlyList<(string EndUser, string Reason, DateTimeOffset Created, DateTimeOffset? Until)>> LockedEndUsersAsync(long accountId) =>
    [
        .. (await _store.ReadAsync(session => session.List<(string, string, long, long?)>(
            "SELECT end_user, reason, created, expires FROM end_user_locks WHERE account_id = @accountId AND released IS NULL AND (expires IS NULL OR expires > @now) ORDER BY created DESC LIMIT 1000",
            new { accountId, now = _store.Now })))
            .Select(row => (row.Item1, row.Item2, DateTimeOffset.FromUnixTimeMilliseconds(row.Item3), row.Item4 is { } until ? DateTimeOffset.FromUnixTimeMilliseconds(until) : (DateTimeOffset?)null)),
    ];

    internal static long Insert(StoreSession session, long now, Actor actor, string name, string language, AccountState state, string kind)
    {
        string publicId = PublicIds.New(PublicIds.Account);
        long id = session.Scalar<long>(
            "INSERT INTO accounts (public_id, name, kind, state, language, created, version) VALUES (@publicId, @name, @kind, @state, @language, @now, @version) RETURNING id",
            new { publicId, name, kind, state = (long)state, language, now, version = session.NextVersion(AccountDirectory.Topic) });
        InsertProject(session, now, id, "Default");
        AuditLog.Write(session, now, actor, id, "account.create", publicId, null, new JsonObject { ["kind"] = kind });
        return id;
    }

    internal static ProjectEntry InsertProject(StoreSession session, long now, long accountId, string name)
    {
        string publicId = PublicIds.New(PublicIds.Project);
        long id = session.Scalar<long>(
            "INSERT INTO projects (account_id, public_id, name, created) VALUES (@accountId, @publicId, @name, @now) RETURNING id", new { accountId, publicId, name, now });
        return new ProjectEntry(id, publicId, accountId, name, DateTimeOffset.FromUnixTimeMilliseconds(now));
    }

    internal static List<ProjectEntry> Projects(StoreSession session, long accountId) =>
    [
        .. session.List<(long Id, string PublicId, string Name, long Created)>(
            "SELECT id, public_id, name, created FROM projects WHERE account_id = @accountId AND deleted IS NULL ORDER BY id", new { accountId })
            .Select(row => new ProjectEntry(row.Id, row.PublicId, accountId, row.Name, DateTimeOffset.FromUnixTimeMilliseconds(row.Created))),
    ];

    /// <summary>A project by its public id, the account's first when that is null; null when there is none.</summary>
    internal static ProjectEntry? FindProject(StoreSession session, long accountId, string? publicId) =>
        Projects(session, accountId).Find(project => publicId is null || project.PublicId == publicId);

    internal static bool IsOpen(StoreSession session, long accountId) =>
        session.Scalar<long>("SELECT COUNT(*) FROM accounts WHERE id = @accountId AND deleted IS NULL", new { accountId }) > 0;

    private async Task<Outcome<AccountEntry>> ChangeAsync(
        Actor actor, long accountId, string action, Func<AccountEntry, JsonObject> before, string set, JsonObject after, object parameters)
    {
        bool found = await _store.WriteAsync(session =>
        {
            AccountRow? row = session.First<AccountRow>($"SELECT {AccountRow.Columns} FROM accounts WHERE id = @accountId AND deleted IS NULL{session.Dialect.ForUpdate}", new { accountId });
            if (row is null)
                return false;
            long version = session.NextVersion(AccountDirectory.Topic);
            session.Execute($"UPDATE accounts SET {set}, version = {version} WHERE id = @accountId", parameters);
            AuditLog.Write(session, _store.Now, actor, accountId, action, row.Public_id, before(row.ToEntry()), after);
            return true;
        });
        if (!found)
            return AccountErrors.NoAccount();
        _directory.Refresh();
        return _directory.Find(accountId)!;
    }
}
