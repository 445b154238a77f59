using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Accounts;

public sealed class KeyServiceTests
{
    internal const string Poison = "'; DROP TABLE access_keys; --\"\\%_中文😀";

    [Theory, EachStore]
    public async Task A_key_lives_through_all_its_states(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        NewAccessKey key = await test.KeyAsync(expires: test.Time.GetUtcNow().AddDays(1));
        Assert.Equal(0, test.Code(key.Credential));
        Assert.Equal(0, test.Code(Token(test, key)));
        Assert.Equal(1000, test.Code(key.Credential + "x"));
        Assert.Equal(1000, test.Code("00112233445566778899aabbccddeeff.x"));
        KeyService keys = test.Platform.Keys;
        string id = key.Key.Id;

        Assert.Null((await keys.ChangeAsync(Actor.Cli, test.Default, id, new KeyChange { Disabled = true })).Error);
        Assert.Equal(1000, test.Code(key.Credential));
        Assert.Equal(1004, test.Code(Token(test, key)));
        await keys.ChangeAsync(Actor.Cli, test.Default, id, new KeyChange { Disabled = false, Name = Poison });
        Assert.Equal(0, test.Code(key.Credential));
        test.Time.Advance(TimeSpan.FromDays(1));
        Assert.Equal(1003, test.Code(key.Credential));
        KeyDetails details = (await keys.ChangeAsync(Actor.Cli, test.Default, id, new KeyChange { Expires = DateTimeOffset.MaxValue })).Value!;
        Assert.Null(details.Key.Expires);
        Assert.Equal(Poison, details.Key.Name);
        Assert.Equal(0, test.Code(key.Credential));
        Assert.Null((await keys.DeleteAsync(Actor.Cli, test.Default, id)).Error);
        Assert.Equal(1000, test.Code(key.Credential));
        Assert.Equal(404, (await keys.DeleteAsync(Actor.Cli, test.Default, id)).Error!.Status);
        Assert.Empty(await keys.ListAsync(test.Default));
        Assert.Equal(
            ["key.delete", "key.change", "key.change", "key.change", "key.create", "account.create"],
            (await test.Platform.Audit.ListAsync(test.Default)).Select(record => record.Action));
        Assert.DoesNotContain(await test.Platform.Audit.ListAsync(null), record => $"{record.Before}{record.After}".Contains(key.Credential.Split('.')[1]));
    }

    [Theory, EachStore]
    public async Task Rotation_lets_the_former_secret_work_for_the_overlap(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        NewAccessKey first = await test.KeyAsync();
        NewAccessKey second = (await test.Platform.Keys.RotateAsync(Actor.Cli, test.Default, first.Key.Id, TimeSpan.FromHours(1))).Value;
        Assert.Equal(first.Key.Id, second.Key.Id);
        Assert.NotEqual(first.Credential, second.Credential);
        Assert.All([first, second], key => Assert.Equal(0, test.Code(key.Credential)));
        Assert.All([first, second], key => Assert.Equal(0, test.Code(Token(test, key))));
        Assert.Equal(test.Time.GetUtcNow().AddHours(1), Assert.Single(await test.Platform.Keys.ListAsync(test.Default)).FormerUntil);

        // A second rotation ends the first secret, overlap or not.
        NewAccessKey third = (await test.Platform.Keys.RotateAsync(Actor.Cli, test.Default, first.Key.Id, TimeSpan.FromHours(1))).Value;
        Assert.Equal([1000, 0, 0], new[] { first, second, third }.Select(key => test.Code(key.Credential)));
        test.Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal([1000, 1000, 0], new[] { first, second, third }.Select(key => test.Code(key.Credential)));
        Assert.Equal(1004, test.Code(Token(test, second)));
        NewAccessKey fourth = (await test.Platform.Keys.RotateAsync(Actor.Cli, test.Default, first.Key.Id, TimeSpan.Zero)).Value;
        Assert.Equal([1000, 0], new[] { third, fourth }.Select(key => test.Code(key.Credential)));
        Assert.Equal("overlap_seconds", (await test.Platform.Keys.RotateAsync(Actor.Cli, test.Default, first.Key.Id, TimeSpan.FromDays(31))).Error!.Field);
        Assert.Equal("overlap_seconds", (await test.Platform.Keys.RotateAsync(Actor.Cli, test.Default, first.Key.Id, TimeSpan.FromSeconds(-1))).Error!.Field);
    }

    [Theory, EachStore]
    public async Task Rules_of_a_key_hold(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        Assert.True(KeyRules.TryParseNetwork("10.1.2.3/8", out System.Net.IPNetwork ten));
        Assert.True(KeyRules.TryParseNetwork("2001:db8::/32", out System.Net.IPNetwork six));
        NewAccessKey key = await test.KeyAsync(rules: new KeyRules { Models = ["glm-4.6"], Networks = [ten, six], SpendCap = 5 });
        Assert.Equal([0, 0, 0, 1220, 1220, 1220], new[] { "10.9.9.9", "::ffff:10.0.0.1", "2001:db8::1", "11.0.0.1", "::1", null }.Select(address => test.Code(key.Credential, address)));
        KeyRules rules = test.Platform.Directory.FindKey(key.Key.Id)!.Rules;
        Assert.True(rules.AllowsModel("GLM-4.6"));
        Assert.False(rules.AllowsModel("glm-4.5"));
        Assert.Equal(5, rules.SpendCap);
        await test.Platform.Keys.ChangeAsync(Actor.Cli, test.Default, key.Key.Id, new KeyChange { Rules = KeyRules.None });
        Assert.Equal(0, test.Code(key.Credential, "11.0.0.1"));
        Assert.NotNull((await test.Platform.Keys.CreateAsync(Actor.Cli, test.Default, null, "k", rules: new KeyRules { SpendCap = -1 })).Error);
        Assert.NotNull((await test.Platform.Keys.CreateAsync(Actor.Cli, test.Default, null, "k", rules: new KeyRules { Models = ["a\nb"] })).Error);
        Assert.NotNull((await test.Platform.Keys.CreateAsync(Actor.Cli, test.Default, null, "k", rules: new KeyRules { Models = [.. Enumerable.Repeat("m", 101)] })).Error);
        Assert.NotNull((await test.Platform.Keys.CreateAsync(Actor.Cli, test.Default, null, "a\u0001")).Error);
    }

    [Theory]
    [InlineData("1.2.3.4", "1.2.3.4/32")]
    [InlineData("1.2.3.4/0", "0.0.0.0/0")]
    [InlineData("192.168.77.5/20", "192.168.64.0/20")]
    [InlineData("::1", "::1/128")]
    [InlineData("2001:db8:ffff::/33", "2001:db8:8000::/33")]
    [InlineData("10", null)]
    [InlineData("1.2.3", null)]
    [InlineData("1.2.3.4/33", null)]
    [InlineData("1.2.3.4/-1", null)]
    [InlineData("1.2.3.4/", null)]
    [InlineData("fe80::1%eth0", null)]
    [InlineData("example.com", null)]
    [InlineData("", null)]
    public void Networks_are_read_strictly(string text, string? network)
    {
        Assert.Equal(network is not null, KeyRules.TryParseNetwork(text, out System.Net.IPNetwork read));
        if (network is not null)
            Assert.Equal(network, read.ToString());
    }

    [Theory, EachStore]
    public async Task One_account_cannot_reach_another_s_keys_and_projects(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        long other = (await test.Platform.Accounts.CreateAsync(Actor.Cli, "other")).Value!.Id;
        NewAccessKey key = await test.KeyAsync();
        KeyService keys = test.Platform.Keys;
        Assert.Equal(404, (await keys.FindAsync(other, key.Key.Id)).Error!.Status);
        Assert.Equal(404, (await keys.ChangeAsync(Actor.Cli, other, key.Key.Id, new KeyChange { Disabled = true })).Error!.Status);
        Assert.Equal(404, (await keys.RotateAsync(Actor.Cli, other, key.Key.Id, default)).Error!.Status);
        Assert.Equal(404, (await keys.DeleteAsync(Actor.Cli, other, key.Key.Id)).Error!.Status);
        string project = (await test.Platform.Accounts.ProjectsAsync(test.Default))[0].PublicId;
        Assert.Equal(404, (await keys.CreateAsync(Actor.Cli, other, project, "k")).Error!.Status);
        Assert.Equal(404, (await test.Platform.Accounts.RenameProjectAsync(Actor.Cli, other, project, "x")).Error!.Status);
        Assert.Equal(404, (await test.Platform.Accounts.DeleteProjectAsync(Actor.Cli, other, project)).Error!.Status);
        Assert.Equal(404, (await keys.CreateAsync(Actor.Cli, 999, null, "k")).Error!.Status);
        Assert.Equal(0, test.Code(key.Credential));
    }

    [Theory, EachStore]
    public async Task Last_use_is_kept_to_the_minute_and_written_in_batches(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        NewAccessKey key = await test.KeyAsync();
        Assert.Null((await test.Platform.Keys.FindAsync(test.Default, key.Key.Id)).Value!.LastUsed);
        test.Time.Advance(TimeSpan.FromSeconds(90));
        for (int i = 0; i < 100; i++)
            test.Code(key.Credential);
        DateTimeOffset minute = test.Time.GetUtcNow().AddSeconds(-30);
        Assert.Equal(minute, (await test.Platform.Keys.FindAsync(test.Default, key.Key.Id)).Value!.LastUsed);
        test.Platform.FlushLastUsed();
        await test.Store.Writes.FlushAsync();
        Assert.Equal(minute.ToUnixTimeMilliseconds(), test.Store.Read(session => session.Scalar<long>("SELECT last_used FROM access_keys")));
        Assert.Empty(test.Platform.Directory.TakeUsed());
    }

    private static string Token(TestAccounts test, NewAccessKey key)
    {
        string[] parts = key.Credential.Split('.');
        string payload = $$"""{"api_key":"{{parts[0]}}","exp":{{test.Time.GetUtcNow().ToUnixTimeMilliseconds() + 60_000}}}""";
        string signed = Base64Url.EncodeToString("""{"alg":"HS256","sign_type":"SIGN"}"""u8) + "." + Base64Url.EncodeToString(Encoding.UTF8.GetBytes(payload));
        return signed + "." + Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(parts[1]), Encoding.ASCII.GetBytes(signed)));
    }
}
