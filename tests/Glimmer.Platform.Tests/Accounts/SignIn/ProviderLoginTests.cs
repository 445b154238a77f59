using System.Net;
using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Accounts.SignIn;

public sealed class ProviderLoginTests
{
    private static readonly IPAddress _here = IPAddress.Parse("192.0.2.1");

    [Theory]
    [InlineData(StoreKind.Sqlite, "RS256")]
    [InlineData(StoreKind.Postgres, "ES256")]
    public async Task Somebody_logs_in_elsewhere_and_is_the_same_user_next_time(StoreKind kind, string algorithm)
    {
        await using var test = new Bench(kind);
        test.Fake.Algorithm = algorithm;
        (NewSession session, string returnTo) = (await test.LogInAsync("corp", "/console?tab=keys")).Value;
        Assert.Equal("/console?tab=keys", returnTo);
        Assert.Equal(("ada@example.com", true, "Ada", false), (session.User.Email, session.User.EmailConfirmed, session.User.Name, session.User.HasPassword));
        Assert.Equal("S256", test.Fake.Asked["code_challenge_method"]);
        Assert.Equal("http://localhost:8080/api/account/login/corp/callback", test.Fake.Asked["redirect_uri"]);
        Assert.Equal(test.Fake.Asked["redirect_uri"], test.Fake.Form["redirect_uri"]);
        Assert.NotNull(await test.People.Service.FindSessionAsync(session.Token));
        Assert.Equal(session.User.Id, (await test.LogInAsync("corp")).Value.Session.User.Id);
        Assert.Equal(1, test.Fake.Discoveries);
        Assert.Single(await test.Test.Platform.Members.OfUserAsync(session.User.Id));
        Assert.Equal(404, (await test.Login.StartAsync("nobody", null, default)).Error!.Status);
    }

    [Fact]
    public async Task GitHub_is_asked_for_its_confirmed_address()
    {
        await using var test = new Bench(StoreKind.Sqlite);
        (NewSession session, _) = (await test.LogInAsync("github")).Value;
        Assert.Equal(("hub@example.com", "octo"), (session.User.Email, session.User.Name));
        test.Fake.Emails = new JsonArray(new JsonObject { ["email"] = "other@example.com", ["primary"] = true, ["verified"] = false });
        Assert.Equal(session.User.Id, (await test.LogInAsync("github")).Value.Session.User.Id);
    }

    [Fact]
    public async Task A_login_that_was_not_begun_in_this_browser_is_refused()
    {
        await using var test = new Bench(StoreKind.Sqlite);
        ProviderStart start = (await test.Login.StartAsync("corp", null, default)).Value!;
        string state = test.Fake.Visit(start.Redirect);
        foreach ((string? code, string? said, string? cookie, string provider) in new (string?, string?, string?, string)[]
        {
            ("good", state + "x", start.Cookie, "corp"), ("good", null, start.Cookie, "corp"), ("good", state, null, "corp"), ("good", state, "garbage!", "corp"),
            ("good", state, start.Cookie[..^4] + "AAAA", "corp"), ("good", state, start.Cookie, "github"), (null, state, start.Cookie, "corp"), ("", state, start.Cookie, "corp"),
        })
        {
            Assert.Equal(401, (await test.Login.FinishAsync(provider, code, said, cookie, "en", _here, default)).Error!.Status);
        }

        await Assert.ThrowsAsync<ProviderException>(() => test.Login.FinishAsync("corp", "bad", state, start.Cookie, "en", _here, default));
        test.Test.Time.Advance(ProviderLogin.Patience + TimeSpan.FromSeconds(1));
        Assert.Equal(401, (await test.Login.FinishAsync("corp", "good", state, start.Cookie, "en", _here, default)).Error!.Status);
    }

    public static TheoryData<string, string> SpoiltClaims => new()
    {
        { "iss", "\"https://evil.example\"" },
        { "aud", "\"other\"" },
        { "aud", "[\"client\",\"other\"]" },
        { "aud", "5" },
        { "azp", "\"other\"" },
        { "exp", "1" },
        { "exp", "\"soon\"" },
        { "exp", "null" },
        { "iat", "4000000000" },
        { "nonce", "\"other\"" },
        { "nonce", "null" },
        { "sub", "\"\"" },
        { "sub", "7" },
    };

    [Theory]
    [MemberData(nameof(SpoiltClaims))]
    public async Task A_token_with_a_wrong_claim_is_refused(string name, string value)
    {
        await using var test = new Bench(StoreKind.Sqlite);
        test.Fake.SpoilClaims = claims => claims[name] = JsonNode.Parse(value);
        await Assert.ThrowsAsync<ProviderException>(() => test.LogInAsync("corp"));
    }

    [Fact]
    public async Task A_token_with_a_wrong_signature_is_refused()
    {
        await using var test = new Bench(StoreKind.Sqlite);
        foreach (string algorithm in (string[])["none", "HS256", "RS512", "rs256"])
        {
            test.Fake.Algorithm = algorithm;
            await Assert.ThrowsAsync<ProviderException>(() => test.LogInAsync("corp"));
        }

        test.Fake.Algorithm = "RS256";
        Func<string, string>[] spoils =
        [
            token => token[..^8] + (token[^8] == 'A' ? "B" : "A") + token[^7..],
            token => token[..(token.LastIndexOf('.') + 1)],
            token => token + ".x",
            _ => "a.b.c",
            _ => "",
            _ => new string('a', 40_000),
        ];
        foreach (Func<string, string> spoil in spoils)
        {
            test.Fake.SpoilToken = spoil;
            await Assert.ThrowsAsync<ProviderException>(() => test.LogInAsync("corp"));
        }

        var random = new Random(7);
        for (int i = 0; i < 50; i++)
        {
            test.Fake.SpoilToken = token =>
            {
                char[] text = token.ToCharArray();
                text[random.Next(text.Length - 2)] ^= (char)(1 + random.Next(60));
                return new string(text);
            };
            await Assert.ThrowsAsync<ProviderException>(() => test.LogInAsync("corp"));
        }
    }

    [Theory]
    [InlineData("issuer", "https://evil.example")]
    [InlineData("issuer", null)]
    [InlineData("token_endpoint", "http://example.com/token")]
    [InlineData("authorization_endpoint", "javascript:alert(1)")]
    [InlineData("jwks_uri", "file:///etc/passwd")]
    [InlineData("jwks_uri", null)]
    public async Task A_document_with_unsafe_addresses_is_refused(string name, string? value)
    {
        await using var test = new Bench(StoreKind.Sqlite);
        test.Fake.SpoilDocument = document => document[name] = value;
        await Assert.ThrowsAsync<ProviderException>(() => test.Login.StartAsync("corp", null, default));
    }

    [Fact]
    public async Task New_keys_of_the_provider_are_fetched()
    {
        await using var test = new Bench(StoreKind.Sqlite);
        Assert.Null((await test.LogInAsync("corp")).Error);
        test.Fake.KeyId = "k2";
        await Assert.ThrowsAsync<ProviderException>(() => test.LogInAsync("corp"));   // not more often than once a minute
        test.Test.Time.Advance(TimeSpan.FromMinutes(2));
        test.Fake.Now = test.Test.Time.GetUtcNow();
        Assert.Null((await test.LogInAsync("corp")).Error);
    }

    [Fact]
    public async Task Users_are_joined_only_where_both_sides_confirmed_the_address()
    {
        await using var test = new Bench(StoreKind.Sqlite);
        UserEntry ada = (await test.People.SignUpAsync("ada@example.com")).User;
        Assert.Equal(409, (await test.LogInAsync("corp")).Error!.Status);
        test.Test.Store.Write(session => session.Execute("UPDATE users SET email_verified = 1"));
        test.Fake.SpoilClaims = claims => claims["email_verified"] = false;
        Assert.Equal(409, (await test.LogInAsync("corp")).Error!.Status);
        test.Fake.SpoilClaims = _ => { };
        Assert.Equal(ada.Id, (await test.LogInAsync("corp")).Value.Session.User.Id);

        // An unconfirmed address is not taken from its owner.
        test.Fake.SpoilClaims = claims =>
        {
            claims["sub"] = "subject-2";
            claims["email"] = "eve@example.com";
            claims["email_verified"] = false;
        };
        Assert.Null((await test.LogInAsync("corp")).Value.Session.User.Email);
    }

    [Theory]
    [InlineData("/console", "/console")]
    [InlineData("//evil.example", "/")]
    [InlineData("https://evil.example", "/")]
    [InlineData("/\\evil.example", "/")]
    [InlineData("/a\r\nSet-Cookie: x", "/")]
    [InlineData("", "/")]
    [InlineData(null, "/")]
    public void The_way_back_stays_here(string? path, string safe) => Assert.Equal(safe, ProviderLogin.SafePath(path));

    [Theory]
    [InlineData("google=id:secret", 1)]
    [InlineData("google=id:sec:ret github=a:b  corp=c:d@https://login.example.com/realms/x", 3)]
    [InlineData("corp=c:d@http://127.0.0.1:9/", 1)]
    [InlineData("", 0)]
    [InlineData("corp=c:d", null)]
    [InlineData("corp=c:d@http://example.com", null)]
    [InlineData("google=id", null)]
    [InlineData("google=id:", null)]
    [InlineData("=id:secret", null)]
    [InlineData("google=a:b google=c:d", null)]
    [InlineData("Go/ogle=a:b@https://x.org", null)]
    public void The_setting_is_read_strictly(string text, int? count) => Assert.Equal(count, LoginProvider.Parse(text)?.Count);

    private sealed class Bench : IAsyncDisposable
    {
        public Bench(StoreKind kind)
        {
            Test = new TestAccounts(kind);
            Fake.Now = Test.Time.GetUtcNow();
            People = new SignInServiceTests.People(Test, settings => settings with
            {
                Providers =
                [
                    new LoginProvider("corp", "client", "secret", Fake.Address),
                    new LoginProvider("github", "client", "secret", null) { GitHubWeb = Fake.Address, GitHubApi = Fake.Address },
                ],
            });
            Login = new ProviderLogin(People.Service, Test.Platform);
        }

        public TestAccounts Test { get; }

        public FakeProvider Fake { get; } = new();

        public SignInServiceTests.People People { get; }

        public ProviderLogin Login { get; }

        public async Task<Outcome<(NewSession Session, string ReturnTo)>> LogInAsync(string provider, string? returnTo = null)
        {
            ProviderStart start = (await Login.StartAsync(provider, returnTo, default)).Value!;
            string state = Fake.Visit(start.Redirect);
            return await Login.FinishAsync(provider, "good", state, start.Cookie, "en", _here, default);
        }

        public async ValueTask DisposeAsync()
        {
            Login.Dispose();
            await People.DisposeAsync();
            Fake.Dispose();
            await Test.DisposeAsync();
        }
    }
}
