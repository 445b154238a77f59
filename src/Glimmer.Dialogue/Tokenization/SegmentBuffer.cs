using System.Buffers;
using System.Text;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// Encodes one text that arrives in parts: keeps the bytes whose tokens the next part may still change. The tokens are those of the
/// whole text, whatever the parts. Time is linear in the text, however long its pieces are.
/// </summary>
/// <param name="tokenizer">Whose tokens.</param>
internal struct SegmentBuffer(Tokenizer tokenizer) : IDisposable
{
    // Small enough for the first-level cache together with what the tokenizer touches.
    private const int Window = 8192;

    private byte[] _bytes = [];
    private int _filled;
    private int _examined;
    private char _highSurrogate;

    /// <summary>Bytes that the scanner has gone over so far: the measure of work.</summary>
    internal long Steps { get; private set; }

    /// <summary>Appends a part of the text, and the tokens that are certain to <paramref name="ids"/>.</summary>
    public void Write(ReadOnlySpan<char> text, List<int> ids)
    {
        if (_highSurrogate != 0 && text.Length > 0)
        {
            char high = _highSurrogate;
            _highSurrogate = '\0';
            if (char.IsLowSurrogate(text[0]))
            {
                Append([high, text[0]]);
                text = text[1..];
            }
            else
            {
                Append([high]);
            }
        }

        while (text.Length > 0)
        {
            int count = Math.Min(text.Length, Math.Max(Window, _filled));
            while (count < text.Length && char.IsHighSurrogate(text[count - 1]))
                count++;
            if (char.IsHighSurrogate(text[count - 1]))
            {
                _highSurrogate = text[^1];
                text = text[..^1];
                count--;
            }

            Append(text[..count]);
            text = text[count..];

            // What could not be decided is looked at again only when as much again has come.
            if (_filled >= 2 * _examined)
                Settle(isEnd: false, ids);
        }
    }

    /// <summary>The text ends: appends the tokens that were kept back. A new text may begin.</summary>
    public void End(List<int> ids)
    {
        if (_highSurrogate != 0)
        {
            Append([_highSurrogate]);
            _highSurrogate = '\0';
        }

        Settle(isEnd: true, ids);
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        if (_bytes.Length > 0)
            ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = [];
        _filled = 0;
        _examined = 0;
        _highSurrogate = '\0';
    }

    private void Append(ReadOnlySpan<char> text)
    {
        long needed = _filled + 3L * text.Length;
        if (needed > _bytes.Length)
        {
            if (needed > Array.MaxLength)
                throw new ArgumentException("A single run of more than two gigabytes cannot be encoded.", nameof(text));
            byte[] larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(Math.Max(needed, 4L * Window), Array.MaxLength));
            _bytes.AsSpan(0, _filled).CopyTo(larger);
            if (_bytes.Length > 0)
                ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = larger;
        }

        _filled += Encoding.UTF8.GetBytes(text, _bytes.AsSpan(_filled));
    }

    private void Settle(bool isEnd, List<int> ids)
    {
        Steps += _filled;
        int settled = tokenizer.EncodeCertain(_bytes.AsSpan(0, _filled), isEnd, ids);
        _filled -= settled;
        _bytes.AsSpan(settled, _filled).CopyTo(_bytes);
        _examined = _filled;
    }
}
