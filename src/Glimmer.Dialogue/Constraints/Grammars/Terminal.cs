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
/// White space between the tokens of a JSON text: one blank, or line feeds and an indentation. What is longer or mixed only models
/// write that have lost their way, and they would pad for ever. The state holds the number of blanks and of line feeds.
/// </summary>
internal sealed class WhitespaceTerminal(int maxLines, int maxIndent) : Terminal
{
    private const int LineShift = 32;

    /// <summary>Between tokens.</summary>
    public static WhitespaceTerminal Between { get; } = new(1, 20);

    /// <summary>Before the text.</summary>
    public static WhitespaceTerminal Before { get; } = new(2, 1);

    /// <summary>Most line feeds.</summary>
    public int MaxLines => maxLines;

    /// <summary>Most blanks and tabs after a line feed; where there is none, it is one.</summary>
    public int MaxIndent => maxIndent;

    public override ulong Start => 0;

    public override bool IsEmpty => false;

    public override bool TryStep(ulong state, byte value, out ulong next)
    {
        (int lines, int indent) = value switch
        {
            (byte)'\n' => (1, 0),
            (byte)' ' or (byte)'\t' => (0, 1),
            _ => (-1, 0),
        };
        next = lines < 0 ? 0 : state + ((ulong)lines << LineShift) + (ulong)indent;
        return lines >= 0 && CanAdd(state, lines, indent);
    }

    public override bool IsAccepting(ulong state) => true;

    public override bool CanStep(ulong state) => CanAdd(state, 0, 1) || CanAdd(state, 1, 0);

    /// <summary>Whether some line feeds and then some blanks may follow.</summary>
    public bool CanAdd(ulong state, int lines, int indent)
    {
        int before = (int)(state >> LineShift);
        long blanks = (uint)state + (long)indent;
        return lines > 0 ? (uint)state == 0 && before + lines <= maxLines && blanks <= maxIndent : blanks <= (before == 0 ? 1 : maxIndent);
    }

    public override void AddNextBytes(ulong state, Span<ulong> following)
    {
        if (CanAdd(state, 0, 1))
            following[0] |= (1UL << ' ') | (1UL << '\t');
        if (CanAdd(state, 1, 0))
            following[0] |= 1UL << '\n';
    }
}
