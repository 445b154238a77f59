using Glimmer.Platform.Accounts;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Accounts;

public sealed class AccountDirectoryTests
{
    [Theory, EachStore]
    public async Task Each_state_has_its_code_and_ends_by_itself(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        NewAccessKey key = await test.KeyAsync();
        foreach (AccountState state in Enum.GetValues<AccountState>().Where(state => state != AccountState.Closed))
        {
            AccountEntry entry = (await test.Platform.Accounts.SetStateAsync(Actor.Cli, test.Default, state, "why")).Value!;
            Assert.Equal("why", entry.StateReason);
            Assert.Equal((int)state, test.Code(key.Credential));
        }

        await test.Platform.Accounts.SetStateAsync(Actor.Cli, test.Default, AccountState.Locked, until: test.Time.GetUtcNow().AddMinutes(10));
        Authentication refused = new Authenticator(test.Platform.Directory).Authenticate(new Credentials(key.Credential));
        Assert.Equal(429, refused.Error!.Status);
        Assert.Equal(TimeSpan.FromMinutes(10), refused.Error.RetryAfter);
        Assert.NotEqual(refused.Error.Message, refused.Error.MessageIn(MessageLanguage.Chinese));

        // A wrong secret never learns the state of the account.
        Assert.Equal(1000, test.Code(key.Credential + "x"));
        test.Time.Advance(TimeSpan.FromMinutes(10));
        Assert.Equal(0, test.Code(key.Credential));
        Assert.NotNull((await test.Platform.Accounts.SetStateAsync(Actor.Cli, test.Default, (AccountState)7)).Error);
        Assert.NotNull((await test.Platform.Accounts.SetStateAsync(Actor.Cli, test.Default, AccountState.Closed)).Error);
        Assert.Equal(404, (await test.Platform.Accounts.SetStateAsync(Actor.Cli, 77, AccountState.Active)).Error!.Status);
    }

    [Theory, EachStore]
    public async Task Another_process_s_changes_count(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using PlatformStore store = test.Test.Open();
        await using PlatformAccounts other = PlatformAccounts.Open(store);
        NewAccessKey key = await test.KeyAsync();
        await Eventually.HoldsAsync(() => Code(other, key.Credential) == 0);
        var changed = new List<string>();
        using (other.Directory.Follow(account => changed.Add(account.Name)))
        {
            await test.Platform.Accounts.RenameAsync(Actor.Cli, test.Default, "renamed");
            await Eventually.HoldsAsync(() => other.DefaultAccount.Name == "renamed");
            await Eventually.HoldsAsync(() => changed.Count == 1);
        }

        await test.Platform.Keys.DeleteAsync(Actor.Cli, test.Default, key.Key.Id);
        await Eventually.HoldsAsync(() => Code(other, key.Credential) == 1000);
        await other.Accounts.LockEndUserAsync(Actor.Cli, other.DefaultAccount.Id, "user-77");
        await Eventually.HoldsAsync(() => test.Platform.Directory.CheckEndUser(test.Default, "user-77") is not null);
        Assert.Equal(["renamed"], changed);
    }

    [Theory, EachStore]
    public async Task End_users_are_locked_for_an_account_or_for_all(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        long other = (await test.Platform.Accounts.CreateAsync(Actor.Cli, "other")).Value!.Id;
        AccountDirectory directory = test.Platform.Directory;
        Assert.Null(directory.CheckEndUser(other, "spammer"));
        await test.Platform.Accounts.LockEndUserAsync(Actor.Cli, other, "spammer", "spam", test.Time.GetUtcNow().AddHours(1));
        PlatformError error = directory.CheckEndUser(other, "spammer")!;
        Assert.Equal((1121, 429, "user_id"), ((int)error.Code, error.Status, error.Field));
        Assert.Equal(TimeSpan.FromHours(1), error.RetryAfter);
        Assert.Null(directory.CheckEndUser(test.Default, "spammer"));
        Assert.Null(directory.CheckEndUser(other, null));
        Assert.Equal("spam", Assert.Single(await test.Platform.Accounts.LockedEndUsersAsync(other)).Reason);
        test.Time.Advance(TimeSpan.FromHours(1));
        Assert.Null(directory.CheckEndUser(other, "spammer"));
        await test.Platform.Accounts.LockEndUserAsync(Actor.Cli, 0, KeyServiceTests.Poison);
        Assert.NotNull(directory.CheckEndUser(test.Default, KeyServiceTests.Poison));
        Assert.Null((await test.Platform.Accounts.ReleaseEndUserAsync(Actor.Cli, 0, KeyServiceTests.Poison)).Error);
        Assert.Null(directory.CheckEndUser(test.Default, KeyServiceTests.Poison));
        Assert.Equal(404, (await test.Platform.Accounts.ReleaseEndUserAsync(Actor.Cli, 0, "nobody")).Error!.Status);
        Assert.NotNull((await test.Platform.Accounts.LockEndUserAsync(Actor.Cli, 0, "short")).Error);
    }

    [Theory, EachStore]
    public async Task A_deleted_project_takes_its_keys_along(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        AccountService accounts = test.Platform.Accounts;
        ProjectEntry project = (await accounts.CreateProjectAsync(Actor.Cli, test.Default, KeyServiceTests.Poison)).Value!;
        Assert.StartsWith("proj-", project.PublicId);
        NewAccessKey key = (await test.Platform.Keys.CreateAsync(Actor.Cli, test.Default, project.PublicId, "k")).Value;
        Assert.Equal(project.Id, test.Platform.Directory.FindKey(key.Key.Id)!.ProjectId);
        Assert.Single(await test.Platform.Keys.ListAsync(test.Default, project.PublicId));
        Assert.Equal("new", (await accounts.RenameProjectAsync(Actor.Cli, test.Default, project.PublicId, "new")).Value!.Name);
        Assert.Null((await accounts.DeleteProjectAsync(Actor.Cli, test.Default, project.PublicId)).Error);
        Assert.Equal(1000, test.Code(key.Credential));
        ProjectEntry last = Assert.Single(await accounts.ProjectsAsync(test.Default));
        Assert.Equal(409, (await accounts.DeleteProjectAsync(Actor.Cli, test.Default, last.PublicId)).Error!.Status);
    }

    [Fact]
    public async Task A_key_with_an_unusual_id_or_secret_is_found_by_its_whole_id()
    {
        using var folder = new TemporaryFolder();
        var time = new ManualTime();
        NewAccessKey usual = KeyRing.Open(folder.Path, time).Create("usual");
        byte[] salt = [1, 2, 3];
        string text = File.ReadAllText(folder.File("keys.json"));
        File.WriteAllText(folder.File("keys.json"), text.Replace("\"keys\": [", $$"""
            "keys": [{"id":"my key Ä","name":"odd","created":"2020-01-01T00:00:00Z","disabled":false,
              "salt":"{{Convert.ToBase64String(salt)}}","hash":"{{Convert.ToBase64String(KeySecrets.Hash(salt, "s3"u8))}}","sealed":""},
            """, StringComparison.Ordinal));
        await using PlatformStore store = PlatformStore.Open(new StoreSettings { DataFolder = folder.Path, Time = time });
        await using PlatformAccounts accounts = PlatformAccounts.Open(store);
        Assert.Equal("my key Ä", new Authenticator(accounts.Directory).Authenticate(new Credentials("my key Ä.s3")).Key?.Id);
        Assert.Equal(0, Code(accounts, usual.Credential));
        Assert.Null(accounts.Directory.FindKey("my key"));
    }

    private static int Code(PlatformAccounts accounts, string credential) => (int?)new Authenticator(accounts.Directory).Authenticate(new Credentials(credential)).Error?.Code ?? 0;
}
