namespace Glimmer.Kernels.Formats;

/// <summary>Layouts that several formats of 256 numbers share.</summary>
internal static class PackedCodes
{
    /// <summary>
    /// Packs two low bits of 256 codes: byte l of each 32 holds the numbers l, l+32, l+64 and l+96 of a half block, lowest bits first.
    /// </summary>
    public static void PackTwoBits(ReadOnlySpan<byte> codes, Span<byte> packed)
    {
        for (int i = 0; i < 64; i++)
        {
            int first = (i / 32) * 128 + i % 32;
            packed[i] = (byte)((codes[first] & 3) | (codes[first + 32] & 3) << 2 | (codes[first + 64] & 3) << 4 | (codes[first + 96] & 3) << 6);
        }
    }

    /// <summary>The two bits of number <paramref name="index"/> (0–255) in that layout.</summary>
    public static int TwoBits(ReadOnlySpan<byte> packed, int index) =>
        (packed[index / 128 * 32 + index % 32] >> (index % 128 / 32 * 2)) & 3;

    /// <summary>Number <paramref name="index"/> (0–7) of the eight 6-bit scales and eight 6-bit offsets in 12 bytes (Q4_K, Q5_K).</summary>
    public static (int Scale, int Offset) SixBits(ReadOnlySpan<byte> packed, int index) => index < 4
        ? (packed[index] & 63, packed[index + 4] & 63)
        : ((packed[index + 4] & 15) | (packed[index - 4] >> 6) << 4, (packed[index + 4] >> 4) | (packed[index] >> 6) << 4);

    /// <summary>Packs eight scales and offsets of 6 bits into 12 zeroed bytes.</summary>
    public static void PackSixBits(ReadOnlySpan<byte> scales, ReadOnlySpan<byte> offsets, Span<byte> packed)
    {
        for (int i = 0; i < 4; i++)
        {
            packed[i] = (byte)(scales[i] | (scales[i + 4] >> 4) << 6);
            packed[i + 4] = (byte)(offsets[i] | (offsets[i + 4] >> 4) << 6);
            packed[i + 8] = (byte)((scales[i + 4] & 15) | (offsets[i + 4] & 15) << 4);
        }
    }
}
