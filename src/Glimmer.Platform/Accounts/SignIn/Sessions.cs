using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Accounts.SignIn;

/// <summary>Somebody logged in.</summary>
/// <param name="User">Who.</param>
/// <param name="TokenHash">What the session is kept under.</param>
/// <param name="Expires">When it ends at the latest.</param>
public sealed record SessionEntry(UserEntry User, string TokenHash, DateTimeOffset Expires);

/// <summary>A session just made; the token is known now only.</summary>
/// <param name="Token">What the cookie holds.</param>
/// <param name="User">Who.</param>
/// <param name="Expires">When it ends at the latest.</param>
public sealed record NewSession(string Token, UserEntry User, DateTimeOffset Expires);

/// <summary>Sessions in the store, by the hash of their token.</summary>
internal sealed class Sessions(PlatformStore store, SignInSettings settings)
{
    private const long Minute = 60_000;

    /// <summary>The value that a changing call must send beside its cookie: made from the token, so that nobody can set it from outside.</summary>
    public static string CsrfOf(string token) => Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.ASCII.GetBytes(token), "glimmer csrf"u8));

    /// <summary>Whether a call's value is the session's, in constant time.</summary>
    public static bool CsrfMatches(string token, string sent) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(CsrfOf(token)), Encoding.UTF8.GetBytes(sent));

    public static string HashOf(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    public static string NewToken() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    public string Create(StoreSession session, long userId)
    {
        string token = NewToken();
        long now = store.Now;
        session.Execute(
            "INSERT INTO sessions (token, user_id, created, seen, expires) VALUES (@hash, @userId, @now, @now, @expires)",
            new { hash = HashOf(token), userId, now, expires = now + (long)settings.SessionLife.TotalMilliseconds });
        session.Execute("DELETE FROM sessions WHERE expires < @now OR seen < @idle", new { now, idle = now - (long)settings.SessionIdle.TotalMilliseconds });
        session.Execute("UPDATE users SET last_login = @now WHERE id = @userId", new { now, userId });
        return token;
    }

    public async Task<SessionEntry?> FindAsync(string token)
    {
        if (token.Length is < 40 or > 60)
            return null;
        string hash = HashOf(token);
        long now = store.Now;
        (UserRow? user, long seen, long expires) = await store.ReadAsync(session =>
        {
            (long User, long Seen, long Expires) row = session.First<(long, long, long)>("SELECT user_id, seen, expires FROM sessions WHERE token = @hash", new { hash });
            return row.User == 0 || row.Expires <= now || row.Seen + (long)settings.SessionIdle.TotalMilliseconds <= now
                ? default
                : (UserRow.Find(session, row.User), row.Seen, row.Expires);
        });
        if (user is null || user.Disabled != 0)
            return null;
        if (now - seen >= Minute)
            store.Writes.TryPost(session => session.Execute("UPDATE sessions SET seen = @now WHERE token = @hash AND seen < @now", new { now, hash }));
        return new SessionEntry(user.ToEntry(), hash, DateTimeOffset.FromUnixTimeMilliseconds(expires));
    }

    public static void EndAll(StoreSession session, long userId) => session.Execute("DELETE FROM sessions WHERE user_id = @userId", new { userId });
}
