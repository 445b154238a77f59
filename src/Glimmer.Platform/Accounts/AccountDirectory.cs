using System.Collections.Concurrent;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Accounts;

/// <summary>
/// All accounts and keys in memory, following the store: looking up takes no lock and touches no database. Changes of
/// this process count when the call that made them returns, those of others within a second.
/// </summary>
public sealed class AccountDirectory : IKeySource, IDisposable
{
    /// <summary>The store's topic of accounts, keys and locks of end users.</summary>
    internal const string Topic = "accounts";

    private const long Minute = 60_000;
    private readonly PlatformStore _store;
    private readonly SecretSeal _seal;
    private readonly Lock _refreshing = new();
    private readonly KeyTable _keys;
    private readonly ConcurrentDictionary<long, AccountEntry> _accounts;
    private readonly ConcurrentDictionary<string, long> _byPublicId = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<long, string> _projects = [];
    private readonly ConcurrentDictionary<(long Account, string EndUser), long> _locks = [];
    private readonly ConcurrentQueue<KeyEntry> _used = [];
    private readonly IDisposable _watch;
    private Follower[] _followers = [];
    private long _version;

    internal AccountDirectory(PlatformStore store, SecretSeal seal)
    {
        _store = store;
        _seal = seal;
        long most = store.Read(session => session.Scalar<long?>("SELECT MAX(id) FROM access_keys") ?? 0);
        _keys = new KeyTable(most);
        _accounts = [];
        Load(most);
        _watch = store.Changes.Watch(Topic, _version, _ => Refresh());
    }

    /// <summary>Number of keys, also those switched off.</summary>
    public int KeyCount => _keys.Count;

    /// <summary>All accounts in no order, also closed ones.</summary>
    public IEnumerable<AccountEntry> Accounts => _accounts.Values;

    long IKeySource.Now => _store.Now;

    SecretSeal IKeySource.Seal => _seal;

    /// <summary>An account by its number; null when there is none.</summary>
    public AccountEntry? Find(long id) => _accounts.GetValueOrDefault(id);

    /// <summary>An account by its public id; null when there is none.</summary>
    public AccountEntry? Find(string publicId) => _byPublicId.TryGetValue(publicId, out long id) ? Find(id) : null;

    /// <summary>The public id of a project that has or had keys; empty when there is none of this number.</summary>
    public string ProjectOf(long id) => _projects.GetValueOrDefault(id, "");

    /// <summary>A key by the part before the dot, whatever its state; null when there is none.</summary>
    public AccessKey? FindKey(string id) => FindEntry(id)?.Key;

    /// <summary>Why an end user of an account may not be served: locked (1121, HTTP 429). Null when he may.</summary>
    /// <param name="accountId">The account that calls.</param>
    /// <param name="endUser">What the call names as <c>user_id</c>; null or empty for nobody.</param>
    public PlatformError? CheckEndUser(long accountId, string? endUser)
    {
        if (string.IsNullOrEmpty(endUser) || _locks.IsEmpty)
            return null;

        // Account 0: locked by the platform for all accounts.
        if (!_locks.TryGetValue((accountId, endUser), out long until) || until <= _store.Now)
        {
            if (!_locks.TryGetValue((0, endUser), out until) || until <= _store.Now)
                return null;
        }

        return new PlatformError(BusinessCode.AccountIrregular, "This end user (user_id) is locked because of irregular activity", "user_id")
        {
            Chinese = "该终端用户（user_id）因异常行为已被锁定",
            RetryAfter = until == long.MaxValue ? null : TimeSpan.FromMilliseconds(until - _store.Now),
        };
    }

    /// <summary>Calls back with each account that is new or changed, after this directory knows it, on any thread. Keep it short.</summary>
    /// <returns>Ends the calls.</returns>
    public IDisposable Follow(Action<AccountEntry> changed)
    {
        var follower = new Follower(this, changed);
        lock (_refreshing)
            _followers = [.. _followers, follower];
        return follower;
    }

    /// <inheritdoc/>
    public void Dispose() => _watch.Dispose();

    KeyEntry? IKeySource.Find(ReadOnlySpan<char> id) => FindEntry(id);

    PlatformError? IKeySource.CheckAccount(KeyEntry key) => Find(key.AccountId) is { } account
        ? account.State == AccountState.Active ? null : account.Refusal(_store.Time.GetUtcNow())
        : PlatformError.Of(BusinessCode.AccountMissing);

    void IKeySource.Used(KeyEntry key)
    {
        // Once a minute and key: the queue can hold each key once in that time.
        long minute = _store.Now / Minute * Minute;
        if (key.LastUsed >= minute)
            return;
        key.LastUsed = minute;
        _used.Enqueue(key);
    }

    /// <summary>The keys used since the last call, with the minute of their last use.</summary>
    internal List<(long Number, long LastUsed)> TakeUsed()
    {
        var result = new List<(long, long)>();
        while (_used.TryDequeue(out KeyEntry? key))
            result.Add((key.Number, key.LastUsed));
        return result;
    }

    /// <summary>The last use that the store may not know yet; 0 for none.</summary>
    internal long LastUsed(string id) => FindEntry(id)?.LastUsed ?? 0;

    /// <summary>Takes over what changed in the store.</summary>
    internal void Refresh()
    {
        lock (_refreshing)
        {
            long known = _version;
            var changed = new List<AccountEntry>();
            _version = _store.Read(session => DirectoryReader.Read(_store, session, known, new Sink(this, changed)), snapshot: true);
            if (known > 0)
            {
                foreach (AccountEntry account in changed)
                    Array.ForEach(_followers, follower => follower.Tell(account));
            }
        }
    }

    /// <summary>Loads everything. Nothing of it becomes garbage, so that collecting meanwhile would only copy it about.</summary>
    private void Load(long keys)
    {
        bool quiet = false;
        if (keys > 20_000)
        {
            try
            {
                quiet = GC.TryStartNoGCRegion(Math.Min(keys * 300, 1L << 30));
            }
            catch (Exception fault) when (fault is ArgumentOutOfRangeException or InvalidOperationException)
            {
                // More than this machine lets one keep back, or somebody else has such a region: load the usual way.
            }
        }

        Refresh();
        if (quiet && System.Runtime.GCSettings.LatencyMode == System.Runtime.GCLatencyMode.NoGCRegion)
        {
            try
            {
                GC.EndNoGCRegion();
            }
            catch (InvalidOperationException)
            {
                // It ended by itself: more was needed than asked for.
            }
        }
    }

    private KeyEntry? FindEntry(ReadOnlySpan<char> id) => _keys.Find(KeyEntry.IndexOf(id)) is { } key && (key.Extras?.Id is not { } text || id.SequenceEqual(text)) ? key : null;

    private sealed class Follower(AccountDirectory owner, Action<AccountEntry> changed) : IDisposable
    {
        public void Tell(AccountEntry account) => changed(account);

        public void Dispose()
        {
            lock (owner._refreshing)
                owner._followers = [.. owner._followers.Where(follower => follower != this)];
        }
    }

    private sealed class Sink(AccountDirectory owner, List<AccountEntry> changed) : IDirectorySink
    {
        public void Account(AccountEntry account)
        {
            owner._accounts[account.Id] = account;
            owner._byPublicId[account.PublicId] = account.Id;
            changed.Add(account);
        }

        public void Project(long id, string publicId) => owner._projects[id] = publicId;

        public void Key(KeyEntry key)
        {
            if (owner._version > 0 && owner._keys.Find(key.Index) is { } known && known.LastUsed > key.LastUsed)
                key.LastUsed = known.LastUsed;
            owner._keys.Set(key);
        }

        public void KeyGone(UInt128 index) => owner._keys.Remove(index);

        public void Lock(long account, string endUser, long until) => owner._locks[(account, endUser)] = until;

        public void LockGone(long account, string endUser) => owner._locks.TryRemove((account, endUser), out _);
    }
}
