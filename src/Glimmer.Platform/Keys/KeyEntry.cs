using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Platform.Keys;

/// <summary>
/// A key in memory: everything a request needs to be let in, in one object, since there may be a million of them.
/// Immutable but for <see cref="LastUsed"/>; a change replaces the entry.
/// </summary>
internal sealed class KeyEntry
{
    private const int SaltBytes = 16;
    private const int HashBytes = 32;
    private const int SealedBytes = 52;   // of secrets of 24 characters, which are all that this platform makes
    private static readonly System.Buffers.SearchValues<char> _digits = System.Buffers.SearchValues.Create("0123456789abcdef");
    private Secret _secret;
    private AccessKey? _key;
    private long _lastUsed;

    /// <summary>Number of the key in the store; 0 for one of a key file.</summary>
    public long Number { get; init; }

    public long AccountId { get; init; }

    public long ProjectId { get; init; }

    /// <summary>What the directory finds it by; see <see cref="IndexOf"/>.</summary>
    public required UInt128 Index { get; init; }

    public required string Name { get; init; }

    /// <summary>Milliseconds since 1970.</summary>
    public long Created { get; init; }

    /// <summary>Milliseconds since 1970; <see cref="long.MaxValue"/> for never.</summary>
    public long Expires { get; init; } = long.MaxValue;

    public bool Disabled { get; init; }

    /// <summary>What few keys have; null for most.</summary>
    public KeyExtras? Extras { get; init; }

    /// <summary>When it was last used, to the minute, in milliseconds since 1970; 0 for never.</summary>
    public long LastUsed
    {
        get => Interlocked.Read(ref _lastUsed);
        set => Interlocked.Exchange(ref _lastUsed, value);
    }

    /// <summary>The key as others see it, made at its first use.</summary>
    public AccessKey Key => _key ??= new AccessKey(
        Extras?.Id ?? Index.ToString("x32", CultureInfo.InvariantCulture),
        Name,
        DateTimeOffset.FromUnixTimeMilliseconds(Created),
        Expires == long.MaxValue ? null : DateTimeOffset.FromUnixTimeMilliseconds(Expires),
        Disabled)
    {
        AccountId = AccountId,
        ProjectId = ProjectId,
        Number = Number,
        Rules = Extras?.Rules ?? KeyRules.None,
        IsOperator = Extras?.IsOperator ?? false,
    };

    /// <summary>Where an id stands: 32 hexadecimal digits are their number, any other text the start of its SHA-256.</summary>
    public static UInt128 IndexOf(ReadOnlySpan<char> id)
    {
        if (IsPlain(id) && UInt128.TryParse(id, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out UInt128 number))
            return number;
        Span<byte> hash = stackalloc byte[32];
        SHA256.HashData(Encoding.UTF8.GetBytes(id.ToArray()), hash);
        return BinaryPrimitives.ReadUInt128BigEndian(hash);
    }

    /// <summary>Where an id of the usual form stands; false for one of another form.</summary>
    public static bool TryIndexOf(ReadOnlySpan<byte> id, out UInt128 index)
    {
        index = default;
        Span<byte> bytes = stackalloc byte[16];
        if (id.Length != 32 || id.ContainsAnyInRange((byte)'A', (byte)'F') || Convert.FromHexString(id, bytes, out _, out _) != System.Buffers.OperationStatus.Done)
            return false;
        index = BinaryPrimitives.ReadUInt128BigEndian(bytes);
        return true;
    }

    /// <summary>Whether an id is of the form that this platform makes.</summary>
    public static bool IsPlain(ReadOnlySpan<char> id) => id.Length == 32 && !id.ContainsAnyExcept(_digits);

    /// <summary>Whether the parts of a secret have the lengths that this platform's have.</summary>
    public static bool IsUsual(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> hash, ReadOnlySpan<byte> box) =>
        salt.Length == SaltBytes && hash.Length == HashBytes && box.Length == SealedBytes;

    /// <summary>Sets hash and sealed secret while the entry is made.</summary>
    /// <returns>False when a part has another length than this form keeps; it belongs into <see cref="Extras"/> then.</returns>
    public bool TrySetSecret(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> hash, ReadOnlySpan<byte> box)
    {
        if (!IsUsual(salt, hash, box))
            return false;
        Span<byte> bytes = _secret;
        salt.CopyTo(bytes);
        hash.CopyTo(bytes[SaltBytes..]);
        box.CopyTo(bytes[(SaltBytes + HashBytes)..]);
        return true;
    }

    /// <summary>Whether a secret is this key's, or the one it had before a rotation whose overlap has not ended. Constant time.</summary>
    public bool Matches(ReadOnlySpan<byte> secret, long now)
    {
        bool matches = Extras?.Own is { } own
            ? Matches(own.Salt, own.Hash, secret)
            : Matches(((ReadOnlySpan<byte>)_secret)[..SaltBytes], ((ReadOnlySpan<byte>)_secret).Slice(SaltBytes, HashBytes), secret);
        if (Extras?.Former is { } former && now < Extras.FormerUntil)
            matches |= Matches(former.Salt, former.Hash, secret);
        return matches;
    }

    /// <summary>Whether a token was signed with one of the secrets.</summary>
    public bool Signed(in SignedToken token, SecretSeal seal, long now)
    {
        string id = Key.Id;
        bool signed = Signed(token, seal, id, Extras?.Own is { } own ? own.Sealed : ((ReadOnlySpan<byte>)_secret)[(SaltBytes + HashBytes)..]);
        if (!signed && Extras?.Former is { } former && now < Extras.FormerUntil)
            signed = Signed(token, seal, id, former.Sealed);
        return signed;
    }

    public static KeyEntry Of(StoredKey key)
    {
        bool plain = IsPlain(key.Id);
        bool usual = IsUsual(key.Salt, key.Hash, key.Sealed);
        var entry = new KeyEntry
        {
            Index = IndexOf(key.Id),
            Name = key.Name,
            Created = key.Created.ToUnixTimeMilliseconds(),
            Expires = key.Expires?.ToUnixTimeMilliseconds() ?? long.MaxValue,
            Disabled = key.Disabled,
            Extras = plain && usual ? null : new KeyExtras { Id = plain ? null : key.Id, Own = usual ? null : new KeySecret(key.Salt, key.Hash, key.Sealed) },
        };
        entry.TrySetSecret(key.Salt, key.Hash, key.Sealed);
        entry._key = key.ToAccessKey();
        return entry;
    }

    private static bool Matches(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> expected, ReadOnlySpan<byte> secret)
    {
        Span<byte> actual = stackalloc byte[HashBytes];
        KeySecrets.Hash(salt, secret, actual);
        return CryptographicOperations.FixedTimeEquals(expected, actual);
    }

    private static bool Signed(in SignedToken token, SecretSeal seal, string id, ReadOnlySpan<byte> box)
    {
        if (seal.TryOpen(id, box) is not { } secret)
            return false;
        bool signed = token.IsSignedWith(secret);
        CryptographicOperations.ZeroMemory(secret);
        return signed;
    }

    [InlineArray(SaltBytes + HashBytes + SealedBytes)]
    [StructLayout(LayoutKind.Auto)]
    private struct Secret
    {
        private byte _first;
    }
}

/// <summary>What few keys have.</summary>
internal sealed class KeyExtras
{
    /// <summary>The id when it is not of the usual form.</summary>
    public string? Id { get; init; }

    public KeyRules Rules { get; init; } = KeyRules.None;

    public bool IsOperator { get; init; }

    /// <summary>The secret when its parts have unusual lengths.</summary>
    public KeySecret? Own { get; init; }

    /// <summary>The secret before the last rotation.</summary>
    public KeySecret? Former { get; init; }

    /// <summary>Until when the former secret works, in milliseconds since 1970.</summary>
    public long FormerUntil { get; init; }
}

/// <summary>A secret as it is kept: hashed for comparing, sealed for verifying tokens.</summary>
internal sealed record KeySecret(byte[] Salt, byte[] Hash, byte[] Sealed);

/// <summary>Where keys are looked up.</summary>
internal interface IKeySource
{
    /// <summary>Now, in milliseconds since 1970.</summary>
    long Now { get; }

    /// <summary>What opens sealed secrets.</summary>
    SecretSeal Seal { get; }

    /// <summary>Finds a key by its public id; null when there is none.</summary>
    KeyEntry? Find(ReadOnlySpan<char> id);

    /// <summary>Why the account of a key may not call now; null when it may.</summary>
    Protocol.Errors.PlatformError? CheckAccount(KeyEntry key);

    /// <summary>Notes that a key let somebody in.</summary>
    void Used(KeyEntry key);
}
