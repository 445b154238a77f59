namespace Glimmer.Dialogue.Constraints.Grammars;

/// <summary>
/// A regular language over bytes, stepped one byte at a time. States are opaque numbers; every state that a step returns is
/// live: some continuation is accepted.
/// </summary>
internal abstract class Terminal
{
    /// <summary>Whether many grammars use this very object, so that its masks are kept with the vocabulary.</summary>
    public bool IsShared { get; init; }

    /// <summary>The first state.</summary>
    public abstract ulong Start { get; }

    /// <summary>Whether no text at all is accepted.</summary>
    public abstract bool IsEmpty { get; }

    /// <summary>Moves on by a byte; false when nothing accepted begins so.</summary>
    public abstract bool TryStep(ulong state, byte value, out ulong next);

    /// <summary>Whether the text may end here.</summary>
    public abstract bool IsAccepting(ulong state);

    /// <summary>Whether any byte may follow.</summary>
    public abstract bool CanStep(ulong state);

    /// <summary>Adds to a set of 256 bits the bytes that may follow.</summary>
    public virtual void AddNextBytes(ulong state, Span<ulong> following)
    {
        for (int b = 0; b < 256; b++)
        {
            if (TryStep(state, (byte)b, out _))
                following[b >> 6] |= 1UL << (b & 63);
        }
    }
}

/// <summary>Exactly these bytes. The state is the number of bytes seen.</summary>
internal sealed class LiteralTerminal(byte[] bytes) : Terminal
{
    public LiteralTerminal(string text)
        : this(System.Text.Encoding.UTF8.GetBytes(text))
    {
    }

    /// <summary>The bytes.</summary>
    public ReadOnlySpan<byte> Bytes => bytes;

    public override ulong Start => 0;

    public override bool IsEmpty => false;

    public override bool TryStep(ulong state, byte value, out ulong next)
    {
        next = state + 1;
        return state < (ulong)bytes.Length && bytes[state] == value;
    }

    public override bool IsAccepting(ulong state) => state == (ulong)bytes.Length;

    public override bool CanStep(ulong state) => state < (ulong)bytes.Length;

    public override void AddNextBytes(ulong state, Span<ulong> following)
    {
        if (state < (ulong)bytes.Length)
            following[bytes[state] >> 6] |= 1UL << (bytes[state] & 63);
    }
}

/// <summary>
/// White space between the tokens of a JSON text: bounded, so that no model can pad for ever. The state holds the number
/// of characters and of line feeds.
/// </summary>
internal sealed class WhitespaceTerminal(int maxLength, int maxLines) : Terminal
{
    /// <summary>Between tokens: one line feed and an indentation of twenty. What is longer, only models make that have lost their way.</summary>
    public static WhitespaceTerminal Between { get; } = new(21, 1);

    /// <summary>Most characters.</summary>
    public int MaxLength => maxLength;

    /// <summary>Most line feeds among them.</summary>
    public int MaxLines => maxLines;

    /// <summary>Before and after the text.</summary>
    public static WhitespaceTerminal Around { get; } = new(16, 4);

    public override ulong Start => 0;

    public override bool IsEmpty => false;

    public override bool TryStep(ulong state, byte value, out ulong next)
    {
        uint length = (uint)state;
        uint lines = (uint)(state >> 32);
        next = state + 1;
        if (length >= maxLength)
            return false;
        if (value != (byte)'\n')
            return value is (byte)' ' or (byte)'\t' or (byte)'\r';
        next += 1UL << 32;
        return lines < maxLines;
    }

    public override bool IsAccepting(ulong state) => true;

    public override bool CanStep(ulong state) => (uint)state < maxLength;

    /// <summary>Whether a run of white space may follow.</summary>
    public bool CanAdd(ulong state, int length, int lines) =>
        (uint)state + length <= maxLength && (uint)(state >> 32) + lines <= maxLines;

    public override void AddNextBytes(ulong state, Span<ulong> following)
    {
        if ((uint)state >= maxLength)
            return;
        following[0] |= (1UL << ' ') | (1UL << '\t') | (1UL << '\r');
        if ((uint)(state >> 32) < maxLines)
            following[0] |= 1UL << '\n';
    }
}
