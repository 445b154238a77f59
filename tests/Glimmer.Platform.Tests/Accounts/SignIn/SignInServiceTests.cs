using System.Collections.Concurrent;
using System.Net;
using System.Text.RegularExpressions;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Accounts.Mail;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;
using Glimmer.Protocol.Errors;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Accounts.SignIn;

public sealed partial class SignInServiceTests
{
    private const string Password = "correct horse battery";
    private static readonly IPAddress _here = IPAddress.Parse("192.0.2.1");

    [Theory, EachStore]
    public async Task Somebody_signs_up_logs_in_and_out(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using var people = new People(test);
        SignInService service = people.Service;
        NewSession session = (await service.SignUpAsync(" Ada@Example.COM ", Password, "Ada", "en", null, _here)).Value!;
        Assert.Equal("ada@example.com", session.User.Email);
        Membership own = Assert.Single(await test.Platform.Members.OfUserAsync(session.User.Id));
        Assert.Equal((AccountRole.Owner, "Ada"), (own.Role, own.Account.Name));
        Assert.Equal(session.User, (await service.FindSessionAsync(session.Token))!.User);
        Assert.Equal(409, (await service.SignUpAsync("ada@example.com", Password, null, "en", null, _here)).Error!.Status);

        NewSession second = (await service.LogInAsync("ada@example.com", Password, _here)).Value!;
        Assert.NotEqual(session.Token, second.Token);
        Assert.Equal(401, (await service.LogInAsync("ada@example.com", Password + "!", _here)).Error!.Status);
        Assert.Equal(
            (await service.LogInAsync("nobody@example.com", Password, _here)).Error!.Message,
            (await service.LogInAsync("ada@example.com", "x", _here)).Error!.Message);
        await service.LogOutAsync((await service.FindSessionAsync(second.Token))!);
        Assert.Null(await service.FindSessionAsync(second.Token));
        Assert.NotNull(await service.FindSessionAsync(session.Token));
        await service.LogOutEverywhereAsync(session.User.Id);
        Assert.Null(await service.FindSessionAsync(session.Token));
        Assert.Null(await service.FindSessionAsync(""));
        Assert.Null(await service.FindSessionAsync(new string('x', 43)));
    }

    [Theory, EachStore]
    public async Task Sessions_end_idle_and_in_any_case(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using var people = new People(test);
        NewSession session = await people.SignUpAsync("a@example.com");
        test.Time.Advance(TimeSpan.FromDays(7) - TimeSpan.FromSeconds(1));
        Assert.NotNull(await people.Service.FindSessionAsync(session.Token));
        await test.Store.Writes.FlushAsync();
        for (int day = 7; day < 30; day += 6)
        {
            Assert.NotNull(await people.Service.FindSessionAsync(session.Token));
            await test.Store.Writes.FlushAsync();
            test.Time.Advance(TimeSpan.FromDays(6));
        }

        Assert.Null(await people.Service.FindSessionAsync(session.Token));
        NewSession idle = (await people.Service.LogInAsync("a@example.com", Password, _here)).Value!;
        test.Time.Advance(TimeSpan.FromDays(7));
        Assert.Null(await people.Service.FindSessionAsync(idle.Token));
    }

    [Theory, EachStore]
    public async Task A_forgotten_password_is_reset_once_by_mail(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using var people = new People(test);
        NewSession old = await people.SignUpAsync("a@example.com", "zh");
        Assert.Null((await people.Service.ForgotAsync("nobody@example.com", _here)).Error);
        Assert.Null((await people.Service.ForgotAsync("A@example.com", _here)).Error);
        MailMessage mail = await people.MailAsync();
        Assert.Equal("a@example.com", mail.To);
        Assert.Contains("重置", mail.Subject);
        string token = TokenOf(mail);
        Assert.Equal(1214, (int)(await people.Service.ResetAsync(token + "x", "another good one", _here)).Error!.Code);
        Assert.Equal("password", (await people.Service.ResetAsync(token, "short", _here)).Error!.Field);
        NewSession fresh = (await people.Service.ResetAsync(token, "another good one", _here)).Value!;
        Assert.True(fresh.User.EmailConfirmed);
        Assert.Null(await people.Service.FindSessionAsync(old.Token));
        Assert.NotNull((await people.Service.ResetAsync(token, "a third good one", _here)).Error);
        Assert.NotNull((await people.Service.LogInAsync("a@example.com", Password, _here)).Error);
        Assert.Null((await people.Service.LogInAsync("a@example.com", "another good one", _here)).Error);
        Assert.Contains("密码已更改", (await people.MailAsync()).Subject);

        await people.Service.ForgotAsync("a@example.com", _here);
        string late = TokenOf(await people.MailAsync());
        test.Time.Advance(TimeSpan.FromHours(1));
        Assert.NotNull((await people.Service.ResetAsync(late, "a third good one", _here)).Error);
        Assert.Empty(people.Mails);
    }

    [Theory, EachStore]
    public async Task Changing_the_password_asks_for_the_present_one_and_ends_other_sessions(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using var people = new People(test);
        NewSession session = await people.SignUpAsync("a@example.com");
        Assert.Equal(403, (await people.Service.ChangePasswordAsync(session.User, "wrong", "another good one", _here)).Error!.Status);
        Assert.Equal(403, (await people.Service.ChangePasswordAsync(session.User, null, "another good one", _here)).Error!.Status);
        NewSession fresh = (await people.Service.ChangePasswordAsync(session.User, Password, "another good one", _here)).Value!;
        Assert.Null(await people.Service.FindSessionAsync(session.Token));
        Assert.NotNull(await people.Service.FindSessionAsync(fresh.Token));
    }

    [Theory, EachStore]
    public async Task An_address_is_confirmed_before_the_account_is_active(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using var people = new People(test, settings => settings with { ConfirmEmail = true });
        Outcome<NewSession?> first = await people.Service.SignUpAsync("a@example.com", Password, null, "en", null, _here);
        Assert.Null(first.Error);
        Assert.Null(first.Value);
        MailMessage mail = await people.MailAsync();

        // A second sign-up is answered the same; the mail tells.
        Outcome<NewSession?> again = await people.Service.SignUpAsync("a@example.com", Password, null, "en", null, _here);
        Assert.Equal(first, again);
        Assert.Contains("already", (await people.MailAsync()).Subject);
        AccountEntry account = test.Platform.Directory.Accounts.Single(entry => !entry.IsDefault);
        Assert.Equal(1110, test.Code((await test.KeyAsync(account.Id)).Credential));
        Assert.NotNull((await people.Service.ConfirmAsync("wrong", _here)).Error);
        Assert.Null((await people.Service.ConfirmAsync(TokenOf(mail), _here)).Error);
        Assert.Equal(AccountState.Active, test.Platform.Directory.Find(account.Id)!.State);

        // Whoever lost that mail gets in by a reset, which proves the address as well.
        await people.Service.SignUpAsync("b@example.com", Password, null, "en", null, _here);
        await people.MailAsync();
        await people.Service.ForgotAsync("b@example.com", _here);
        UserEntry user = (await people.Service.ResetAsync(TokenOf(await people.MailAsync()), "another good one", _here)).Value!.User;
        Assert.Equal(AccountState.Active, (await test.Platform.Members.OfUserAsync(user.Id))[0].Account.State);
    }

    [Theory, EachStore]
    public async Task Guessing_is_slowed_by_address_and_by_e_mail(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using var people = new People(test);
        await people.SignUpAsync("a@example.com");

        // From many addresses at one user: 10 tries, then nobody gets in, not even by the right password.
        int refused = 0;
        for (int i = 0; i < 40; i++)
        {
            Outcome<NewSession> outcome = await people.Service.LogInAsync("a@example.com", $"guess {i}", IPAddress.Parse($"198.51.100.{i}"));
            if (outcome.Error!.Status == 429)
                refused++;
        }

        Assert.Equal(30, refused);
        PlatformError locked = (await people.Service.LogInAsync("a@example.com", Password, _here)).Error!;
        Assert.Equal((1303, 429), ((int)locked.Code, locked.Status));
        Assert.NotNull(locked.RetryAfter);
        test.Time.Advance(locked.RetryAfter!.Value);
        Assert.Null((await people.Service.LogInAsync("a@example.com", Password, _here)).Error);

        // From one address at many users.
        refused = 0;
        for (int i = 0; i < 40; i++)
        {
            if ((await people.Service.LogInAsync($"user{i}@example.com", "guess guess", IPAddress.Parse("203.0.113.9"))).Error!.Status == 429)
                refused++;
        }

        Assert.Equal(10, refused);

        // Sign-ups from one network (IPv6: the customer's /64).
        refused = 0;
        for (int i = 0; i < 15; i++)
        {
            if ((await people.Service.SignUpAsync($"new{i}@example.com", "weak", null, "en", null, IPAddress.Parse($"2001:db8::{i:x}"))).Error!.Status == 429)
                refused++;
        }

        Assert.Equal(5, refused);

        // Mails to one address: three an hour; the answer does not tell.
        while (people.Mails.TryTake(out _))
        {
        }

        for (int i = 0; i < 6; i++)
            Assert.Null((await people.Service.ForgotAsync("a@example.com", IPAddress.Parse($"198.51.100.{i}"))).Error);
        await Eventually.HoldsAsync(() => people.Mails.Count >= 3);
        await people.DisposeAsync();
        Assert.Equal(3, people.Mails.Count);
    }

    [Theory, EachStore]
    public async Task Good_logins_are_never_slowed(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using var people = new People(test);
        await people.SignUpAsync("a@example.com");
        for (int i = 0; i < 40; i++)
            Assert.Null((await people.Service.LogInAsync("a@example.com", Password, _here)).Error);
    }

    [Theory, EachStore]
    public async Task Invitations_bring_members_with_roles(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using var people = new People(test, settings => settings with { SignUp = SignUpRule.Invited });
        Assert.Equal(403, (await people.Service.SignUpAsync("x@example.com", Password, null, "en", null, _here)).Error!.Status);
        MemberService members = test.Platform.Members;
        UserEntry owner = await people.OwnerAsync("owner@example.com");
        AccountEntry account = (await members.OfUserAsync(owner.Id))[0].Account;

        Assert.Null((await members.InviteAsync(people.Service, owner, AccountRole.Owner, account, "b@example.com", AccountRole.Admin, "")).Error);
        string token = TokenOf(await people.MailAsync());
        Assert.Single(await members.InvitationsAsync(account.Id));
        UserEntry admin = (await people.Service.SignUpAsync("b@example.com", Password, null, "en", token, _here)).Value!.User;
        Assert.True(admin.EmailConfirmed);
        Assert.Equal(AccountRole.Admin, (await members.FindAsync(admin.Id, account.PublicId)).Value!.Role);
        Assert.Single(await members.OfUserAsync(admin.Id));
        Assert.NotNull((await people.Service.SignUpAsync("c@example.com", Password, null, "en", token, _here)).Error);
        Assert.Empty(await members.InvitationsAsync(account.Id));

        // Nobody gives more than he has, and the last owner stays.
        var actor = new Actor(admin.PublicId);
        Assert.Equal(403, (await members.InviteAsync(people.Service, admin, AccountRole.Admin, account, "d@example.com", AccountRole.Owner, "")).Error!.Status);
        Assert.Equal(403, (await members.SetRoleAsync(actor, AccountRole.Admin, account.Id, admin.PublicId, AccountRole.Owner)).Error!.Status);
        Assert.Equal(403, (await members.RemoveAsync(actor, AccountRole.Admin, account.Id, owner.PublicId)).Error!.Status);
        Assert.Equal(409, (await members.RemoveAsync(new Actor(owner.PublicId), AccountRole.Owner, account.Id, owner.PublicId)).Error!.Status);
        Assert.Equal(409, (await members.SetRoleAsync(new Actor(owner.PublicId), AccountRole.Owner, account.Id, owner.PublicId, AccountRole.Member)).Error!.Status);
        Assert.Null((await members.SetRoleAsync(new Actor(owner.PublicId), AccountRole.Owner, account.Id, admin.PublicId, AccountRole.Billing)).Error);
        Assert.Equal(403, (await members.RemoveAsync(actor, AccountRole.Billing, account.Id, owner.PublicId)).Error!.Status);
        Assert.Null((await members.RemoveAsync(actor, AccountRole.Billing, account.Id, admin.PublicId)).Error);
        Assert.Equal(404, (await members.FindAsync(admin.Id, account.PublicId)).Error!.Status);

        // A user who is there already accepts; a withdrawn invitation is worth nothing.
        await members.InviteAsync(people.Service, owner, AccountRole.Owner, account, "b@example.com", AccountRole.Member, "");
        string second = TokenOf(await people.MailAsync());
        Assert.Null((await members.AcceptAsync(admin, second, "")).Error);
        Assert.NotNull((await members.AcceptAsync(admin, second, "")).Error);
        Invitation open = (await members.InviteAsync(people.Service, owner, AccountRole.Owner, account, "e@example.com", AccountRole.Member, "")).Value!;
        string third = TokenOf(await people.MailAsync());
        Assert.Null((await members.WithdrawAsync(Actor.Cli, account.Id, open.PublicId)).Error);
        Assert.NotNull((await members.AcceptAsync(admin, third, "")).Error);
    }

    [Theory, EachStore]
    public async Task Rising_parameters_hash_again_at_login(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using var people = new People(test);
        NewSession session = await people.SignUpAsync("a@example.com");
        string weak = PasswordHash.Create(Password, 1000);
        test.Store.Write(store => store.Execute("UPDATE users SET password = @weak WHERE id = @id", new { weak, id = session.User.Id }));
        Assert.NotNull((await people.Service.LogInAsync("a@example.com", "wrong wrong", _here)).Error);
        Assert.Equal(weak, Stored(test));
        Assert.Null((await people.Service.LogInAsync("a@example.com", Password, _here)).Error);
        Assert.StartsWith($"pbkdf2-sha512$2000$", Stored(test));
        Assert.Null((await people.Service.LogInAsync("a@example.com", Password, _here)).Error);

        static string Stored(TestAccounts test) => test.Store.Read(store => store.Scalar<string>("SELECT password FROM users"))!;
    }

    [Theory, EachStore]
    public async Task Foreign_text_in_every_field_does_no_harm(StoreKind kind)
    {
        await using var test = new TestAccounts(kind);
        await using var people = new People(test);
        SignInService service = people.Service;
        string poison = KeyServiceTests.Poison;
        Assert.Equal("email", (await service.SignUpAsync(poison, poison, poison, "en", null, _here)).Error!.Field);
        NewSession session = (await service.SignUpAsync("o'brien@example.com", poison, poison, "en", null, _here)).Value!;
        Assert.Equal(poison, session.User.Name);
        Assert.NotNull((await service.SignUpAsync("b@example.com", poison, poison, "en", poison, _here)).Error);
        Assert.Null((await service.LogInAsync("o'brien@example.com", poison, _here)).Error);
        Assert.NotNull((await service.LogInAsync(poison, poison, _here)).Error);
        Assert.NotNull((await service.ResetAsync(poison, Password, _here)).Error);
        Assert.NotNull((await service.ConfirmAsync(poison, _here)).Error);
        Assert.Null(await service.FindSessionAsync(poison));
        Assert.Equal(404, (await test.Platform.Members.FindAsync(session.User.Id, poison)).Error!.Status);
        Assert.Equal(404, (await test.Platform.Members.RemoveAsync(Actor.Cli, AccountRole.Owner, test.Default, poison)).Error!.Status);
        Assert.Null((await service.ChangeProfileAsync(session.User, poison + "2", "zh")).Error);
        Assert.Single(await test.Platform.Members.OfUserAsync(session.User.Id));
    }

    [GeneratedRegex("(?<=#token=)[A-Za-z0-9_-]{43}", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex TokenPattern { get; }

    private static string TokenOf(MailMessage mail) => TokenPattern.Match(mail.Body).Value;

    internal sealed class People : IAsyncDisposable
    {
        private readonly TestAccounts _test;

        public People(TestAccounts test, Func<SignInSettings, SignInSettings>? change = null)
        {
            _test = test;
            var settings = new SignInSettings { PasswordIterations = 2000 };
            Service = new SignInService(test.Platform, new Box(this), change?.Invoke(settings) ?? settings);
        }

        public SignInService Service { get; }

        public BlockingCollection<MailMessage> Mails { get; } = [];

        public async Task<NewSession> SignUpAsync(string email, string language = "en") =>
            (await Service.SignUpAsync(email, Password, null, language, null, _here)).Value!;

        /// <summary>A user with an account, whatever the rule of sign-up.</summary>
        public async Task<UserEntry> OwnerAsync(string email)
        {
            await using var open = new People(_test);
            return (await open.SignUpAsync(email)).User;
        }

        public Task<MailMessage> MailAsync() => Task.Run(() => Mails.TryTake(out MailMessage? mail, Eventually.Patience) ? mail : throw new TimeoutException("No mail came."));

        public ValueTask DisposeAsync() => Service.DisposeAsync();

        private sealed class Box(People people) : IMailSender
        {
            public Task SendAsync(MailMessage mail, CancellationToken cancel)
            {
                people.Mails.Add(mail, cancel);
                return Task.CompletedTask;
            }
        }
    }
}
