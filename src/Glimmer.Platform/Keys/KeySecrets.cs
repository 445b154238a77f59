using System.Security.Cryptography;

namespace Glimmer.Platform.Keys;

/// <summary>Making and hashing the secret part of keys.</summary>
internal static class KeySecrets
{
    private const int Length = 24;
    private const string Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    /// <summary>24 random letters and digits (143 bits). Never contains "api" or "key": one client takes such a key for a placeholder.</summary>
    public static string Create()
    {
        while (true)
        {
            string secret = RandomNumberGenerator.GetString(Alphabet, Length);
            if (!secret.Contains("api", StringComparison.OrdinalIgnoreCase) && !secret.Contains("key", StringComparison.OrdinalIgnoreCase))
                return secret;
        }
    }

    /// <summary>Salted SHA-256. A slow hash would add nothing: the secret is random, not chosen by a person.</summary>
    public static byte[] Hash(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> secret)
    {
        byte[] result = new byte[32];
        Hash(salt, secret, result);
        return result;
    }

    /// <inheritdoc cref="Hash(ReadOnlySpan{byte}, ReadOnlySpan{byte})"/>
    public static void Hash(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> secret, Span<byte> result)
    {
        int length = salt.Length + secret.Length;
        Span<byte> both = length <= 512 ? stackalloc byte[length] : new byte[length];
        salt.CopyTo(both);
        secret.CopyTo(both[salt.Length..]);
        SHA256.HashData(both, result);
        both.Clear();
    }
}
