namespace Glimmer.Dialogue.Tokenization;

/// <summary>What the pre-tokenizer wants to know of a code point.</summary>
internal enum CodePointClass : byte
{
    /// <summary>None of the others.</summary>
    Other,

    /// <summary><c>\p{L}</c>.</summary>
    Letter,

    /// <summary><c>\p{N}</c>.</summary>
    Number,

    /// <summary><c>\s</c>.</summary>
    WhiteSpace,
}

/// <summary>
/// The character classes of the reference's regex engine: Unicode 16.0. The runtime's own tables follow another Unicode version,
/// which would cut some texts differently.
/// </summary>
internal static class UnicodeClasses
{
    private const int BlockBits = 8;
    private const int BlockSize = 1 << BlockBits;
    private const int CodePoints = 0x110000;

    private static readonly byte[] BlockOf = new byte[CodePoints >> BlockBits];
    private static readonly CodePointClass[] Blocks = Build();

    /// <summary>The class of a code point (0 … 0x10FFFF).</summary>
    public static CodePointClass Of(int codePoint) =>
        Blocks[(BlockOf[codePoint >> BlockBits] << BlockBits) | (codePoint & (BlockSize - 1))];

    private static CodePointClass[] Build()
    {
        var painted = new CodePointClass[CodePoints];
        Paint(painted, UnicodeRanges.Letters, CodePointClass.Letter);
        Paint(painted, UnicodeRanges.Numbers, CodePointClass.Number);
        Paint(painted, UnicodeRanges.WhiteSpace, CodePointClass.WhiteSpace);

        // Most of the 4352 blocks are equal to one of about a hundred.
        var blocks = new List<CodePointClass>();
        for (int block = 0; block < BlockOf.Length; block++)
        {
            ReadOnlySpan<CodePointClass> content = painted.AsSpan(block << BlockBits, BlockSize);
            int known = 0;
            while (known < blocks.Count && !content.SequenceEqual(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(blocks).Slice(known, BlockSize)))
                known += BlockSize;
            if (known == blocks.Count)
                blocks.AddRange(content);
            BlockOf[block] = checked((byte)(known >> BlockBits));
        }

        return [.. blocks];
    }

    private static void Paint(CodePointClass[] painted, ReadOnlySpan<int> ranges, CodePointClass colour)
    {
        for (int i = 0; i < ranges.Length; i += 2)
            painted.AsSpan(ranges[i], ranges[i + 1] - ranges[i] + 1).Fill(colour);
    }
}
