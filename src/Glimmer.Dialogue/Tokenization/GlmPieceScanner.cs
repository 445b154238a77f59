using System.Runtime.CompilerServices;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// GLM's pre-tokenizer (all generations use the same expression, <see cref="Pattern"/>), written out by hand: one pass, at most two
/// looks at a character.
/// </summary>
internal sealed class GlmPieceScanner : PieceScanner
{
    /// <summary>The expression that this scanner stands for.</summary>
    public const string Pattern =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const byte MultiByte = 4;

    private static ReadOnlySpan<byte> ClassOfByte => _classTable;

    private static readonly byte[] _classTable = BuildClassTable();

    /// <inheritdoc/>
    public override int Next(ReadOnlySpan<byte> text, int start, out int reach)
    {
        CodePointClass first = ClassAt(text, start, out int length);
        int next = start + length;
        switch (first)
        {
            case CodePointClass.Letter:
                return reach = SkipLetters(text, next);
            case CodePointClass.Number:
                return SkipNumbers(text, next, out reach);
        }

        byte lead = text[start];
        if (lead == '\'')
        {
            int contraction = Contraction(text, next, out reach);
            if (contraction > 0)
                return next + contraction;
        }

        // [^\r\n\p{L}\p{N}]?\p{L}+ : what stands here is neither letter nor number.
        CodePointClass second = CodePointClass.Other;
        int secondLength = 0;
        if (next < text.Length)
        {
            second = ClassAt(text, next, out secondLength);
            if (second == CodePointClass.Letter && lead is not ((byte)'\r' or (byte)'\n'))
                return reach = SkipLetters(text, next + secondLength);
        }

        if (first == CodePointClass.Other)
            return reach = SkipNewlines(text, SkipOthers(text, next));
        if (lead == ' ' && next < text.Length && second == CodePointClass.Other)
            return reach = SkipNewlines(text, SkipOthers(text, next + secondLength));
        return WhiteSpace(text, start, out reach);
    }

    /// <inheritdoc/>
    public override bool MayCutAfter(ReadOnlySpan<byte> piece)
    {
        // "  1" is " ", " ", "1", but "  " at the end of a text is one piece: (?!\S) looks behind the white space.
        int last = piece.Length - 1;
        while ((piece[last] & 0xC0) == 0x80)
            last--;
        return piece[last] is (byte)'\r' or (byte)'\n' || ClassAt(piece, last, out _) != CodePointClass.WhiteSpace;
    }

    // \s*[\r\n]+|\s+(?!\S)|\s+ at the start of a run of white space that no other alternative takes.
    private static int WhiteSpace(ReadOnlySpan<byte> text, int start, out int reach)
    {
        int position = start;
        int lastCharacter = start;
        int afterNewline = 0;
        while (position < text.Length)
        {
            CodePointClass kind = ClassAt(text, position, out int length);
            if (kind != CodePointClass.WhiteSpace)
                break;
            lastCharacter = position;
            if (text[position] is (byte)'\r' or (byte)'\n')
                afterNewline = position + 1;
            position += length;
        }

        reach = position;
        if (afterNewline > 0)
            return afterNewline;
        return position == text.Length || lastCharacter == start ? position : lastCharacter;
    }

    /// <summary>Bytes after the apostrophe that belong to <c>'s 't 're 've 'm 'll 'd</c> in any case; 0 for none.</summary>
    private static int Contraction(ReadOnlySpan<byte> text, int position, out int reach)
    {
        reach = position;
        if (position >= text.Length)
            return 0;
        switch (text[position] | 0x20)
        {
            case 's' or 't' or 'm' or 'd':
                return 1;
            case 'r' or 'v':
                return Follows((byte)'e', text, position, out reach);
            case 'l':
                return Follows((byte)'l', text, position, out reach);
        }

        // U+017F, the long s, folds to s. It is the only one beyond ASCII that folds into a contraction.
        return text[position] == 0xC5 && text[position + 1] == 0xBF ? 2 : 0;
    }

    private static int Follows(byte letter, ReadOnlySpan<byte> text, int position, out int reach)
    {
        reach = position + 1;
        return position + 1 < text.Length && (text[position + 1] | 0x20) == letter ? 2 : 0;
    }

    private static int SkipLetters(ReadOnlySpan<byte> text, int position)
    {
        while (position < text.Length)
        {
            if (ClassAt(text, position, out int length) != CodePointClass.Letter)
                break;
            position += length;
        }

        return position;
    }

    private static int SkipNumbers(ReadOnlySpan<byte> text, int position, out int reach)
    {
        for (int count = 1; count < 3; count++)
        {
            if (position >= text.Length || ClassAt(text, position, out int length) != CodePointClass.Number)
            {
                reach = position;
                return position;
            }

            position += length;
        }

        reach = position - 1;
        return position;
    }

    private static int SkipOthers(ReadOnlySpan<byte> text, int position)
    {
        while (position < text.Length)
        {
            if (ClassAt(text, position, out int length) != CodePointClass.Other)
                break;
            position += length;
        }

        return position;
    }

    private static int SkipNewlines(ReadOnlySpan<byte> text, int position)
    {
        while (position < text.Length && text[position] is (byte)'\r' or (byte)'\n')
            position++;
        return position;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static CodePointClass ClassAt(ReadOnlySpan<byte> text, int position, out int length)
    {
        byte kind = ClassOfByte[text[position]];
        if (kind != MultiByte)
        {
            length = 1;
            return (CodePointClass)kind;
        }

        return UnicodeClasses.Of(Decode(text, position, out length));
    }

    private static byte[] BuildClassTable()
    {
        byte[] table = new byte[256];
        for (int b = 0; b < table.Length; b++)
            table[b] = b < 0x80 ? (byte)UnicodeClasses.Of(b) : MultiByte;
        return table;
    }
}
