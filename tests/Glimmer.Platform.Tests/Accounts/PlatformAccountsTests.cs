using Glimmer.Platform.Accounts;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Accounts;

public sealed class PlatformAccountsTests
{
    [Theory, EachStore]
    public async Task Keys_of_a_key_file_are_taken_over_once(StoreKind kind)
    {
        var time = new ManualTime();
        using var test = new TestStore(kind, time);
        KeyRing ring = KeyRing.Open(test.Folder, time);
        NewAccessKey first = ring.Create("first", time.GetUtcNow().AddDays(3));
        NewAccessKey off = ring.Create("off");
        ring.SetDisabled(off.Key.Id, true);
        string file = File.ReadAllText(test.File("keys.json"));
        for (int start = 0; start < 3; start++)
        {
            await using PlatformStore store = test.Open();
            await using PlatformAccounts accounts = PlatformAccounts.Open(store);
            Assert.False(File.Exists(test.File("keys.json")));
            var authenticator = new Authenticator(accounts.Directory);
            Assert.Equal(start == 0, authenticator.Authenticate(new Credentials(first.Credential)).Error is null);
            Assert.NotNull(authenticator.Authenticate(new Credentials(off.Credential)).Error);
            if (start == 0)
            {
                Assert.Equal(["first", "off"], accounts.OwnerKeys.Keys.Select(key => key.Name).Order());
                Assert.Equal(first.Key.Expires, accounts.OwnerKeys.Keys.First(key => key.Name == "first").Expires);
                Assert.True(accounts.OwnerKeys.Delete(first.Key.Id));
            }

            // Coming across the file again (a restored backup) brings no deleted key back.
            File.WriteAllText(test.File("keys.json"), file);
        }
    }

    [Theory, EachStore]
    public void Processes_that_start_at_once_make_one_default_account(StoreKind kind)
    {
        using var test = new TestStore(kind);
        SecretSeal.Open(test.File("protection.key"), "x");
        Parallel.For(0, 6, new ParallelOptions { MaxDegreeOfParallelism = 6 }, i =>
        {
            OwnerKeys keys = OwnerKeys.Open(test.Settings);
            keys.Create($"key {i}");
            keys.DisposeAsync().AsTask().Wait();
        });
        using PlatformStore store = test.Open();
        Assert.Equal(1, store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM accounts")));
        Assert.Equal(6, store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM access_keys")));
    }

    [Theory, EachStore]
    public async Task A_lost_or_foreign_protection_key_is_told(StoreKind kind)
    {
        using var test = new TestStore(kind);
        await using PlatformStore store = test.Open();
        await PlatformAccounts.Open(store).DisposeAsync();
        File.Delete(test.File("protection.key"));
        Assert.Contains("missing", Assert.Throws<KeyRingException>(() => PlatformAccounts.Open(store)).Message);
        SecretSeal.Open(test.File("protection.key"), "x");
        Assert.Contains("not the one", Assert.Throws<KeyRingException>(() => PlatformAccounts.Open(store)).Message);
    }

    [Fact]
    public async Task Secrets_are_not_in_the_database()
    {
        using var test = new TestStore(StoreKind.Sqlite);
        OwnerKeys keys = OwnerKeys.Open(test.Settings);
        NewAccessKey key = keys.Create("laptop");
        await keys.DisposeAsync();
        string content = System.Text.Encoding.Latin1.GetString(File.ReadAllBytes(test.Settings.FilePath));
        Assert.Contains(key.Key.Id, content);
        Assert.DoesNotContain(key.Credential.Split('.')[1], content);
    }
}
