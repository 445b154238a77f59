using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Platform.Keys;

/// <summary>
/// Seals key secrets (AES-256-GCM, the key's id as associated data) with a key of this machine that lies beside the key
/// file: the token form of a credential is an HMAC with the secret, so that a hash of it is not enough.
/// </summary>
internal sealed class SecretSeal
{
    private const int KeyBytes = 32;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private readonly byte[] _key;

    private SecretSeal(byte[] key) => _key = key;

    /// <summary>Opens the protection key, making it when there is none.</summary>
    /// <exception cref="KeyRingException">The file exists but is not a protection key.</exception>
    public static SecretSeal Open(string path, string setting)
    {
        if (File.Exists(path))
        {
            byte[] key = File.ReadAllBytes(path);
            if (key.Length != KeyBytes)
                throw new KeyRingException($"The protection key {path} is damaged: it has {key.Length} bytes instead of {KeyBytes}. Restore it from a backup (data folder: {setting}).");
            return new SecretSeal(key);
        }

        byte[] fresh = RandomNumberGenerator.GetBytes(KeyBytes);
        PrivateFile.WriteAtomically(path, fresh);
        return new SecretSeal(fresh);
    }

    public byte[] Seal(string id, ReadOnlySpan<byte> secret)
    {
        byte[] result = new byte[NonceBytes + TagBytes + secret.Length];
        Span<byte> nonce = result.AsSpan(0, NonceBytes);
        RandomNumberGenerator.Fill(nonce);
        using var cipher = new AesGcm(_key, TagBytes);
        cipher.Encrypt(nonce, secret, result.AsSpan(NonceBytes + TagBytes), result.AsSpan(NonceBytes, TagBytes), Encoding.UTF8.GetBytes(id));
        return result;
    }

    /// <summary>Opens a sealed secret; null when it was sealed with another key or changed since.</summary>
    public byte[]? TryOpen(string id, ReadOnlySpan<byte> box)
    {
        if (box.Length < NonceBytes + TagBytes)
            return null;
        byte[] secret = new byte[box.Length - NonceBytes - TagBytes];
        try
        {
            using var cipher = new AesGcm(_key, TagBytes);
            cipher.Decrypt(box[..NonceBytes], box[(NonceBytes + TagBytes)..], box.Slice(NonceBytes, TagBytes), secret, Encoding.UTF8.GetBytes(id));
            return secret;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }
}
