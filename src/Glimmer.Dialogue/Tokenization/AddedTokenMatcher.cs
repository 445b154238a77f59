using System.Buffers;
using System.Globalization;
using System.Text;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// Finds added tokens in a text: leftmost, longest, without overlap. White space that a token swallows can still hold another token,
/// which then is reported although its text was taken already: so does the reference.
/// </summary>
internal sealed class AddedTokenMatcher
{
    /// <summary>Longest spelling of an added token, in UTF-16 units.</summary>
    public const int MaxLength = 1024;

    private const string WhiteSpace =
        "\t\n\v\f\r \u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000";

    // A trie over UTF-16 units: (node, unit) → node. Node 0 is the root; End[node] is the token that ends there or −1.
    private readonly Dictionary<long, int> _edges = [];
    private readonly List<int> _ends = [-1];
    private readonly AddedToken[] _tokens;
    private readonly SearchValues<char> _firsts;

    /// <summary>A matcher of these tokens.</summary>
    public AddedTokenMatcher(AddedToken[] tokens)
    {
        _tokens = tokens;
        var firsts = new HashSet<char>();
        for (int i = 0; i < _tokens.Length; i++)
        {
            firsts.Add(_tokens[i].Content[0]);
            int node = 0;
            foreach (char unit in _tokens[i].Content)
            {
                if (!_edges.TryGetValue(Edge(node, unit), out int child))
                {
                    child = _ends.Count;
                    _ends.Add(-1);
                    _edges.Add(Edge(node, unit), child);
                }

                node = child;
            }

            _ends[node] = i;
        }

        _firsts = SearchValues.Create([.. firsts]);
    }

    /// <summary>Whether there is nothing to find.</summary>
    public bool IsEmpty => _tokens.Length == 0;

    /// <summary>Finds the next token.</summary>
    /// <param name="text">The whole text: what stands around a match can matter.</param>
    /// <param name="cursor">Where the search stands; a new one for a new text.</param>
    /// <param name="start">Where the match begins, white space that it swallows included.</param>
    /// <returns>The token, or null when there is none. The match ends at the cursor's <see cref="Cursor.Taken"/>.</returns>
    public AddedToken? Next(ReadOnlySpan<char> text, ref Cursor cursor, out int start)
    {
        while (cursor.Search < text.Length)
        {
            int offset = text[cursor.Search..].IndexOfAny(_firsts);
            if (offset < 0)
                break;
            start = cursor.Search + offset;
            AddedToken? token = LongestAt(text[start..]);
            if (token is null)
            {
                cursor.Search = start + 1;
                continue;
            }

            int end = cursor.Search = start + token.Content.Length;
            if (token.SingleWord && (EndsWithWord(text[..start]) || StartsWithWord(text[end..])))
                continue;
            if (token.StripLeft)
                start = cursor.Taken >= start ? cursor.Taken : cursor.Taken + text[cursor.Taken..start].TrimEnd(WhiteSpace).Length;
            if (token.StripRight)
            {
                // A run of white space may hold many matches; it is measured once.
                if (end >= cursor.WhiteSpaceEnd)
                    cursor.WhiteSpaceEnd = text.Length - text[end..].TrimStart(WhiteSpace).Length;
                end = cursor.WhiteSpaceEnd;
            }

            cursor.Taken = end;
            return token;
        }

        start = cursor.Search = text.Length;
        return null;
    }

    private AddedToken? LongestAt(ReadOnlySpan<char> text)
    {
        int node = 0;
        int longest = -1;
        foreach (char unit in text)
        {
            if (!_edges.TryGetValue(Edge(node, unit), out node))
                break;
            if (_ends[node] >= 0)
                longest = _ends[node];
        }

        return longest < 0 ? null : _tokens[longest];
    }

    private static long Edge(int node, char unit) => ((long)node << 16) | unit;

    private static bool EndsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeLastFromUtf16(text, out Rune rune, out _) == OperationStatus.Done && IsWord(rune);

    private static bool StartsWithWord(ReadOnlySpan<char> text) =>
        Rune.DecodeFromUtf16(text, out Rune rune, out _) == OperationStatus.Done && IsWord(rune);

    /// <summary><c>\w</c> of Unicode Technical Standard 18: alphabetic, marks, decimal numbers, connectors, joiners.</summary>
    private static bool IsWord(Rune rune)
    {
        if (UnicodeClasses.Of(rune.Value) == CodePointClass.Letter)
            return true;
        return Rune.GetUnicodeCategory(rune) switch
        {
            UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark
                or UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.ConnectorPunctuation => true,
            // Join controls, and the circled and squared letters, which are alphabetic symbols.
            _ => rune.Value is 0x200C or 0x200D or (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149)
                or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189),
        };
    }

    /// <summary>Where a search stands.</summary>
    public struct Cursor
    {
        /// <summary>Where the search goes on.</summary>
        public int Search;

        /// <summary>Up to where the text is used up: no token swallows white space before it.</summary>
        public int Taken;

        /// <summary>End of the white space that was measured last.</summary>
        public int WhiteSpaceEnd;
    }
}
