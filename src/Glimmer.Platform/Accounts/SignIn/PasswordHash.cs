using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Platform.Accounts.SignIn;

/// <summary>
/// Passwords as PBKDF2-HMAC-SHA-512 with the OWASP Password Storage Cheat Sheet's 210,000 iterations (Argon2id is not
/// in .NET): <c>pbkdf2-sha512$ITERATIONS$SALT$HASH</c>. The parameters stand in the text, so that they can rise.
/// </summary>
internal static class PasswordHash
{
    /// <summary>Fewest and most characters of a password.</summary>
    public const int MinLength = 8;

    /// <inheritdoc cref="MinLength"/>
    public const int MaxLength = 256;

    /// <summary>Iterations of new hashes.</summary>
    public const int Iterations = 210_000;

    private const string Scheme = "pbkdf2-sha512";
    private const int MostIterations = 10_000_000;
    private static readonly byte[] _nobodySalt = RandomNumberGenerator.GetBytes(16);

    /// <summary>Hashes a password with a fresh salt.</summary>
    public static string Create(string password, int iterations = Iterations)
    {
        byte[] salt = RandomNumberGenerator.GetBytes(16);
        return string.Create(CultureInfo.InvariantCulture, $"{Scheme}${iterations}${Convert.ToBase64String(salt)}${Convert.ToBase64String(Derive(password, salt, iterations, 64))}");
    }

    /// <summary>Whether a password is the hashed one, in constant time.</summary>
    /// <param name="password">What was sent.</param>
    /// <param name="stored">The hash; null for an unknown user or one without a password, which costs the same.</param>
    /// <param name="today">Iterations of new hashes.</param>
    /// <param name="outdated">Whether it should be hashed again with today's parameters.</param>
    public static bool Verify(string password, string? stored, out bool outdated, int today = Iterations)
    {
        outdated = false;
        string[] parts = stored?.Split('$') ?? [];
        if (parts.Length != 4 || parts[0] != Scheme || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int iterations) || iterations is < 1 or > MostIterations)
        {
            Derive(password, _nobodySalt, today, 64);
            return false;
        }

        byte[] expected = Convert.FromBase64String(parts[3]);
        outdated = iterations < today;
        return CryptographicOperations.FixedTimeEquals(expected, Derive(password, Convert.FromBase64String(parts[2]), iterations, expected.Length));
    }

    /// <summary>What is wrong with a new password, in English and Chinese; null when nothing is.</summary>
    public static (string English, string Chinese)? Weakness(string password, string email)
    {
        if (password.Length is < MinLength or > MaxLength)
            return ($"it has {password.Length} characters", $"长度为 {password.Length}");
        if (password.Distinct().Count() < 4)
            return ("it has fewer than four different characters", "不同字符过少");
        if (password.Equals(email, StringComparison.OrdinalIgnoreCase) || password.Equals(email.Split('@')[0], StringComparison.OrdinalIgnoreCase))
            return ("it is the e-mail address", "与邮箱相同");
        return _common.Contains(password) ? ("it is one of the passwords that everybody tries", "过于常见") : null;
    }

    private static readonly HashSet<string> _common = new(StringComparer.OrdinalIgnoreCase)
    {
        "password", "password1", "password12", "password123", "passw0rd", "p@ssw0rd", "p@ssword", "12345678", "123456789", "1234567890", "0123456789", "87654321", "987654321",
        "qwertyui", "qwertyuiop", "qwerty123", "qwerty12", "1q2w3e4r", "1q2w3e4r5t", "1qaz2wsx", "q1w2e3r4", "asdfghjk", "asdfghjkl", "zxcvbnm1", "zxcvbnm123", "abcdefgh", "abcd1234", "abc12345",
        "iloveyou", "sunshine", "princess", "football", "baseball", "superman", "trustno1", "letmein1", "welcome1", "welcome123", "admin123", "administrator", "changeme", "changeme1", "computer",
        "internet", "dragon123", "monkey123", "master123", "michelle", "jennifer", "whatever", "starwars", "11223344", "12341234", "12344321", "147258369", "woaini1314", "woaini520", "5201314520",
        "a1234567", "a12345678", "aa123456", "aa12345678", "qq123456", "zxc123456", "asd123456", "q123456789", "a123456789", "1234qwer", "qazwsxedc", "google123", "test1234", "testtest1", "secret123",
    };

    private static byte[] Derive(string password, byte[] salt, int iterations, int length)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(password);
        byte[] hash = Rfc2898DeriveBytes.Pbkdf2(bytes, salt, iterations, HashAlgorithmName.SHA512, length);
        CryptographicOperations.ZeroMemory(bytes);
        return hash;
    }
}
