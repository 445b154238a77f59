namespace Glimmer.Dialogue.Tokenization;

/// <summary>Cuts UTF-8 text into the pieces that are merged on their own (the reference's pre-tokenizer). Stateless.</summary>
internal abstract class PieceScanner
{
    /// <summary>Finds the end of the piece that begins at <paramref name="start"/>.</summary>
    /// <param name="text">Well-formed UTF-8.</param>
    /// <param name="start">Where the piece begins; less than the text's length, on a character's first byte.</param>
    /// <param name="reach">
    /// Index of the last byte that had a say in the result; the text's length when it mattered that the text ends there. Below
    /// that length the piece stays the same whatever is appended to the text.
    /// </param>
    /// <returns>Index one past the piece; more than <paramref name="start"/>.</returns>
    public abstract int Next(ReadOnlySpan<byte> text, int start, out int reach);

    /// <summary>
    /// Whether a text that is cut after this piece keeps the pieces before the cut: false where the piece ends only because of what stands
    /// behind it, and would have been longer, or one with its neighbour, at the end of a text.
    /// </summary>
    public virtual bool MayCutAfter(ReadOnlySpan<byte> piece) => true;

    /// <summary>The code point at a position of well-formed UTF-8, and how many bytes it takes.</summary>
    internal static int Decode(ReadOnlySpan<byte> text, int position, out int length)
    {
        int lead = text[position];
        if (lead < 0x80)
        {
            length = 1;
            return lead;
        }

        if (lead < 0xE0)
        {
            length = 2;
            return ((lead & 0x1F) << 6) | (text[position + 1] & 0x3F);
        }

        if (lead < 0xF0)
        {
            length = 3;
            return ((lead & 0x0F) << 12) | ((text[position + 1] & 0x3F) << 6) | (text[position + 2] & 0x3F);
        }

        length = 4;
        return ((lead & 0x07) << 18) | ((text[position + 1] & 0x3F) << 12) | ((text[position + 2] & 0x3F) << 6) | (text[position + 3] & 0x3F);
    }
}
