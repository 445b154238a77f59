using System.Net;
using Glimmer.Platform.Accounts.Mail;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Accounts.SignIn;

/// <summary>
/// Sign-up, login, reset and sessions. Guessing is slowed per address and per e-mail before any password is hashed, an
/// unknown e-mail costs what a known one costs, and hashing never takes more than a part of the machine.
/// </summary>
public sealed class SignInService : IAsyncDisposable
{
    private readonly PlatformStore _store;
    private readonly PlatformAccounts _accounts;
    private readonly Sessions _sessions;
    private readonly MailQueue _mails;
    private readonly SemaphoreSlim _hashing = new(Math.Max(1, Environment.ProcessorCount / 4));
    private readonly AttemptLimiter _loginsByAddress;
    private readonly AttemptLimiter _loginsByEmail;
    private readonly AttemptLimiter _signUps;
    private readonly AttemptLimiter _mailsByAddress;
    private readonly AttemptLimiter _mailsByEmail;

    /// <summary>With where accounts are and mails go.</summary>
    public SignInService(PlatformAccounts accounts, IMailSender mails, SignInSettings settings)
    {
        _accounts = accounts;
        _store = accounts.Store;
        Settings = settings;
        _sessions = new Sessions(_store, settings);
        _mails = new MailQueue(mails);
        TimeProvider time = _store.Time;
        _loginsByAddress = new AttemptLimiter(30, TimeSpan.FromMinutes(15), time);
        _loginsByEmail = new AttemptLimiter(10, TimeSpan.FromMinutes(15), time);
        _signUps = new AttemptLimiter(10, TimeSpan.FromHours(1), time);
        _mailsByAddress = new AttemptLimiter(20, TimeSpan.FromHours(1), time);
        _mailsByEmail = new AttemptLimiter(3, TimeSpan.FromHours(1), time);
    }

    /// <summary>How people get in.</summary>
    public SignInSettings Settings { get; }

    /// <summary>Called when a mail could not be sent.</summary>
    public Action<Exception>? MailFailed
    {
        get => _mails.Failed;
        set => _mails.Failed = value;
    }

    /// <summary>Signs somebody up: a user, an account that he owns (or the one he is invited to), and a session.</summary>
    /// <param name="email">His address.</param>
    /// <param name="password">8 to 256 characters.</param>
    /// <param name="name">What he is called; null for the part before the @.</param>
    /// <param name="language"><c>en</c> or <c>zh</c>.</param>
    /// <param name="invitation">Token of an invitation; null for none.</param>
    /// <param name="address">Where he comes from.</param>
    /// <returns>The session; without error and session when the address must be confirmed first.</returns>
    public async Task<Outcome<NewSession?>> SignUpAsync(string email, string password, string? name, string language, string? invitation, IPAddress? address)
    {
        if (_signUps.Try(AttemptLimiter.NameOf(address)) is { } wait)
            return AccountErrors.TooOften(wait);
        if (MailAddressRule.Normalise(email) is not { } normal)
            return PlatformError.Invalid("email", "it is no e-mail address", "Use an address such as name@example.com");
        if (CheckPassword(password, normal) is { } weak)
            return weak;
        name ??= normal.Split('@')[0];
        if (AccountErrors.CheckName(name) is { } wrongName)
            return wrongName;
        if (Settings.SignUp == SignUpRule.Closed || (Settings.SignUp == SignUpRule.Invited && invitation is null))
        {
            return new PlatformError(BusinessCode.ApiForbidden, Settings.SignUp == SignUpRule.Closed ? "Sign-up is closed. Ask the operator" : "Sign-up is by invitation only. Ask the owner of an account")
            {
                Chinese = Settings.SignUp == SignUpRule.Closed ? "注册已关闭，请联系管理员" : "仅限受邀注册，请联系账户所有者",
            };
        }

        string hash = await HashAsync(password);
        (NewSession? Session, PlatformError? Error, MailMessage? Mail) made = await _store.WriteAsync<(NewSession?, PlatformError?, MailMessage?)>(session =>
        {
            long now = _store.Now;
            MailToken? invited = invitation is null ? null : MailTokens.Find(session, now, MailTokens.Invite, invitation);
            if (invitation is not null && invited is null)
                return (null, BadLink(), null);
            if (UserRow.FindByEmail(session, normal) is { } known)
            {
                // Where addresses are confirmed, the answer is the same as for a new one, and the mail tells.
                return Settings.ConfirmEmail
                    ? (null, null, MailTexts.Known(normal, known.Language, Link("reset", null)))
                    : (null, AccountErrors.Conflict("This address has an account already. Log in, or reset the password", "该邮箱已注册，请登录或重置密码", "email"), null);
            }

            // An invitation came by mail to this very address, which confirms it.
            bool confirmed = invited is not null && invited.Email == normal;
            long userId = Insert(session, now, normal, confirmed, name, language, hash);
            string publicId = UserRow.Find(session, userId)!.Public_id;
            if (invited is not null)
            {
                MailTokens.Take(session, now, MailTokens.Invite, invitation!);
                MemberService.Join(session, now, new Actor(publicId, $"{address}"), invited.Account_id!.Value, userId, publicId, invited.Role!);
            }
            else
            {
                bool waits = Settings.ConfirmEmail && !confirmed;
                long accountId = AccountService.Insert(session, now, new Actor(publicId, $"{address}"), name, language, waits ? AccountState.Inactive : AccountState.Active, "person");
                session.Execute("INSERT INTO memberships (account_id, user_id, role, created) VALUES (@accountId, @userId, 'owner', @now)", new { accountId, userId, now });
            }

            if (Settings.ConfirmEmail && !confirmed)
            {
                string token = MailTokens.Create(session, now, Settings.LinkLife, MailTokens.Confirm, normal, userId);
                return (null, null, MailTexts.Confirm(normal, language, Link("confirm", token), Settings.LinkLife));
            }

            return (Start(session, userId), null, null);
        });
        _accounts.Directory.Refresh();
        if (made.Mail is { } mail)
            _mails.TryPost(mail);
        return made.Error is { } error ? error : new Outcome<NewSession?>(made.Session, null);
    }

    /// <summary>Confirms an address and makes the accounts that waited for it active.</summary>
    public async Task<Outcome<bool>> ConfirmAsync(string token, IPAddress? address)
    {
        if (_mailsByAddress.Check(AttemptLimiter.NameOf(address)) is { } wait)
            return AccountErrors.TooOften(wait);
        bool done = await _store.WriteAsync(session =>
        {
            if (MailTokens.Take(session, _store.Now, MailTokens.Confirm, token) is not { User_id: { } userId } found)
                return false;
            session.Execute("UPDATE users SET email_verified = 1 WHERE id = @userId AND email = @email", new { userId, email = found.Email });
            Activate(session, userId);
            return true;
        });
        if (!done)
        {
            _mailsByAddress.Count(AttemptLimiter.NameOf(address));
            return BadLink();
        }

        _accounts.Directory.Refresh();
        return true;
    }

    /// <summary>Logs in by password.</summary>
    public async Task<Outcome<NewSession>> LogInAsync(string email, string password, IPAddress? address)
    {
        string from = AttemptLimiter.NameOf(address);
        string normal = MailAddressRule.Normalise(email) ?? "";
        if ((_loginsByAddress.Check(from) ?? _loginsByEmail.Check(normal)) is { } wait)
            return AccountErrors.TooOften(wait);
        if (password.Length > PasswordHash.MaxLength)
            return WrongLogin();

        // Counted before the slow part: tries that run at once count too.
        _loginsByAddress.Count(from);
        _loginsByEmail.Count(normal);
        UserRow? user = normal.Length == 0 ? null : await _store.ReadAsync(session => UserRow.FindByEmail(session, normal));
        (bool good, bool outdated) = await VerifyAsync(password, user?.Password);
        if (!good || user is null || user.Disabled != 0)
            return WrongLogin();
        string? renewed = outdated ? await HashAsync(password) : null;
        NewSession? made = await _store.WriteAsync(session =>
        {
            // The password may have been changed, or the user be gone, since it was read.
            if (UserRow.Find(session, user.Id) is not { Disabled: 0 } now || now.Password != user.Password)
                return null;
            if (renewed is not null)
                session.Execute("UPDATE users SET password = @renewed WHERE id = @id", new { renewed, id = user.Id });
            return Start(session, user.Id);
        });
        if (made is null)
            return WrongLogin();
        _loginsByEmail.Forgive(normal);
        _loginsByAddress.Forgive(from);
        return made;
    }

    /// <summary>The session of a cookie; null when it has ended.</summary>
    public Task<SessionEntry?> FindSessionAsync(string token) => _sessions.FindAsync(token);

    /// <summary>The value that changing calls of a session must send.</summary>
    public static string CsrfOf(string token) => Sessions.CsrfOf(token);

    /// <summary>Whether the value sent is the session's.</summary>
    public static bool CsrfMatches(string token, string sent) => Sessions.CsrfMatches(token, sent);

    /// <summary>Ends a session.</summary>
    public Task LogOutAsync(SessionEntry session) =>
        _store.WriteAsync(store => store.Execute("DELETE FROM sessions WHERE token = @hash", new { hash = session.TokenHash }));

    /// <summary>Ends all sessions of a user.</summary>
    public Task LogOutEverywhereAsync(long userId) =>
        _store.WriteAsync(session =>
        {
            Sessions.EndAll(session, userId);
            return true;
        });

    /// <summary>Mails a link to choose another password. The answer is the same whether or not there is such a user.</summary>
    public async Task<Outcome<bool>> ForgotAsync(string email, IPAddress? address)
    {
        if (_mailsByAddress.Try(AttemptLimiter.NameOf(address)) is { } wait)
            return AccountErrors.TooOften(wait);
        if (MailAddressRule.Normalise(email) is not { } normal)
            return PlatformError.Invalid("email", "it is no e-mail address", "Use an address such as name@example.com");

        // Silently: a refusal here would tell that somebody else asked for this address.
        if (_mailsByEmail.Try(normal) is not null)
            return true;
        MailMessage? mail = await _store.WriteAsync(session =>
        {
            if (UserRow.FindByEmail(session, normal) is not { Disabled: 0 } user)
                return null;
            string token = MailTokens.Create(session, _store.Now, Settings.LinkLife, MailTokens.Reset, normal, user.Id);
            return MailTexts.Reset(normal, user.Language, Link("reset", token), Settings.LinkLife);
        });
        if (mail is not null)
            _mails.TryPost(mail);
        return true;
    }

    /// <summary>Sets another password by the token of a mail, which also confirms the address and ends all sessions.</summary>
    public async Task<Outcome<NewSession>> ResetAsync(string token, string password, IPAddress? address)
    {
        string from = AttemptLimiter.NameOf(address);
        if (_loginsByAddress.Try(from) is { } wait)
            return AccountErrors.TooOften(wait);
        MailToken? found = await _store.ReadAsync(session => MailTokens.Find(session, _store.Now, MailTokens.Reset, token));
        if (found is null)
            return BadLink();
        if (CheckPassword(password, found.Email) is { } weak)
            return weak;
        string hash = await HashAsync(password);
        NewSession? made = await _store.WriteAsync(session =>
        {
            if (MailTokens.Take(session, _store.Now, MailTokens.Reset, token) is not { User_id: { } userId } taken || UserRow.Find(session, userId) is not { Disabled: 0 } user || user.Email != taken.Email)
                return null;
            session.Execute("UPDATE users SET password = @hash, email_verified = 1 WHERE id = @userId", new { hash, userId });
            Activate(session, userId);
            Sessions.EndAll(session, userId);
            AuditLog.Write(session, _store.Now, new Actor(user.Public_id, $"{address}"), null, "user.password.reset", user.Public_id, null, null);
            return Start(session, userId);
        });
        if (made is null)
            return BadLink();
        _accounts.Directory.Refresh();
        _mails.TryPost(MailTexts.PasswordChanged(found.Email, made.User.Language));
        return made;
    }

    /// <summary>Sets another password by the present one; ends all sessions and starts another.</summary>
    public async Task<Outcome<NewSession>> ChangePasswordAsync(UserEntry user, string? current, string password, IPAddress? address)
    {
        if (CheckPassword(password, user.Email ?? "") is { } weak)
            return weak;
        if (await CheckCurrentAsync(user, current, address) is { } refused)
            return refused;
        string hash = await HashAsync(password);
        NewSession made = await _store.WriteAsync(session =>
        {
            session.Execute("UPDATE users SET password = @hash WHERE id = @id", new { hash, id = user.Id });
            Sessions.EndAll(session, user.Id);
            AuditLog.Write(session, _store.Now, new Actor(user.PublicId, $"{address}"), null, "user.password.change", user.PublicId, null, null);
            return Start(session, user.Id);
        });
        if (user.Email is { } email)
            _mails.TryPost(MailTexts.PasswordChanged(email, user.Language));
        return made;
    }

    /// <summary>Whether somebody logged in knows his password, which dangerous calls ask for; null when he does or has none.</summary>
    public async Task<PlatformError?> CheckCurrentAsync(UserEntry user, string? current, IPAddress? address)
    {
        string name = user.Email ?? user.PublicId;
        if ((_loginsByAddress.Check(AttemptLimiter.NameOf(address)) ?? _loginsByEmail.Check(name)) is { } wait)
            return AccountErrors.TooOften(wait);
        UserRow? row = await _store.ReadAsync(session => UserRow.Find(session, user.Id));
        if (row?.Password is null)
            return null;
        if ((await VerifyAsync(current is { Length: <= PasswordHash.MaxLength } ? current : "", row.Password)).Good)
            return null;
        _loginsByAddress.Count(AttemptLimiter.NameOf(address));
        _loginsByEmail.Count(name);
        return new PlatformError(BusinessCode.AuthenticationFailed, "The present password is wrong", "current_password") { Chinese = "当前密码错误", Status = 403 };
    }

    /// <summary>Renames a user or changes the language of his mails.</summary>
    public async Task<Outcome<UserEntry>> ChangeProfileAsync(UserEntry user, string? name, string? language)
    {
        if (name is not null && AccountErrors.CheckName(name) is { } wrong)
            return wrong;
        return await _store.WriteAsync<Outcome<UserEntry>>(session =>
        {
            session.Execute("UPDATE users SET name = COALESCE(@name, name), language = COALESCE(@language, language) WHERE id = @id", new { name, language, id = user.Id });
            return UserRow.Find(session, user.Id) is { } row ? row.ToEntry() : AccountErrors.NoMember();
        });
    }

    /// <summary>Makes a user a platform operator, or takes it back. For commands and other operators.</summary>
    public Task<Outcome<UserEntry>> SetOperatorAsync(Actor actor, string email, bool isOperator) => _accounts.Operators.SetAsync(actor, email, isOperator);

    /// <summary>Logs somebody in whom another place knows; makes a user where sign-up allows it.</summary>
    internal async Task<Outcome<NewSession>> LogInByProviderAsync(ProviderIdentity identity, string language, IPAddress? address)
    {
        string? email = identity.Email is { } text ? MailAddressRule.Normalise(text) : null;
        Outcome<NewSession> outcome = await _store.WriteAsync<Outcome<NewSession>>(session =>
        {
            long now = _store.Now;
            long? userId = session.Scalar<long?>("SELECT user_id FROM user_logins WHERE provider = @provider AND subject = @subject", new { provider = identity.Provider, subject = identity.Subject });
            if (userId is null)
            {
                UserRow? known = email is null ? null : UserRow.FindByEmail(session, email);
                if (known is not null && (known.Email_verified == 0 || !identity.EmailVerified))
                {
                    // Neither may somebody who typed a foreign address wait for its owner, nor the reverse.
                    return AccountErrors.Conflict(
                        "This address has an account whose address is not confirmed. Log in by password, or reset the password first", "该邮箱已有未确认的账户，请先使用密码登录或重置密码", "email");
                }

                if (known is null && Settings.SignUp != SignUpRule.Open)
                    return new PlatformError(BusinessCode.ApiForbidden, "Sign-up is closed. Ask the operator") { Chinese = "注册已关闭，请联系管理员" };
                if (known is null && !identity.EmailVerified)
                    email = null;   // an address that nobody vouches for would keep its owner out
                userId = known?.Id ?? NewUser(session, now, email, identity, language, address);
                session.Execute(
                    "INSERT INTO user_logins (provider, subject, user_id, created) VALUES (@provider, @subject, @userId, @now)",
                    new { provider = identity.Provider, subject = identity.Subject, userId, now });
            }

            return UserRow.Find(session, userId.Value) is { Disabled: 0 } ? Start(session, userId.Value) : WrongLogin();
        });
        _accounts.Directory.Refresh();
        return outcome;
    }

    /// <summary>An address on the console's pages, with a token behind the #, which browsers send nowhere.</summary>
    internal Uri Link(string page, string? token) => new(Settings.PublicUrl, token is null ? page : $"{page}#token={token}");

    internal void Post(MailMessage mail) => _mails.TryPost(mail);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _mails.DisposeAsync();
        _hashing.Dispose();
    }

    internal static PlatformError BadLink() => new(BusinessCode.ParameterInvalid, "The link is wrong, was used already, or has expired. Ask for another one", "token")
    {
        Chinese = "链接无效、已使用或已过期，请重新获取",
    };

    private static PlatformError WrongLogin() => new(BusinessCode.AuthenticationFailed, "The e-mail address or the password is wrong") { Chinese = "邮箱或密码错误" };

    private static PlatformError? CheckPassword(string password, string email) => PasswordHash.Weakness(password, email) is { } weakness
        ? new PlatformError(BusinessCode.ParameterInvalid, $"The parameter password is invalid: {weakness.English}. Use {PasswordHash.MinLength} to {PasswordHash.MaxLength} characters that nobody guesses.", "password")
        {
            Chinese = $"password 参数非法：{weakness.Chinese}（请使用 {PasswordHash.MinLength} 至 {PasswordHash.MaxLength} 个不易猜测的字符）",
        }
        : null;

    // Accounts that an operator made inactive carry his reason and stay so.
    private static void Activate(StoreSession session, long userId) => session.Execute(
        "UPDATE accounts SET state = 0, version = @version WHERE state = 1110 AND state_reason = '' AND id IN (SELECT account_id FROM memberships WHERE user_id = @userId AND role = 'owner')",
        new { userId, version = session.NextVersion(AccountDirectory.Topic) });

    private static long Insert(StoreSession session, long now, string? email, bool confirmed, string name, string language, string? hash) => session.Scalar<long>(
        "INSERT INTO users (public_id, email, email_verified, name, language, password, created) VALUES (@publicId, @email, @confirmed, @name, @language, @hash, @now) RETURNING id",
        new { publicId = PublicIds.New(PublicIds.User), email, confirmed = confirmed ? 1L : 0L, name, language, hash, now });

    private static long NewUser(StoreSession session, long now, string? email, ProviderIdentity identity, string language, IPAddress? address)
    {
        string name = identity.Name is { } given && AccountErrors.CheckName(given) is null ? given : email?.Split('@')[0] ?? identity.Provider;
        long userId = Insert(session, now, email, email is not null, name, language, null);
        string publicId = UserRow.Find(session, userId)!.Public_id;
        long accountId = AccountService.Insert(session, now, new Actor(publicId, $"{address}"), name, language, AccountState.Active, "person");
        session.Execute("INSERT INTO memberships (account_id, user_id, role, created) VALUES (@accountId, @userId, 'owner', @now)", new { accountId, userId, now });
        return userId;
    }

    private NewSession Start(StoreSession session, long userId)
    {
        string token = _sessions.Create(session, userId);
        return new NewSession(token, UserRow.Find(session, userId)!.ToEntry(), _store.Time.GetUtcNow() + Settings.SessionLife);
    }

    private async Task<string> HashAsync(string password)
    {
        await _hashing.WaitAsync();
        try
        {
            return await Task.Run(() => PasswordHash.Create(password, Settings.PasswordIterations));
        }
        finally
        {
            _hashing.Release();
        }
    }

    private async Task<(bool Good, bool Outdated)> VerifyAsync(string password, string? stored)
    {
        await _hashing.WaitAsync();
        try
        {
            return await Task.Run(() => (PasswordHash.Verify(password, stored, out bool outdated, Settings.PasswordIterations), outdated));
        }
        finally
        {
            _hashing.Release();
        }
    }
}

/// <summary>Whom another place says somebody is.</summary>
/// <param name="Provider">Name of the place.</param>
/// <param name="Subject">His id there.</param>
/// <param name="Email">His address, if it tells.</param>
/// <param name="EmailVerified">Whether it vouches for the address.</param>
/// <param name="Name">His name, if it tells.</param>
internal sealed record ProviderIdentity(string Provider, string Subject, string? Email, bool EmailVerified, string? Name);
