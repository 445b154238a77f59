using Glimmer.Platform.Store;

namespace Glimmer.Platform.Accounts.SignIn;

/// <summary>A person who logs in.</summary>
/// <param name="Id">Number in the store.</param>
/// <param name="PublicId">What he is called outside: <c>user-…</c>.</param>
/// <param name="Email">His address; null when his login gave none.</param>
/// <param name="EmailConfirmed">Whether the address is known to be his.</param>
/// <param name="Name">What he is called.</param>
/// <param name="Language">Language of his mails, <c>en</c> or <c>zh</c>.</param>
/// <param name="IsOperator">Whether he may administer the platform.</param>
/// <param name="HasPassword">Whether he can log in by password.</param>
/// <param name="Created">When he signed up.</param>
public sealed record UserEntry(long Id, string PublicId, string? Email, bool EmailConfirmed, string Name, string Language, bool IsOperator, bool HasPassword, DateTimeOffset Created);

/// <summary>What a member of an account may do. Each may what those before it may, except that billing and member don't meet.</summary>
public enum AccountRole
{
    /// <summary>Sees projects and usage, makes and changes keys.</summary>
    Member,

    /// <summary>Sees usage, pays and reads bills.</summary>
    Billing,

    /// <summary>All but what is the owner's: members, projects, keys, end users.</summary>
    Admin,

    /// <summary>Everything, also exporting and deleting the account. There is always one.</summary>
    Owner,
}

/// <summary>An account that a user belongs to.</summary>
/// <param name="Account">The account.</param>
/// <param name="Role">What he may do in it.</param>
public sealed record Membership(AccountEntry Account, AccountRole Role);

internal sealed record UserRow(
    long Id, string Public_id, string? Email, long Email_verified, string Name, string Language, string? Password, long Operator, long Disabled, long Created)
{
    private const string Select = "SELECT id, public_id, email, email_verified, name, language, password, operator, disabled, created FROM users WHERE ";

    public static UserRow? Find(StoreSession session, long id) => session.First<UserRow>(Select + "id = @id", new { id });

    public static UserRow? FindByEmail(StoreSession session, string email) => session.First<UserRow>(Select + "email = @email", new { email });

    public static UserRow? FindByPublicId(StoreSession session, string publicId) => session.First<UserRow>(Select + "public_id = @publicId", new { publicId });

    public UserEntry ToEntry() => new(
        Id, Public_id, Email, Email_verified != 0, Name, Language, Operator != 0, Password is not null, DateTimeOffset.FromUnixTimeMilliseconds(Created));
}
