using System.Buffers;
using System.Numerics;
using System.Text;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// Knows between which characters no merge can ever happen, because no token of the vocabulary holds both sides. A piece may be cut there
/// and its parts merged on their own with the same result; for scripts without spaces that leaves words instead of clauses.
/// </summary>
internal sealed class MergeBarriers
{
    private const int CodePointBits = 21;

    // Tokens that hold a part of a character on either side of the boundary: last byte before it, first byte behind it.
    private readonly bool[] _brokenPairs = new bool[256 * 256];

    // Tokens that hold both characters whole: (left << 21 | right) + 1, open addressing; 0 is free.
    private ulong[] _wholePairs = new ulong[1 << 10];
    private int _wholeCount;

    /// <summary>Collects the pairs of neighbouring characters in all text tokens. Two ASCII characters always count as a pair.</summary>
    public MergeBarriers(Vocabulary vocabulary)
    {
        for (int id = 0; id < vocabulary.Size; id++)
        {
            ReadOnlySpan<byte> token = vocabulary.BytesOf(id);
            if (token.Length > 1 && vocabulary.KindOf(id) == TokenKind.Text && !Ascii.IsValid(token))
                Collect(token);
        }
    }

    /// <summary>Whether some token spans the boundary between two characters.</summary>
    /// <param name="left">Code point before it.</param>
    /// <param name="right">Code point behind it.</param>
    /// <param name="lastByte">Last byte of the left one.</param>
    /// <param name="firstByte">First byte of the right one.</param>
    public bool MayMerge(int left, int right, byte lastByte, byte firstByte) =>
        (lastByte | firstByte) < 0x80 || _brokenPairs[(lastByte << 8) | firstByte] || Find(_wholePairs, Key(left, right)) != 0;

    private void Collect(ReadOnlySpan<byte> token)
    {
        int left = Character(token, out int length);
        for (int boundary = length; boundary < token.Length; boundary += length)
        {
            int right = Character(token[boundary..], out length);
            if (left < 0 || right < 0)
                _brokenPairs[(token[boundary - 1] << 8) | token[boundary]] = true;
            else if (left >= 0x80 || right >= 0x80)
                AddWhole(Key(left, right));
            left = right;
        }
    }

    // The next character, or −1 for a part of one: continuation bytes without a beginning, or a beginning without its end.
    private static int Character(ReadOnlySpan<byte> bytes, out int length)
    {
        if (Rune.DecodeFromUtf8(bytes, out Rune rune, out length) == OperationStatus.Done)
            return rune.Value;
        length = 1;
        while (length < bytes.Length && (bytes[length] & 0xC0) == 0x80)
            length++;
        return -1;
    }

    private void AddWhole(ulong key)
    {
        if (Find(_wholePairs, key) != 0)
            return;
        if (++_wholeCount * 2 > _wholePairs.Length)
        {
            ulong[] larger = new ulong[_wholePairs.Length * 2];
            foreach (ulong known in _wholePairs)
            {
                if (known != 0)
                    Find(larger, known) = known;
            }

            _wholePairs = larger;
        }

        Find(_wholePairs, key) = key;
    }

    private static ulong Key(int left, int right) => (((ulong)(uint)left << CodePointBits) | (uint)right) + 1;

    private static ref ulong Find(ulong[] table, ulong key)
    {
        int mask = table.Length - 1;
        int slot = (int)((key * 0x9E3779B97F4A7C15) >> (64 - BitOperations.Log2((uint)table.Length)));
        while (table[slot] != 0 && table[slot] != key)
            slot = (slot + 1) & mask;
        return ref table[slot];
    }
}
