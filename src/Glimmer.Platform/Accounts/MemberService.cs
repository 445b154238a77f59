using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts.Mail;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;

namespace Glimmer.Platform.Accounts;

/// <summary>A member of an account.</summary>
/// <param name="User">Who.</param>
/// <param name="Role">What he may do.</param>
/// <param name="Since">Since when.</param>
public sealed record Member(UserEntry User, AccountRole Role, DateTimeOffset Since);

/// <summary>An invitation that nobody has accepted yet.</summary>
/// <param name="PublicId">What it is called.</param>
/// <param name="Email">Who is invited.</param>
/// <param name="Role">What he may do.</param>
/// <param name="Expires">Until when it works.</param>
public sealed record Invitation(string PublicId, string Email, AccountRole Role, DateTimeOffset Expires);

/// <summary>Who belongs to which account, and as what.</summary>
public sealed class MemberService
{
    /// <summary>Most members and invitations of an account.</summary>
    public const int MaxMembers = 500;

    private readonly PlatformStore _store;
    private readonly AccountDirectory _directory;

    internal MemberService(PlatformStore store, AccountDirectory directory)
    {
        _store = store;
        _directory = directory;
    }

    /// <summary>The accounts of a user.</summary>
    public async Task<IReadOnlyList<Membership>> OfUserAsync(long userId)
    {
        List<(long Account, string Role)> rows = await _store.ReadAsync(session => session.List<(long, string)>(
            "SELECT account_id, role FROM memberships WHERE user_id = @userId ORDER BY created, account_id", new { userId }));
        return [.. rows.Select(row => (Account: _directory.Find(row.Account), row.Role)).Where(row => row.Account is { State: not AccountState.Closed }).Select(row => new Membership(row.Account!, ParseRole(row.Role)))];
    }

    /// <summary>The account of a public id and the user's role in it; 404 when there is none or he does not belong to it.</summary>
    public async Task<Outcome<Membership>> FindAsync(long userId, string accountPublicId)
    {
        if (_directory.Find(accountPublicId) is not { State: not AccountState.Closed } account)
            return AccountErrors.NoAccount();
        string? role = await _store.ReadAsync(session => session.Scalar<string?>(
            "SELECT role FROM memberships WHERE account_id = @account AND user_id = @userId", new { account = account.Id, userId }));
        return role is null ? AccountErrors.NoAccount() : new Membership(account, ParseRole(role));
    }

    /// <summary>The members of an account.</summary>
    public async Task<IReadOnlyList<Member>> ListAsync(long accountId) => await _store.ReadAsync(session => List(session, accountId));

    /// <summary>The open invitations to an account.</summary>
    public async Task<IReadOnlyList<Invitation>> InvitationsAsync(long accountId) =>
    [
        .. (await _store.ReadAsync(session => session.List<(string Id, string Email, string Role, long Expires)>(
            "SELECT public_id, email, role, expires FROM mail_tokens WHERE purpose = 'invite' AND account_id = @accountId AND expires > @now ORDER BY created", new { accountId, now = _store.Now })))
            .Select(row => new Invitation(row.Id, row.Email, ParseRole(row.Role), DateTimeOffset.FromUnixTimeMilliseconds(row.Expires))),
    ];

    /// <summary>Invites somebody by mail.</summary>
    /// <param name="signIn">Sends the mail.</param>
    /// <param name="inviter">Who invites.</param>
    /// <param name="own">The inviter's role: nobody gives more than he has.</param>
    /// <param name="account">The account.</param>
    /// <param name="email">Who is invited.</param>
    /// <param name="role">What he may do.</param>
    /// <param name="address">Where the call came from.</param>
    public async Task<Outcome<Invitation>> InviteAsync(SignInService signIn, UserEntry inviter, AccountRole own, AccountEntry account, string email, AccountRole role, string address)
    {
        if (MailAddressRule.Normalise(email) is not { } normal)
            return PlatformError.Invalid("email", "it is no e-mail address", "Use an address such as name@example.com");
        if (!MayGive(own, role))
            return AccountErrors.Forbidden();
        (Outcome<Invitation> outcome, MailMessage? mail) = await _store.WriteAsync<(Outcome<Invitation>, MailMessage?)>(session =>
        {
            long now = _store.Now;
            if (List(session, account.Id).Exists(member => member.User.Email == normal))
                return (AccountErrors.Conflict("This user is a member already", "该用户已是成员", "email"), null);
            long count = session.Scalar<long>(
                "SELECT (SELECT COUNT(*) FROM memberships WHERE account_id = @id) + (SELECT COUNT(*) FROM mail_tokens WHERE purpose = 'invite' AND account_id = @id AND expires > @now)", new { id = account.Id, now });
            if (count >= MaxMembers)
                return (AccountErrors.TooMany("members", "成员", MaxMembers), null);
            session.Execute("DELETE FROM mail_tokens WHERE purpose = 'invite' AND account_id = @id AND email = @normal", new { id = account.Id, normal });
            string token = MailTokens.Create(session, now, signIn.Settings.InvitationLife, MailTokens.Invite, normal, null, account.Id, RoleText(role));
            string publicId = session.Scalar<string>("SELECT public_id FROM mail_tokens WHERE token = @hash", new { hash = Sessions.HashOf(token) })!;
            AuditLog.Write(session, now, new Actor(inviter.PublicId, address), account.Id, "member.invite", publicId, null, new JsonObject { ["role"] = RoleText(role) });
            string language = UserRow.FindByEmail(session, normal)?.Language ?? account.Language;
            return (
                new Invitation(publicId, normal, role, DateTimeOffset.FromUnixTimeMilliseconds(now) + signIn.Settings.InvitationLife),
                MailTexts.Invitation(normal, language, account.Name, inviter.Name, signIn.Link("invitation", token), signIn.Settings.InvitationLife));
        });
        if (mail is not null)
            signIn.Post(mail);
        return outcome;
    }

    /// <summary>Takes an invitation back.</summary>
    public async Task<Outcome<bool>> WithdrawAsync(Actor actor, long accountId, string invitationId) =>
        await _store.WriteAsync<Outcome<bool>>(session =>
        {
            if (session.Execute("DELETE FROM mail_tokens WHERE purpose = 'invite' AND account_id = @accountId AND public_id = @invitationId", new { accountId, invitationId }) == 0)
                return AccountErrors.Missing("invitation", "邀请");
            AuditLog.Write(session, _store.Now, actor, accountId, "member.withdraw", invitationId, null, null);
            return true;
        });

    /// <summary>Accepts an invitation. Whoever holds the mail's token may.</summary>
    public async Task<Outcome<Membership>> AcceptAsync(UserEntry user, string token, string address)
    {
        Outcome<(long Account, string Role)> outcome = await _store.WriteAsync<Outcome<(long, string)>>(session =>
        {
            long now = _store.Now;
            if (MailTokens.Take(session, now, MailTokens.Invite, token) is not { Account_id: { } account, Role: { } role } || !AccountService.IsOpen(session, account))
                return SignInService.BadLink();
            Join(session, now, new Actor(user.PublicId, address), account, user.Id, user.PublicId, role);
            return (account, role);
        });
        return outcome.Error is { } error ? error : new Membership(_directory.Find(outcome.Value.Account)!, ParseRole(outcome.Value.Role));
    }

    /// <summary>Changes what a member may do.</summary>
    public async Task<Outcome<bool>> SetRoleAsync(Actor actor, AccountRole own, long accountId, string userPublicId, AccountRole role) =>
        await _store.WriteAsync<Outcome<bool>>(session =>
        {
            List<Member> members = List(session, accountId);
            if (members.Find(member => member.User.PublicId == userPublicId) is not { } member)
                return AccountErrors.NoMember();
            if (!MayGive(own, role) || !MayGive(own, member.Role))
                return AccountErrors.Forbidden();
            if (member.Role == AccountRole.Owner && role != AccountRole.Owner && members.Count(other => other.Role == AccountRole.Owner) == 1)
                return LastOwner();
            session.Execute("UPDATE memberships SET role = @role WHERE account_id = @accountId AND user_id = @userId", new { role = RoleText(role), accountId, userId = member.User.Id });
            AuditLog.Write(session, _store.Now, actor, accountId, "member.role", userPublicId, new JsonObject { ["role"] = RoleText(member.Role) }, new JsonObject { ["role"] = RoleText(role) });
            return true;
        });

    /// <summary>Removes a member, or lets him leave.</summary>
    public async Task<Outcome<bool>> RemoveAsync(Actor actor, AccountRole own, long accountId, string userPublicId) =>
        await _store.WriteAsync<Outcome<bool>>(session =>
        {
            List<Member> members = List(session, accountId);
            if (members.Find(member => member.User.PublicId == userPublicId) is not { } member)
                return AccountErrors.NoMember();
            if (member.User.PublicId != actor.Name && !(own >= AccountRole.Admin && MayGive(own, member.Role)))
                return AccountErrors.Forbidden();
            if (member.Role == AccountRole.Owner && members.Count(other => other.Role == AccountRole.Owner) == 1)
                return LastOwner();
            session.Execute("DELETE FROM memberships WHERE account_id = @accountId AND user_id = @userId", new { accountId, userId = member.User.Id });
            AuditLog.Write(session, _store.Now, actor, accountId, "member.remove", userPublicId, new JsonObject { ["role"] = RoleText(member.Role) }, null);
            return true;
        });

    /// <summary>A role as the wire spells it.</summary>
    public static string RoleText(AccountRole role) => role switch
    {
        AccountRole.Owner => "owner",
        AccountRole.Admin => "admin",
        AccountRole.Billing => "billing",
        _ => "member",
    };

    /// <summary>The role of a word; member for an unknown one.</summary>
    public static AccountRole ParseRole(string text) => text switch
    {
        "owner" => AccountRole.Owner,
        "admin" => AccountRole.Admin,
        "billing" => AccountRole.Billing,
        _ => AccountRole.Member,
    };

    internal static void Join(StoreSession session, long now, Actor actor, long accountId, long userId, string userPublicId, string role)
    {
        session.Execute(
            "INSERT INTO memberships (account_id, user_id, role, created) VALUES (@accountId, @userId, @role, @now) ON CONFLICT (account_id, user_id) DO NOTHING", new { accountId, userId, role, now });
        AuditLog.Write(session, now, actor, accountId, "member.join", userPublicId, null, new JsonObject { ["role"] = role });
    }

    internal static List<Member> List(StoreSession session, long accountId) =>
    [
        .. session.List<(long User, string Role, long Created)>("SELECT user_id, role, created FROM memberships WHERE account_id = @accountId ORDER BY created, user_id", new { accountId })
            .Select(row => (Row: row, User: UserRow.Find(session, row.User)))
            .Where(pair => pair.User is not null)
            .Select(pair => new Member(pair.User!.ToEntry(), ParseRole(pair.Row.Role), DateTimeOffset.FromUnixTimeMilliseconds(pair.Row.Created))),
    ];

    private static bool MayGive(AccountRole own, AccountRole role) => own == AccountRole.Owner || (own == AccountRole.Admin && role != AccountRole.Owner);

    private static PlatformError LastOwner() => AccountErrors.Conflict("An account needs an owner. Make somebody else owner first", "账户至少需要一名所有者，请先指定其他所有者");
}
