using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Engine.Memory;

/// <summary>
/// Names a page by everything its rows depend on: model and format, tenant, and all tokens from the start of the sequence to the
/// page's end. A chain of SHA-256, so that equal keys mean equal rows.
/// </summary>
internal readonly record struct SpillKey(ulong A, ulong B, ulong C, ulong D)
{
    /// <summary>Bytes of a key.</summary>
    public const int Length = 32;

    /// <summary>The key before the first page.</summary>
    /// <param name="identity">What the file belongs to.</param>
    /// <param name="scope">Whose prefixes; those of other scopes have other keys.</param>
    public static SpillKey Root(ReadOnlySpan<byte> identity, string scope)
    {
        byte[] name = Encoding.UTF8.GetBytes(scope);
        return Of(SHA256.HashData([.. identity, .. SHA256.HashData(name)]));
    }

    /// <summary>The key of the page that follows.</summary>
    /// <param name="tokens">Its tokens, a full page.</param>
    public SpillKey Next(ReadOnlySpan<int> tokens)
    {
        Span<byte> input = stackalloc byte[Length + 1024 * sizeof(int)];
        Span<byte> hash = stackalloc byte[Length];
        WriteTo(input);
        MemoryMarshal.AsBytes(tokens).CopyTo(input[Length..]);
        SHA256.HashData(input[..(Length + tokens.Length * sizeof(int))], hash);
        return Of(hash);
    }

    /// <summary>Reads a key.</summary>
    public static SpillKey Of(ReadOnlySpan<byte> bytes) => MemoryMarshal.Read<SpillKey>(bytes);

    /// <summary>Writes the key.</summary>
    public void WriteTo(Span<byte> bytes) => MemoryMarshal.Write(bytes, in this);
}
