using Glimmer.Platform.Store;

namespace Glimmer.Platform.Accounts.SignIn;

/// <summary>Tokens that mails carry, kept by their hash, each good once.</summary>
internal static class MailTokens
{
    public const string Reset = "reset";
    public const string Confirm = "confirm";
    public const string Invite = "invite";

    /// <summary>Makes a token. Of one user and purpose only the newest works.</summary>
    public static string Create(
        StoreSession session, long now, TimeSpan life, string purpose, string email, long? userId = null, long? accountId = null, string? role = null)
    {
        string token = Sessions.NewToken();
        session.Execute("DELETE FROM mail_tokens WHERE expires < @now", new { now });
        if (userId is not null)
            session.Execute("DELETE FROM mail_tokens WHERE purpose = @purpose AND user_id = @userId", new { purpose, userId });
        session.Execute(
            "INSERT INTO mail_tokens (token, purpose, public_id, email, user_id, account_id, role, created, expires) VALUES (@hash, @purpose, @id, @email, @userId, @accountId, @role, @now, @expires)",
            new { hash = Sessions.HashOf(token), purpose, id = PublicIds.New(PublicIds.Invitation), email, userId, accountId, role, now, expires = now + (long)life.TotalMilliseconds });
        return token;
    }

    /// <summary>What a token stands for, without using it up; null when it is wrong, old or used.</summary>
    public static MailToken? Find(StoreSession session, long now, string purpose, string token) => session.First<MailToken>(
        "SELECT email, user_id, account_id, role FROM mail_tokens WHERE token = @hash AND purpose = @purpose AND expires > @now", new { hash = Sessions.HashOf(token), purpose, now });

    /// <summary>Uses a token up.</summary>
    public static MailToken? Take(StoreSession session, long now, string purpose, string token)
    {
        MailToken? found = Find(session, now, purpose, token);
        return found is not null && session.Execute("DELETE FROM mail_tokens WHERE token = @hash", new { hash = Sessions.HashOf(token) }) == 1 ? found : null;
    }
}

internal sealed record MailToken(string Email, long? User_id, long? Account_id, string? Role);
