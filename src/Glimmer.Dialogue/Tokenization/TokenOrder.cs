using System.Text;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>Puts tokens that a file lists in any order into order of id.</summary>
internal static class TokenOrder
{
    // A file of a few lines must not make a table of millions of empty places.
    private const int GapFactor = 4;
    private const int GapSlack = 4096;

    /// <summary>The tokens by id; ids that the file leaves out are empty.</summary>
    /// <exception cref="TokenizerFileException">An id comes twice or is far beyond the number of tokens.</exception>
    public static Utf8StringList ById(Utf8StringList tokens, List<int> ids, string source)
    {
        long limit = (long)tokens.Count * GapFactor + GapSlack;
        int size = 0;
        for (int i = 0; i < ids.Count; i++)
        {
            if (ids[i] < 0 || ids[i] >= limit)
                throw new TokenizerFileException(source, $"the token '{Show(tokens[i])}' has the id {ids[i]}; with {tokens.Count} tokens it must be from 0 to {limit - 1}.");
            size = Math.Max(size, ids[i] + 1);
        }

        int[] places = new int[size];
        for (int i = 0; i < ids.Count; i++)
        {
            ref int place = ref places[ids[i]];
            if (place != 0)
                throw new TokenizerFileException(source, $"the tokens '{Show(tokens[place - 1])}' and '{Show(tokens[i])}' have the same id {ids[i]}.");
            place = i + 1;
        }

        var ordered = new Utf8StringList(size);
        foreach (int place in places)
            ordered.Add(place == 0 ? [] : tokens[place - 1]);
        return ordered;
    }

    private static string Show(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes.Length > 80 ? bytes[..80] : bytes);
}
