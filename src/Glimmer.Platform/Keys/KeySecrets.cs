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
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(salt);
        hash.AppendData(secret);
        return hash.GetHashAndReset();
    }
}
