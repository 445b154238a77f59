using Glimmer.Platform.Accounts;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Accounts;

/// <summary>Accounts over a fresh store with a clock that stands still.</summary>
internal sealed class TestAccounts : IAsyncDisposable
{
    public TestAccounts(StoreKind kind)
    {
        Test = new TestStore(kind, Time);
        Store = Test.Open();
        Platform = PlatformAccounts.Open(Store);
    }

    public ManualTime Time { get; } = new();

    public TestStore Test { get; }

    public PlatformStore Store { get; }

    public PlatformAccounts Platform { get; }

    public long Default => Platform.DefaultAccount.Id;

    public async Task<NewAccessKey> KeyAsync(long? account = null, KeyRules? rules = null, DateTimeOffset? expires = null) =>
        (await Platform.Keys.CreateAsync(Actor.Cli, account ?? Default, null, "key", expires, rules)).Value;

    public int Code(string credential, string? address = null) =>
        (int?)new Authenticator(Platform.Directory).Authenticate(new Credentials(credential, Address: address is null ? null : System.Net.IPAddress.Parse(address))).Error?.Code ?? 0;

    public async ValueTask DisposeAsync()
    {
        await Platform.DisposeAsync();
        await Store.DisposeAsync();
        Test.Dispose();
    }
}
