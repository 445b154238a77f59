using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Accounts;

/// <summary>A key as its owner sees it.</summary>
/// <param name="Key">The key.</param>
/// <param name="ProjectId">Public id of its project.</param>
/// <param name="LastUsed">When it was last used, to the minute; null for never.</param>
/// <param name="FormerUntil">Until when the secret before the last rotation works; null when it does not.</param>
public sealed record KeyDetails(AccessKey Key, string ProjectId, DateTimeOffset? LastUsed, DateTimeOffset? FormerUntil);

/// <summary>What to change about a key; what is null stays.</summary>
public sealed record KeyChange
{
    /// <summary>New name.</summary>
    public string? Name { get; init; }

    /// <summary>Off or on.</summary>
    public bool? Disabled { get; init; }

    /// <summary>New expiry; <see cref="DateTimeOffset.MaxValue"/> for never.</summary>
    public DateTimeOffset? Expires { get; init; }

    /// <summary>New rules, all of them.</summary>
    public KeyRules? Rules { get; init; }

    /// <summary>Whether it may administer the platform; only keys of the default account may.</summary>
    public bool? Operator { get; init; }
}

/// <summary>Makes, changes and rotates keys. Secrets are shown once, kept hashed and sealed, and every change is audited.</summary>
public sealed class KeyService
{
    /// <summary>Most keys of an account.</summary>
    public const int MaxKeys = 1000;

    /// <summary>Longest time that the former secret works after a rotation.</summary>
    public static readonly TimeSpan LongestOverlap = TimeSpan.FromDays(30);

    private const string Columns =
        "k.id, k.project_id, k.public_id, k.name, k.disabled, k.created, k.expires, k.last_used, k.old_until, k.models, k.networks, k.spend_cap, k.operator, p.public_id AS project FROM access_keys k JOIN projects p ON p.id = k.project_id";

    private readonly PlatformStore _store;
    private readonly AccountDirectory _directory;
    private readonly SecretSeal _seal;

    internal KeyService(PlatformStore store, AccountDirectory directory, SecretSeal seal)
    {
        _store = store;
        _directory = directory;
        _seal = seal;
    }

    /// <summary>The keys of an account, the oldest first.</summary>
    /// <param name="accountId">The account.</param>
    /// <param name="projectId">Public id of a project; null for all.</param>
    public async Task<IReadOnlyList<KeyDetails>> ListAsync(long accountId, string? projectId = null) =>
    [
        .. (await _store.ReadAsync(session => session.List<KeyRow>(
            $"SELECT {Columns} WHERE k.account_id = @accountId AND k.deleted IS NULL{(projectId is null ? "" : " AND p.public_id = @projectId")} ORDER BY k.created, k.id", new { accountId, projectId })))
            .Select(row => Details(row, accountId)),
    ];

    /// <summary>One key of an account.</summary>
    public async Task<Outcome<KeyDetails>> FindAsync(long accountId, string keyId) =>
        await _store.ReadAsync(session => Row(session, accountId, keyId)) is { } row ? Details(row, accountId) : AccountErrors.NoKey();

    /// <summary>Makes a key.</summary>
    /// <param name="actor">Who.</param>
    /// <param name="accountId">The account.</param>
    /// <param name="projectId">Public id of the project; null for the account's first.</param>
    /// <param name="name">What its owner calls it, 1 to 100 characters.</param>
    /// <param name="expires">When it stops to work; null for never.</param>
    /// <param name="rules">What it may do; null for everything.</param>
    /// <param name="isOperator">Whether it may administer the platform; only keys of the default account may.</param>
    public async Task<Outcome<NewAccessKey>> CreateAsync(
        Actor actor, long accountId, string? projectId, string name, DateTimeOffset? expires = null, KeyRules? rules = null, bool isOperator = false)
    {
        rules ??= KeyRules.None;
        if (AccountErrors.CheckName(name) is { } wrongName)
            return wrongName;
        if (Check(rules) is { } wrongRules)
            return wrongRules;
        if (isOperator && NotForOperators(accountId) is { } wrongAccount)
            return wrongAccount;
        string id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        return await AddAsync(actor, accountId, projectId, name, id, KeySecrets.Create(), expires, rules, isOperator);
    }

    /// <summary>Makes an operator's key of a given credential, where there is none of its id.</summary>
    /// <param name="actor">Who.</param>
    /// <param name="accountId">The default account.</param>
    /// <param name="name">What its owner calls it, 1 to 100 characters.</param>
    /// <param name="credential">Its id (1 to 128 letters and digits) and its secret (8 to 256), a dot between.</param>
    public async Task<Outcome<NewAccessKey>> RestoreAsync(Actor actor, long accountId, string name, string credential)
    {
        string[] parts = credential.Split('.');
        if (parts.Length != 2 || parts[0].Length is < 1 or > 128 || parts[1].Length is < 8 or > 256 || !parts.All(part => part.All(char.IsAsciiLetterOrDigit)))
            return PlatformError.Invalid("key", "it is no credential", "Use ID.SECRET: 1 to 128 letters and digits, a dot, 8 to 256 letters and digits");
        if (_directory.FindKey(parts[0]) is { } known)
            return new NewAccessKey(known, credential);
        return await AddAsync(actor, accountId, null, name, parts[0], parts[1], null, KeyRules.None, isOperator: true);
    }

    private async Task<Outcome<NewAccessKey>> AddAsync(
        Actor actor, long accountId, string? projectId, string name, string id, string text, DateTimeOffset? expires, KeyRules rules, bool isOperator)
    {
        KeySecret secret = NewSecret(id, text);
        PlatformError? refused = await _store.WriteAsync(session =>
        {
            if (!AccountService.IsOpen(session, accountId))
                return AccountErrors.NoAccount();
            if (AccountService.FindProject(session, accountId, projectId) is not { } project)
                return AccountErrors.NoProject();
            if (session.Scalar<long>("SELECT COUNT(*) FROM access_keys WHERE account_id = @accountId AND deleted IS NULL", new { accountId }) >= MaxKeys)
                return AccountErrors.TooMany("keys", "API Key ", MaxKeys);
            Insert(session, accountId, project.Id, id, name, secret, _store.Now, expires?.ToUnixTimeMilliseconds(), false, rules, isOperator);
            AuditLog.Write(session, _store.Now, actor, accountId, "key.create", id, null, Describe(name, false, expires?.ToUnixTimeMilliseconds(), rules, isOperator));
            return null;
        });
        if (refused is not null)
            return refused;
        _directory.Refresh();
        return _directory.FindKey(id) is { } key ? new NewAccessKey(key, $"{id}.{text}") : PlatformError.Invalid("key", "a key of this id was deleted here, and ids are never given out again", "Use another id");
    }

    /// <summary>Changes a key.</summary>
    public async Task<Outcome<KeyDetails>> ChangeAsync(Actor actor, long accountId, string keyId, KeyChange change)
    {
        if (change.Name is { } name && AccountErrors.CheckName(name) is { } wrongName)
            return wrongName;
        if (change.Rules is { } rules && Check(rules) is { } wrongRules)
            return wrongRules;
        if (change.Operator == true && NotForOperators(accountId) is { } wrongAccount)
            return wrongAccount;
        bool found = await _store.WriteAsync(session =>
        {
            if (Row(session, accountId, keyId) is not { } row)
                return false;
            KeyRules before = KeyRules.Parse(row.Models, row.Networks, row.Spend_cap);
            KeyRules after = change.Rules ?? before;
            string newName = change.Name ?? row.Name;
            bool disabled = change.Disabled ?? row.Disabled != 0;
            long? expires = change.Expires is { } asked ? asked == DateTimeOffset.MaxValue ? null : asked.ToUnixTimeMilliseconds() : row.Expires;
            bool isOperator = change.Operator ?? row.Operator != 0;
            session.Execute(
                "UPDATE access_keys SET name = @newName, disabled = @disabled, expires = @expires, models = @models, networks = @networks, spend_cap = @cap, operator = @isOperator, version = @version WHERE id = @id",
                new
                {
                    newName,
                    disabled = disabled ? 1L : 0L,
                    expires,
                    models = KeyRules.Join(after.Models),
                    networks = KeyRules.Join(after.Networks?.Select(network => network.ToString()).ToArray()),
                    cap = after.SpendCap,
                    isOperator = isOperator ? 1L : 0L,
                    version = session.NextVersion(AccountDirectory.Topic),
                    id = row.Id,
                });
            AuditLog.Write(session, _store.Now, actor, accountId, "key.change", keyId, Describe(row.Name, row.Disabled != 0, row.Expires, before, row.Operator != 0), Describe(newName, disabled, expires, after, isOperator));
            return true;
        });
        if (!found)
            return AccountErrors.NoKey();
        _directory.Refresh();
        return await FindAsync(accountId, keyId);
    }

    /// <summary>Gives a key another secret. The former one works on for a while, so that nothing fails meanwhile.</summary>
    /// <param name="actor">Who.</param>
    /// <param name="accountId">The account.</param>
    /// <param name="keyId">The key.</param>
    /// <param name="overlap">How long the former secret works on, zero to 30 days. A secret from a rotation before stops at once.</param>
    public async Task<Outcome<NewAccessKey>> RotateAsync(Actor actor, long accountId, string keyId, TimeSpan overlap)
    {
        if (overlap < TimeSpan.Zero || overlap > LongestOverlap)
            return PlatformError.Invalid("overlap_seconds", $"it is {overlap.TotalSeconds}", $"Use 0 to {LongestOverlap.TotalSeconds}");
        string text = KeySecrets.Create();
        KeySecret secret = NewSecret(keyId, text);
        bool found = await _store.WriteAsync(session =>
        {
            if (Row(session, accountId, keyId) is not { } row)
                return false;
            long now = _store.Now;
            session.Execute(
                "UPDATE access_keys SET old_salt = CASE WHEN @keep = 1 THEN salt END, old_hash = CASE WHEN @keep = 1 THEN hash END, old_sealed = CASE WHEN @keep = 1 THEN sealed END, "
                + "old_until = @until, salt = @salt, hash = @hash, sealed = @box, version = @version WHERE id = @id",
                new
                {
                    keep = overlap > TimeSpan.Zero ? 1L : 0L,
                    until = overlap > TimeSpan.Zero ? now + (long)overlap.TotalMilliseconds : (long?)null,
                    salt = secret.Salt,
                    hash = secret.Hash,
                    box = secret.Sealed,
                    version = session.NextVersion(AccountDirectory.Topic),
                    id = row.Id,
                });
            AuditLog.Write(session, now, actor, accountId, "key.rotate", keyId, null, new JsonObject { ["overlap_seconds"] = (long)overlap.TotalSeconds });
            return true;
        });
        if (!found)
            return AccountErrors.NoKey();
        _directory.Refresh();
        return new NewAccessKey(_directory.FindKey(keyId)!, $"{keyId}.{text}");
    }

    /// <summary>Deletes a key. Its id is never given out again.</summary>
    public async Task<Outcome<bool>> DeleteAsync(Actor actor, long accountId, string keyId)
    {
        bool found = await _store.WriteAsync(session =>
        {
            if (Row(session, accountId, keyId) is not { } row)
                return false;
            session.Execute(
                "UPDATE access_keys SET deleted = @now, salt = @nothing, hash = @nothing, sealed = @nothing, old_salt = NULL, old_hash = NULL, old_sealed = NULL, old_until = NULL, version = @version WHERE id = @id",
                new { now = _store.Now, nothing = Array.Empty<byte>(), version = session.NextVersion(AccountDirectory.Topic), id = row.Id });
            AuditLog.Write(session, _store.Now, actor, accountId, "key.delete", keyId, new JsonObject { ["name"] = row.Name }, null);
            return true;
        });
        if (!found)
            return AccountErrors.NoKey();
        _directory.Refresh();
        return true;
    }

    internal static void Insert(
        StoreSession session, long accountId, long projectId, string id, string name, KeySecret secret, long created, long? expires, bool disabled, KeyRules rules, bool isOperator = false) =>
        session.Execute(
            "INSERT INTO access_keys (account_id, project_id, public_id, name, salt, hash, sealed, models, networks, spend_cap, disabled, created, expires, operator, version) "
            + "VALUES (@accountId, @projectId, @id, @name, @salt, @hash, @box, @models, @networks, @cap, @disabled, @created, @expires, @isOperator, @version) ON CONFLICT (public_id) DO NOTHING",
            new
            {
                accountId,
                projectId,
                id,
                name,
                salt = secret.Salt,
                hash = secret.Hash,
                box = secret.Sealed,
                models = KeyRules.Join(rules.Models),
                networks = KeyRules.Join(rules.Networks?.Select(network => network.ToString()).ToArray()),
                cap = rules.SpendCap,
                disabled = disabled ? 1L : 0L,
                created,
                expires,
                isOperator = isOperator ? 1L : 0L,
                version = session.NextVersion(AccountDirectory.Topic),
            });

    private static PlatformError? Check(KeyRules rules)
    {
        if (rules.Models is { } models)
        {
            if (models.Count > KeyRules.MaxEntries)
                return PlatformError.Invalid("models", $"it has {models.Count} entries", $"Use at most {KeyRules.MaxEntries}");
            foreach (string model in models)
            {
                if (model.Length is < 1 or > 100 || model.Any(c => char.IsControl(c) || char.IsWhiteSpace(c)))
                    return PlatformError.Invalid("models", "an entry is no model code", "Use codes such as glm-4.6");
            }
        }

        if (rules.Networks is { Count: > KeyRules.MaxEntries } networks)
            return PlatformError.Invalid("ips", $"it has {networks.Count} entries", $"Use at most {KeyRules.MaxEntries}");
        return rules.SpendCap < 0 ? PlatformError.Invalid("spend_cap", "it is negative", "Use 0 or more, or null for no cap") : null;
    }

    private static KeyRow? Row(StoreSession session, long accountId, string keyId) =>
        session.First<KeyRow>($"SELECT {Columns} WHERE k.account_id = @accountId AND k.public_id = @keyId AND k.deleted IS NULL", new { accountId, keyId });

    private static JsonObject Describe(string name, bool disabled, long? expires, KeyRules rules, bool isOperator) => new()
    {
        ["name"] = name,
        ["disabled"] = disabled,
        ["expires"] = expires,
        ["models"] = rules.Models is null ? null : new JsonArray([.. rules.Models.Select(model => JsonValue.Create(model))]),
        ["ips"] = rules.Networks is null ? null : new JsonArray([.. rules.Networks.Select(network => JsonValue.Create(network.ToString()))]),
        ["spend_cap"] = rules.SpendCap,
        ["operator"] = isOperator,
    };

    /// <summary>Members of an account may change its keys, so that only the account of the machine's owner may hold such a key.</summary>
    private PlatformError? NotForOperators(long accountId) => _directory.Find(accountId) is { IsDefault: true }
        ? null
        : PlatformError.Invalid("operator", "the key is of another account than the default one", "Use false, or a key of the default account");

    private KeySecret NewSecret(string id, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        byte[] salt = RandomNumberGenerator.GetBytes(16);
        return new KeySecret(salt, KeySecrets.Hash(salt, bytes), _seal.Seal(id, bytes));
    }

    private KeyDetails Details(KeyRow row, long accountId)
    {
        long used = Math.Max(row.Last_used ?? 0, _directory.LastUsed(row.Public_id));
        var key = new AccessKey(
            row.Public_id, row.Name, DateTimeOffset.FromUnixTimeMilliseconds(row.Created),
            row.Expires is { } expires ? DateTimeOffset.FromUnixTimeMilliseconds(expires) : null, row.Disabled != 0)
        {
            AccountId = accountId,
            ProjectId = row.Project_id,
            Number = row.Id,
            Rules = KeyRules.Parse(row.Models, row.Networks, row.Spend_cap),
            IsOperator = row.Operator != 0,
        };
        return new KeyDetails(
            key, row.Project, used == 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(used),
            row.Old_until is { } until && until > _store.Now ? DateTimeOffset.FromUnixTimeMilliseconds(until) : null);
    }

    private sealed record KeyRow(
        long Id, long Project_id, string Public_id, string Name, long Disabled, long Created, long? Expires, long? Last_used, long? Old_until,
        string? Models, string? Networks, long? Spend_cap, long Operator, string Project);
}
