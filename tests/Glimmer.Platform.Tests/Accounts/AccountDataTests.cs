using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Accounts.SignIn;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Accounts;

public sealed class AccountDataTests
{
    private const string Canary = "zebrafinch4711";

    [Theory, EachStore]
    public async Task Nothing_personal_is_left_after_a_deletion(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using var people = new SignInServiceTests.People(test);
        IPAddress address = IPAddress.Parse("203.0.113.77");
        UserEntry owner = (await people.Service.SignUpAsync($"{Canary}@example.com", "correct horse battery", $"{Canary} name", "en", null, address)).Value!.User;
        AccountEntry account = (await test.Platform.Members.OfUserAsync(owner.Id))[0].Account;
        var actor = new Actor(owner.PublicId, $"{address}");
        await test.Platform.Accounts.RenameAsync(actor, account.Id, $"{Canary} account");
        ProjectEntry project = (await test.Platform.Accounts.CreateProjectAsync(actor, account.Id, $"{Canary} project")).Value!;
        NewAccessKey key = (await test.Platform.Keys.CreateAsync(actor, account.Id, project.PublicId, $"{Canary} key", rules: new KeyRules { Models = [$"{Canary}-model"] })).Value;
        NewAccessKey gone = (await test.Platform.Keys.CreateAsync(actor, account.Id, null, $"{Canary} gone")).Value;
        await test.Platform.Keys.DeleteAsync(actor, account.Id, gone.Key.Id);
        await test.Platform.Accounts.LockEndUserAsync(actor, account.Id, $"{Canary}-user", $"{Canary} reason");
        await test.Platform.Accounts.SetStateAsync(actor, account.Id, AccountState.Active, $"{Canary} state");
        await people.Service.ForgotAsync(owner.Email!, address);
        await test.Platform.Members.InviteAsync(people.Service, owner, AccountRole.Owner, account, $"guest-{Canary}@example.com", AccountRole.Member, $"{address}");
        UserEntry stays = (await people.SignUpAsync("stays@example.com")).User;

        var room = new Room();
        test.Platform.Data.Add(room);
        JsonObject export = await test.Platform.Data.ExportAsync(actor, account);
        string text = export.ToJsonString();
        foreach (string part in (string[])["name", "account", "project", "key", "-user", "reason", "@example.com"])
            Assert.Contains(Canary, text);
        Assert.Equal("room's own", (string?)export["room"]);
        Assert.DoesNotContain(key.Credential.Split('.')[1], text);
        Assert.DoesNotContain("pbkdf2", text);
        Assert.True(Holds(test, Canary));

        Assert.Null((await test.Platform.Data.DeleteAsync(actor, account)).Error);
        Assert.Equal(account.Id, room.Erased);
        Assert.False(Holds(test, Canary));
        Assert.False(Holds(test, "203.0.113.77"));
        Assert.Equal(1111, test.Code(key.Credential));
        Assert.Equal(1000, test.Code(gone.Credential));
        Assert.Equal(AccountState.Closed, test.Platform.Directory.Find(account.Id)!.State);
        Assert.Equal(404, (await test.Platform.Members.FindAsync(owner.Id, account.PublicId)).Error!.Status);
        Assert.Equal(404, (await test.Platform.Data.DeleteAsync(actor, account)).Error!.Status);
        Assert.NotNull((await people.Service.LogInAsync(owner.Email!, "correct horse battery", address)).Error);
        Assert.Single(await test.Platform.Members.OfUserAsync(stays.Id));
        Assert.Equal("account.delete", (await test.Platform.Audit.ListAsync(account.Id))[0].Action);

        // The address is free again.
        Assert.Null((await people.Service.SignUpAsync(owner.Email!, "correct horse battery", null, "en", null, address)).Error);
    }

    [Theory, EachStore]
    public async Task Bills_are_exported_and_lose_the_customer(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using var people = new SignInServiceTests.People(test);
        UserEntry owner = (await people.SignUpAsync("pays@example.com")).User;
        AccountEntry account = (await test.Platform.Members.OfUserAsync(owner.Id))[0].Account;
        await using PlatformLedger ledger = PlatformLedger.Open(test.Platform.Store, new LedgerSettings());
        test.Platform.Data.Add(new BillingData(ledger));
        await ledger.DepositAsync(account.PublicId, Money.Of(20, Currency.Usd), "deposit");
        await ledger.BuyPlanAsync(account.PublicId, Money.Of(18, Currency.Usd), "plan");
        await new PaymentDesk(ledger, [], new PaymentSettings()).RecordAsync(account.PublicId, Money.Of(5, Currency.Usd), "bank-1", $"from {Canary}");
        test.Time.Advance(TimeSpan.FromDays(40));
        Invoice invoice = (await new InvoiceDesk(ledger, new InvoiceParty("Glimmer")).IssueAsync(
            account.PublicId, Currency.Usd, DateOnly.FromDateTime(test.Time.GetUtcNow().AddDays(-40).UtcDateTime), new InvoiceParty($"{Canary} Ltd", "1 Road", "DE1")))!;
        var actor = new Actor(owner.PublicId, "203.0.113.77");

        JsonNode bills = (await test.Platform.Data.ExportAsync(actor, account))["billing"]!;
        Assert.Equal(3, bills["transactions"]!.AsArray().Count);
        Assert.Equal($"from {Canary}", (string?)bills["payments"]![0]!["note"]);
        Assert.Equal($"{Canary} Ltd", (string?)bills["invoices"]![0]!["customer"]!["name"]);
        Assert.True(Holds(test, Canary));

        Assert.Null((await test.Platform.Data.DeleteAsync(actor, account)).Error);
        Assert.False(Holds(test, Canary));
        Assert.Equal(("", invoice.Cash), ((await new InvoiceDesk(ledger, new InvoiceParty("")).FindAsync(account.PublicId, invoice.Number))!.Customer.Name, invoice.Cash));
        Assert.Equal(Money.Of(7, Currency.Usd), ledger.BalanceOf(account.PublicId, Currency.Usd).Cash);
    }

    [Theory, EachStore]
    public async Task A_member_of_another_account_stays_and_the_default_account_too(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using var people = new SignInServiceTests.People(test);
        UserEntry user = (await people.SignUpAsync("a@example.com")).User;
        long other = (await test.Platform.Accounts.CreateAsync(Actor.Cli, "other")).Value!.Id;
        test.Store.Write(session => session.Execute("INSERT INTO memberships (account_id, user_id, role, created) VALUES (@other, @id, 'member', 9999999999999)", new { other, id = user.Id }));
        await test.Platform.Data.DeleteAsync(Actor.Cli, (await test.Platform.Members.OfUserAsync(user.Id))[0].Account);
        Assert.Equal(other, Assert.Single(await test.Platform.Members.OfUserAsync(user.Id)).Account.Id);
        Assert.Null((await people.Service.LogInAsync("a@example.com", "correct horse battery", null)).Error);
        Assert.Equal(409, (await test.Platform.Data.DeleteAsync(Actor.Cli, test.Platform.DefaultAccount)).Error!.Status);
    }

    /// <summary>Looks for a text in the database's own bytes (SQLite) and in every row (both).</summary>
    private static bool Holds(TestAccounts test, string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        bool found = test.Store.Read(session => StoreCatalog.Tables(session).Any(table =>
        {
            using System.Data.Common.DbDataReader reader = session.Read($"SELECT * FROM \"{table}\"");
            while (reader.Read())
            {
                for (int i = 0; i < reader.FieldCount; i++)
                {
                    if (reader.GetValue(i) switch { string value => value.Contains(text, StringComparison.Ordinal), byte[] value => value.AsSpan().IndexOf(bytes) >= 0, _ => false })
                        return true;
                }
            }

            return false;
        }));
        return found || (test.Store.Kind == StoreKind.Sqlite && Directory.GetFiles(test.Test.Folder, "glimmer.db*").Any(file => Read(file).AsSpan().IndexOf(bytes) >= 0));
    }

    private static byte[] Read(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] content = new byte[file.Length];
        int length = file.ReadAtLeast(content, content.Length, throwOnEndOfStream: false);
        return content[..length];
    }

    private sealed class Room : IAccountDataOwner
    {
        public string Part => "room";

        public long Erased { get; private set; }

        public Task<JsonNode?> ExportAsync(AccountEntry account, CancellationToken cancel) => Task.FromResult<JsonNode?>("room's own");

        public Task EraseAsync(AccountEntry account)
        {
            Erased = account.Id;
            return Task.CompletedTask;
        }
    }
}
