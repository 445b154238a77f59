using System.Text.Unicode;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// Tokens to text, one at a time: holds the bytes of an incomplete character until it is complete. The pieces put together are the text
/// of <see cref="Tokenizer.Decode"/>. One instance serves one stream.
/// </summary>
/// <param name="tokenizer">Whose tokens.</param>
/// <param name="skipSpecial">Whether special tokens are left out; the bytes around them join.</param>
public sealed class StreamDecoder(ITokenizer tokenizer, bool skipSpecial = false)
{
    private const int MaxPending = 3;

    private byte[] _bytes = new byte[64];
    private char[] _text = new char[64];
    private int _pending;

    /// <summary>Whether bytes of an incomplete character are held.</summary>
    public bool HasPending => _pending > 0;

    /// <summary>Takes a token and gives the text that is certain now; often empty. The span stays valid until the next call.</summary>
    /// <param name="id">Any id; unused ones stand for nothing.</param>
    public ReadOnlySpan<char> Append(int id)
    {
        if (skipSpecial && tokenizer.KindOf(id) == TokenKind.Special)
            return [];
        return AppendBytes(tokenizer.BytesOf(id));
    }

    /// <summary>Takes bytes that no token stands for, as a grammar forces them.</summary>
    public ReadOnlySpan<char> AppendBytes(ReadOnlySpan<byte> bytes)
    {
        int needed = checked(_pending + bytes.Length);
        if (needed > _bytes.Length)
        {
            Array.Resize(ref _bytes, Math.Max(needed, 2 * _bytes.Length));
            _text = new char[_bytes.Length];
        }

        bytes.CopyTo(_bytes.AsSpan(_pending));
        return Convert(needed, isEnd: false);
    }

    /// <summary>The stream ends: gives U+FFFD for what was held, if anything was. The decoder is as new.</summary>
    public ReadOnlySpan<char> Flush() => Convert(_pending, isEnd: true);

    private ReadOnlySpan<char> Convert(int length, bool isEnd)
    {
        // The first two bytes of a surrogate written as UTF-8 can only be wrong, but the reference waits for the third before it says so.
        int ready = !isEnd && length >= 2 && _bytes[length - 2] == 0xED && _bytes[length - 1] is >= 0xA0 and <= 0xBF ? length - 2 : length;

        // Replaces each maximal part of a character by one U+FFFD and stops before an incomplete one at the end.
        Utf8.ToUtf16(_bytes.AsSpan(0, ready), _text, out int read, out int written, replaceInvalidSequences: true, isFinalBlock: isEnd);
        _pending = length - read;
        System.Diagnostics.Debug.Assert(_pending <= MaxPending, "only the beginning of one character can be incomplete");
        _bytes.AsSpan(read, _pending).CopyTo(_bytes);
        return _text.AsSpan(0, written);
    }
}
