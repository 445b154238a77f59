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
    private const int UniformBlocks = 4;

    // The first four blocks are each of one class; the others belong to one place.
    private static readonly byte[] _blockOf = new byte[CodePoints >> BlockBits];
    private static readonly CodePointClass[] _blocks = Build();

    /// <summary>The class of a code point (0 … 0x10FFFF).</summary>
    public static CodePointClass Of(int codePoint) =>
        _blocks[(_blockOf[codePoint >> BlockBits] << BlockBits) | (codePoint & (BlockSize - 1))];

    private static CodePointClass[] Build()
    {
        var blocks = new CodePointClass[256 * BlockSize];
        for (int uniform = 0; uniform < UniformBlocks; uniform++)
            blocks.AsSpan(uniform << BlockBits, BlockSize).Fill((CodePointClass)uniform);
        int count = UniformBlocks;
        Paint(blocks, ref count, UnicodeRanges.Letters, CodePointClass.Letter);
        Paint(blocks, ref count, UnicodeRanges.Numbers, CodePointClass.Number);
        Paint(blocks, ref count, UnicodeRanges.WhiteSpace, CodePointClass.WhiteSpace);
        return blocks[..(count << BlockBits)];
    }

    private static void Paint(CodePointClass[] blocks, ref int count, ReadOnlySpan<int> ranges, CodePointClass colour)
    {
        for (int i = 0; i < ranges.Length; i += 2)
        {
            int end = ranges[i + 1] + 1;
            for (int start = ranges[i]; start < end;)
            {
                int block = start >> BlockBits;
                int stop = Math.Min(end, (block + 1) << BlockBits);
                if (stop - start == BlockSize)
                {
                    _blockOf[block] = (byte)colour;
                }
                else
                {
                    if (_blockOf[block] < UniformBlocks)
                        _blockOf[block] = checked((byte)count++);
                    int shift = (_blockOf[block] << BlockBits) - (block << BlockBits);
                    blocks.AsSpan(start + shift, stop - start).Fill(colour);
                }

                start = stop;
            }
        }
    }
}
