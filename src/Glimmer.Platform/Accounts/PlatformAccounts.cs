using System.Text.Json.Nodes;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Accounts;

/// <summary>
/// The accounts of a store, ready for use: opens what seals secrets, makes the default account, takes the keys of an old
/// <c>keys.json</c> over, loads the directory, and keeps it fresh.
/// </summary>
public sealed class PlatformAccounts : IAsyncDisposable
{
    private const string SealCheck = "glimmer protection key";
    private static readonly TimeSpan _flushEvery = TimeSpan.FromSeconds(30);
    private readonly ITimer _flush;
    private readonly WriteLane<(long Number, long LastUsed)> _lastUsed;
    private int _disposed;

    private PlatformAccounts(PlatformStore store, SecretSeal seal)
    {
        Store = store;
        Seal = seal;
        Directory = new AccountDirectory(store, seal);
        Audit = new AuditLog(store);
        Accounts = new AccountService(store, Directory);
        Keys = new KeyService(store, Directory, seal);
        Members = new MemberService(store, Directory);
        Data = new AccountData(this);
        Operators = new Operators(store);
        OwnerKeys = new OwnerKeys(this, Actor.System);
        _lastUsed = store.Writes.Lane<(long Number, long LastUsed)>(static (session, values) =>
        {
            foreach ((long number, long lastUsed) in values)
                session.Statement("UPDATE access_keys SET last_used = @p0 WHERE id = @p1 AND (last_used IS NULL OR last_used < @p0)").With(lastUsed).With(number).Execute();
        });
        _flush = store.Time.CreateTimer(_ => FlushLastUsed(), null, _flushEvery, _flushEvery);
    }

    /// <summary>All accounts and keys in memory.</summary>
    public AccountDirectory Directory { get; }

    /// <summary>Changes accounts and projects.</summary>
    public AccountService Accounts { get; }

    /// <summary>Export and deletion.</summary>
    public AccountData Data { get; }

    /// <summary>Who belongs to which account.</summary>
    public MemberService Members { get; }

    /// <summary>Changes keys.</summary>
    public KeyService Keys { get; }

    /// <summary>Who may administer the platform.</summary>
    public Operators Operators { get; }

    /// <summary>The keys of the default account.</summary>
    public OwnerKeys OwnerKeys { get; }

    /// <summary>Who did what.</summary>
    public IAuditLog Audit { get; }

    /// <summary>The account that the keys of the machine's owner belong to.</summary>
    public AccountEntry DefaultAccount => Directory.Accounts.First(account => account.IsDefault);

    /// <summary>The store.</summary>
    public PlatformStore Store { get; }

    /// <summary>The store's clock.</summary>
    public DateTimeOffset Now => Store.Time.GetUtcNow();

    internal SecretSeal Seal { get; }

    /// <summary>Opens the accounts of a store.</summary>
    /// <param name="store">The store; stays the caller's.</param>
    /// <param name="setting">Name of the setting that chose the data folder, for messages.</param>
    /// <exception cref="KeyRingException">The protection key or an old key file cannot be used.</exception>
    public static PlatformAccounts Open(PlatformStore store, string setting = "Glimmer:DataFolder")
    {
        string folder = Path.GetFullPath(store.Settings.DataFolder);
        try
        {
            System.IO.Directory.CreateDirectory(folder);
            string protection = Path.Combine(folder, KeyRing.ProtectionFileName);
            string keys = Path.Combine(folder, KeyRing.FileName);
            KeyFile? file = File.Exists(keys) ? KeyFile.Read(keys, setting) : null;
            string? check = store.Read(session => session.Scalar<string?>("SELECT value FROM account_settings WHERE name = 'seal'"));
            if (!File.Exists(protection) && (check is not null || file is { Keys.Count: > 0 }))
            {
                throw new KeyRingException(
                    $"The protection key {protection} is missing, but {(check is not null ? "the store" : keys)} holds keys sealed with it. Restore it (all nodes of one store need the same), or move both away to start with a new key (data folder: {setting}).");
            }

            SecretSeal seal = SecretSeal.Open(protection, setting);
            store.Write(session => Prepare(session, store.Now, seal, file, folder, setting));

            // The store is the truth from now on. The file is kept, but out of the way.
            if (file is not null)
                File.Move(keys, keys + ".imported", overwrite: true);
            return new PlatformAccounts(store, seal);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new KeyRingException($"The data folder {folder} cannot be written: {fault.Message} Make it writable, or choose another one ({setting}).", fault);
        }
    }

    /// <summary>Gives what is known of last uses to the writer.</summary>
    internal void FlushLastUsed()
    {
        foreach ((long, long) use in Directory.TakeUsed())
        {
            if (!_lastUsed.TryPost(use))
                return;   // the store is away; a last use is not worth waiting for
        }
    }

    /// <summary>Gives what is left to the writer and stops following the store.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        await _flush.DisposeAsync();
        FlushLastUsed();
        Directory.Dispose();
    }

    private static bool Prepare(StoreSession session, long now, SecretSeal seal, KeyFile? file, string folder, string setting)
    {
        string? check = session.Scalar<string?>("SELECT value FROM account_settings WHERE name = 'seal'");
        if (check is null)
        {
            string sealedCheck = Convert.ToBase64String(seal.Seal("check", System.Text.Encoding.UTF8.GetBytes(SealCheck)));
            session.Execute("INSERT INTO account_settings (name, value) VALUES ('seal', @sealedCheck) ON CONFLICT (name) DO NOTHING", new { sealedCheck });
            check = session.Scalar<string>("SELECT value FROM account_settings WHERE name = 'seal'")!;
        }

        if (seal.TryOpen("check", Convert.FromBase64String(check)) is null)
        {
            throw new KeyRingException(
                $"The protection key {Path.Combine(folder, KeyRing.ProtectionFileName)} is not the one that the store's secrets are sealed with. Restore the right one; all nodes of one store need the same (data folder: {setting}).");
        }

        long? account = session.Scalar<long?>("SELECT id FROM accounts WHERE kind = 'default'");
        if (account is null)
        {
            // NextVersion locks the topic: of two processes that start at once, one waits and then finds the account.
            session.NextVersion(AccountDirectory.Topic);
            account = session.Scalar<long?>("SELECT id FROM accounts WHERE kind = 'default'")
                ?? AccountService.Insert(session, now, Actor.System, "Default", "en", AccountState.Active, "default");
        }

        if (file is null)
            return true;
        long project = AccountService.FindProject(session, account.Value, null)!.Id;
        foreach (StoredKey key in file.Keys)
        {
            KeyService.Insert(
                session, account.Value, project, key.Id, key.Name ?? "", new KeySecret(key.Salt, key.Hash, key.Sealed),
                key.Created.ToUnixTimeMilliseconds(), key.Expires?.ToUnixTimeMilliseconds(), key.Disabled, KeyRules.None);
        }

        AuditLog.Write(session, now, Actor.System, account, "key.import", KeyRing.FileName, null, new JsonObject { ["keys"] = file.Keys.Count });
        return true;
    }
}
