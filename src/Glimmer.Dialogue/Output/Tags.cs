using System.Buffers;

namespace Glimmer.Dialogue.Output;

/// <summary>A set of tags to look for in text that arrives in pieces.</summary>
internal sealed class Tags
{
    private readonly string[] _tags;
    private readonly SearchValues<string> _search;
    private readonly int _longest;

    /// <summary>A set of tags, each beginning with <c>&lt;</c>, none a prefix of another.</summary>
    public Tags(params string[] tags)
    {
        _tags = tags;
        _search = SearchValues.Create(tags, StringComparison.Ordinal);
        _longest = tags.Length == 0 ? 0 : tags.Max(tag => tag.Length);
    }

    /// <summary>
    /// Finds the first tag. Without one, <paramref name="index"/> is where a tag may have begun that is not complete yet:
    /// the length of the text, or less by the length of its longest ending that begins a tag.
    /// </summary>
    public bool TryFind(ReadOnlySpan<char> text, out int index, out string tag)
    {
        index = _tags.Length == 0 ? -1 : text.IndexOfAny(_search);
        tag = "";
        if (index >= 0)
        {
            foreach (string candidate in _tags)
            {
                if (text[index..].StartsWith(candidate, StringComparison.Ordinal))
                    tag = candidate;
            }

            return true;
        }

        index = text.Length - Partial(text);
        return false;
    }

    private int Partial(ReadOnlySpan<char> text)
    {
        int from = Math.Max(0, text.Length - _longest + 1);
        while (from < text.Length)
        {
            int open = text[from..].IndexOf('<');
            if (open < 0)
                return 0;
            ReadOnlySpan<char> ending = text[(from + open)..];
            foreach (string tag in _tags)
            {
                if (tag.Length > ending.Length && tag.AsSpan().StartsWith(ending, StringComparison.Ordinal))
                    return ending.Length;
            }

            from += open + 1;
        }

        return 0;
    }
}
