using System.Runtime.CompilerServices;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// The alphabet in which byte-level vocabularies spell bytes as printable characters (the one of GPT-2): visible Latin-1 bytes stand
/// for themselves, the other 68 are U+0100 … U+0143 in order.
/// </summary>
internal static class ByteAlphabet
{
    private const int Limit = 0x144;

    private static readonly short[] _byteOf = BuildByteOf();
    private static readonly char[] _charOf = BuildCharOf();

    /// <summary>How many bytes of UTF-8 the spelling of some bytes takes.</summary>
    public static int EncodedLength(ReadOnlySpan<byte> bytes)
    {
        int length = bytes.Length;
        foreach (byte value in bytes)
            length += _charOf[value] >= 0x80 ? 1 : 0;
        return length;
    }

    /// <summary>Spells bytes in the alphabet, as UTF-8.</summary>
    /// <param name="bytes">The bytes.</param>
    /// <param name="spelling">At least as long as <see cref="EncodedLength"/> says.</param>
    public static void Encode(ReadOnlySpan<byte> bytes, Span<byte> spelling)
    {
        int end = 0;
        foreach (byte value in bytes)
        {
            char character = _charOf[value];
            if (character < 0x80)
            {
                spelling[end++] = (byte)character;
                continue;
            }

            spelling[end++] = (byte)(0xC0 | (character >> 6));
            spelling[end++] = (byte)(0x80 | (character & 0x3F));
        }
    }

    /// <summary>Decodes a token in the alphabet (given as UTF-8) into the bytes that it stands for.</summary>
    /// <param name="spelling">UTF-8 of characters of the alphabet.</param>
    /// <param name="bytes">At least as long as the spelling, which it may overwrite.</param>
    /// <param name="written">How many bytes it stands for.</param>
    /// <returns>False when a character is not of the alphabet.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // runs once for each token at start, before the JIT would tier it up
    public static bool TryDecode(ReadOnlySpan<byte> spelling, Span<byte> bytes, out int written)
    {
        written = 0;
        for (int i = 0; i < spelling.Length; i++)
        {
            int character = spelling[i];
            if (character >= 0x80)
            {
                // All of the alphabet lies below U+0144, so two bytes are the most.
                if ((character & 0xE0) != 0xC0 || i + 1 >= spelling.Length || (spelling[i + 1] & 0xC0) != 0x80)
                    return false;
                character = ((character & 0x1F) << 6) | (spelling[++i] & 0x3F);
                if (character < 0x80)
                    return false;
            }

            if (character >= Limit || _byteOf[character] < 0)
                return false;
            bytes[written++] = (byte)_byteOf[character];
        }

        return true;
    }

    private static char[] BuildCharOf()
    {
        var map = new char[256];
        for (int c = 0; c < Limit; c++)
        {
            if (_byteOf[c] >= 0)
                map[_byteOf[c]] = (char)c;
        }

        return map;
    }

    private static short[] BuildByteOf()
    {
        var map = new short[Limit];
        map.AsSpan().Fill(-1);
        int substitute = 0x100;
        for (int b = 0; b < 256; b++)
        {
            bool visible = b is (>= 0x21 and <= 0x7E) or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
            map[visible ? b : substitute++] = (short)b;
        }

        return map;
    }
}
