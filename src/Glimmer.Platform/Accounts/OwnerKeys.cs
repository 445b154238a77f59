using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Accounts;

/// <summary>
/// The keys of the default account, for the machine's owner: what <c>glimmer keys</c> and the first start use. A
/// running server follows changes of another process within a second.
/// </summary>
public sealed class OwnerKeys : IAsyncDisposable
{
    private readonly PlatformAccounts _accounts;
    private readonly Actor _actor;
    private readonly PlatformStore? _store;

    internal OwnerKeys(PlatformAccounts accounts, Actor actor, PlatformStore? store = null)
    {
        _accounts = accounts;
        _actor = actor;
        _store = store;
    }

    /// <summary>All keys, the oldest first.</summary>
    public IReadOnlyList<AccessKey> Keys => [.. Wait(_accounts.Keys.ListAsync(Account)).Select(details => details.Key)];

    private long Account => _accounts.DefaultAccount.Id;

    /// <summary>Opens store and accounts for a command.</summary>
    /// <param name="settings">Where the store is.</param>
    /// <param name="setting">Name of the setting that chose the data folder, for messages.</param>
    /// <exception cref="StoreException">The store cannot be used.</exception>
    /// <exception cref="KeyRingException">The protection key or an old key file cannot be used.</exception>
    public static OwnerKeys Open(StoreSettings settings, string setting = "Glimmer:DataFolder")
    {
        PlatformStore store = PlatformStore.Open(settings);
        try
        {
            return new OwnerKeys(PlatformAccounts.Open(store, setting), Actor.Cli, store);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>Makes a key.</summary>
    /// <param name="name">What its owner calls it.</param>
    /// <param name="expires">When it stops to work; null for never.</param>
    /// <param name="isOperator">Whether it may administer the platform.</param>
    /// <exception cref="KeyRingException">The name is no name, or there are too many keys.</exception>
    public NewAccessKey Create(string name, DateTimeOffset? expires = null, bool isOperator = false)
    {
        Outcome<NewAccessKey> made = Wait(_accounts.Keys.CreateAsync(_actor, Account, null, name, expires, isOperator: isOperator));
        return made.Error is { } error ? throw new KeyRingException(error.Message) : made.Value;
    }

    /// <summary>Sees to it that there is a key of this credential, which may administer the platform: makes it where there is none. One of its id that is there already stays as it is.</summary>
    /// <param name="name">What its owner calls it.</param>
    /// <param name="credential">Its id (1 to 128 letters and digits) and its secret (8 to 256), a dot between.</param>
    /// <exception cref="KeyRingException">The credential has another form.</exception>
    public NewAccessKey Restore(string name, string credential)
    {
        Outcome<NewAccessKey> made = Wait(_accounts.Keys.RestoreAsync(_actor, Account, name, credential));
        return made.Error is { } error ? throw new KeyRingException(error.Message) : made.Value;
    }

    /// <summary>Switches a key off or on again; false when there is none.</summary>
    public bool SetDisabled(string id, bool disabled) => Wait(_accounts.Keys.ChangeAsync(_actor, Account, id, new KeyChange { Disabled = disabled })).Error is null;

    /// <summary>Deletes a key; false when there is none.</summary>
    public bool Delete(string id) => Wait(_accounts.Keys.DeleteAsync(_actor, Account, id)).Error is null;

    /// <summary>Closes what <see cref="Open"/> opened.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_store is null)
            return;
        await _accounts.DisposeAsync();
        await _store.DisposeAsync();
    }

    private static T Wait<T>(Task<T> task) => task.GetAwaiter().GetResult();
}
