using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Accounts;

public sealed class AdministrationTests
{
    [Theory, EachStore]
    public async Task Accounts_are_searched_by_name_id_and_state(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        AccountService accounts = test.Platform.Accounts;
        var made = new List<AccountEntry>();
        foreach (string name in (string[])["Alpha", "alphabet", "100%", "a_b", "~", "'; DROP TABLE accounts; --"])
            made.Add((await accounts.CreateAsync(Actor.Cli, name)).Value!);
        Assert.Equal(["Alpha", "alphabet"], await Names(new AccountSearch("ALPHA")));
        Assert.Equal(["100%"], await Names(new AccountSearch("%")));
        Assert.Equal(["a_b"], await Names(new AccountSearch("_")));
        Assert.Equal(["~"], await Names(new AccountSearch("~")));
        Assert.Equal(["'; DROP TABLE accounts; --"], await Names(new AccountSearch("'; drop")));
        Assert.Equal(["a_b"], await Names(new AccountSearch(made[3].PublicId)));
        Assert.Equal(["Alpha", "alphabet"], await Names(new AccountSearch(After: test.Default, Most: 2)));
        Assert.Equal(["100%"], await Names(new AccountSearch(After: made[1].Id, Most: 1)));

        await accounts.SetStateAsync(Actor.Cli, made[0].Id, AccountState.Locked, until: test.Time.GetUtcNow().AddHours(1));
        Assert.Equal(["Alpha"], await Names(new AccountSearch(State: AccountState.Locked)));
        Assert.DoesNotContain("Alpha", await Names(new AccountSearch(State: AccountState.Active)));
        test.Time.Advance(TimeSpan.FromHours(1));
        Assert.Empty(await Names(new AccountSearch(State: AccountState.Locked)));
        Assert.Contains("Alpha", await Names(new AccountSearch(State: AccountState.Active)));
        await test.Platform.Data.DeleteAsync(Actor.Cli, made[0]);
        Assert.Equal([made[0].PublicId], (await accounts.SearchAsync(new AccountSearch(State: AccountState.Closed))).Select(account => account.PublicId));

        async Task<string[]> Names(AccountSearch search) => [.. (await accounts.SearchAsync(search)).Select(account => account.Name)];
    }

    [Theory, EachStore]
    public async Task The_audit_log_is_filtered(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        IAuditLog audit = test.Platform.Audit;
        await audit.RecordAsync(new Actor("user-a"), null, "store.backup", "s1", null, new JsonObject { ["x"] = 1 });
        await audit.RecordAsync(new Actor("user-b"), test.Default, "store.backup", "s2", null, null);
        await audit.RecordAsync(new Actor("user-b"), test.Default, "store%", "s2", null, null);
        Assert.Equal(["s2", "s2", "s1"], await Subjects(new AuditFilter(Action: "store")));
        Assert.Equal(["s2", "s1"], await Subjects(new AuditFilter(Action: "store.")));
        Assert.Single(await Subjects(new AuditFilter(Action: "store%")));
        Assert.Equal(["s1"], await Subjects(new AuditFilter(Actor: "user-a")));
        Assert.Equal(2, (await Subjects(new AuditFilter(test.Default, Subject: "s2"))).Length);
        IReadOnlyList<AuditRecord> page = await audit.SearchAsync(new AuditFilter(Actor: "user-b", Most: 1));
        Assert.Equal("store.backup", (await audit.SearchAsync(new AuditFilter(Actor: "user-b", Before: page[0].Id))).Single().Action);
        Assert.Empty(await Subjects(new AuditFilter(Actor: "' OR 1 = 1 --")));

        async Task<string[]> Subjects(AuditFilter filter) => [.. (await audit.SearchAsync(filter)).Select(record => record.Subject)];
    }

    [Theory, EachStore]
    public async Task The_right_to_administer_is_the_key_s_and_survives_rotation_and_restart(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        NewAccessKey key = test.Platform.OwnerKeys.Create("first", isOperator: true);
        Assert.True(key.Key.IsOperator);
        Assert.False(test.Platform.OwnerKeys.Create("second").Key.IsOperator);
        await test.Platform.Keys.RotateAsync(Actor.Cli, test.Default, key.Key.Id, TimeSpan.FromHours(1));
        await test.Platform.Keys.ChangeAsync(Actor.Cli, test.Default, key.Key.Id, new KeyChange { Name = "other", Rules = KeyRules.None });
        Assert.True(test.Platform.Directory.FindKey(key.Key.Id)!.IsOperator);
        await using PlatformStore again = test.Test.Open();
        await using PlatformAccounts other = PlatformAccounts.Open(again);
        Assert.True(other.Directory.FindKey(key.Key.Id)!.IsOperator);
        await test.Platform.Keys.ChangeAsync(Actor.Cli, test.Default, key.Key.Id, new KeyChange { Operator = false });
        other.Directory.Refresh();
        Assert.False(other.Directory.FindKey(key.Key.Id)!.IsOperator);

        AccountEntry team = (await test.Platform.Accounts.CreateAsync(Actor.Cli, "Team")).Value!;
        Assert.Equal("operator", (await test.Platform.Keys.CreateAsync(Actor.Cli, team.Id, null, "k", isOperator: true)).Error?.Field);
        Assert.Empty(await test.Platform.Operators.ListAsync());
    }

    [Theory, EachStore]
    public async Task An_own_limit_of_concurrency_is_kept_and_lifted(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        Assert.Equal(5, (await test.Platform.Accounts.SetConcurrencyAsync(Actor.Cli, test.Default, 5)).Value!.Concurrency);
        Assert.Equal("concurrency", (await test.Platform.Accounts.SetConcurrencyAsync(Actor.Cli, test.Default, -1)).Error?.Field);
        Assert.Null((await test.Platform.Accounts.SetConcurrencyAsync(Actor.Cli, test.Default, null)).Value!.Concurrency);
        Assert.Equal("{\"concurrency\":5}", (await test.Platform.Audit.ListAsync(test.Default))[0].Before);
    }

    [Theory, EachStore]
    public async Task The_store_names_its_steps_and_checks_itself(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        Assert.Equal(test.Store.Upgrades, test.Store.Steps());
        Assert.Empty(test.Store.Check());
    }
}
