namespace Glimmer.Dialogue.Tokenization;

/// <summary>A growing list of byte strings in one block of memory: hundreds of thousands of tokens without an object each.</summary>
public sealed class Utf8StringList
{
    private byte[] _bytes;
    private int[] _ends;

    /// <summary>An empty list.</summary>
    /// <param name="capacity">How many strings to make room for.</param>
    public Utf8StringList(int capacity = 16)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(capacity);
        _ends = new int[Math.Max(capacity, 4)];
        _bytes = new byte[_ends.Length * 8L > Array.MaxLength ? Array.MaxLength : _ends.Length * 8];
    }

    /// <summary>How many strings it holds.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of all strings together.</summary>
    public int ByteCount => Count == 0 ? 0 : _ends[Count - 1];

    /// <summary>One string. The span stays valid until the next change.</summary>
    public ReadOnlySpan<byte> this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
            int start = index == 0 ? 0 : _ends[index - 1];
            return _bytes.AsSpan(start, _ends[index] - start);
        }
    }

    /// <summary>Appends a copy of a string.</summary>
    public void Add(ReadOnlySpan<byte> text)
    {
        text.CopyTo(Append(text.Length));
    }

    /// <summary>Appends a string of so many bytes, for the caller to fill at once.</summary>
    public Span<byte> Append(int length)
    {
        int start = ByteCount;
        int end = checked(start + length);
        if (end > _bytes.Length)
            Array.Resize(ref _bytes, (int)Math.Clamp(_bytes.Length * 2L, end, Array.MaxLength));
        if (Count == _ends.Length)
            Array.Resize(ref _ends, checked(_ends.Length * 2));
        _ends[Count++] = end;
        return _bytes.AsSpan(start, length);
    }

    /// <summary>Shortens the last string; for a caller that did not know its length beforehand.</summary>
    internal void TrimLast(int length)
    {
        int start = Count == 1 ? 0 : _ends[Count - 2];
        _ends[Count - 1] = start + length;
    }
}
