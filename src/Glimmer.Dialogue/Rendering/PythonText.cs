namespace Glimmer.Dialogue.Rendering;

/// <summary>
/// The string operations that the published chat templates take from Python. They differ from .NET's in the set of
/// characters that count as white space: Python adds U+001C to U+001F.
/// </summary>
internal static class PythonText
{
    /// <summary>Whether Python's <c>str.strip()</c> removes this character.</summary>
    public static bool IsSpace(char c) => c is >= '\u001c' and <= '\u001f' || char.IsWhiteSpace(c);

    /// <summary><c>str.strip()</c>.</summary>
    public static ReadOnlyMemory<char> Strip(ReadOnlyMemory<char> text) => StripEnd(StripStart(text));

    /// <summary><c>str.lstrip()</c>.</summary>
    public static ReadOnlyMemory<char> StripStart(ReadOnlyMemory<char> text)
    {
        ReadOnlySpan<char> span = text.Span;
        int start = 0;
        while (start < span.Length && IsSpace(span[start]))
            start++;
        return text[start..];
    }

    /// <summary><c>str.rstrip()</c>.</summary>
    public static ReadOnlyMemory<char> StripEnd(ReadOnlyMemory<char> text)
    {
        ReadOnlySpan<char> span = text.Span;
        int end = span.Length;
        while (end > 0 && IsSpace(span[end - 1]))
            end--;
        return text[..end];
    }

    /// <summary><c>str.lstrip('\n')</c>.</summary>
    public static ReadOnlyMemory<char> StripLinesStart(ReadOnlyMemory<char> text) => text.TrimStart('\n');

    /// <summary><c>str.rstrip('\n')</c>.</summary>
    public static ReadOnlyMemory<char> StripLinesEnd(ReadOnlyMemory<char> text) => text.TrimEnd('\n');

    /// <summary><c>text.split(separator)[0]</c>.</summary>
    public static ReadOnlyMemory<char> BeforeFirst(ReadOnlyMemory<char> text, string separator)
    {
        int at = text.Span.IndexOf(separator, StringComparison.Ordinal);
        return at < 0 ? text : text[..at];
    }

    /// <summary><c>text.split(separator)[-1]</c>.</summary>
    public static ReadOnlyMemory<char> AfterLast(ReadOnlyMemory<char> text, string separator)
    {
        int at = text.Span.LastIndexOf(separator, StringComparison.Ordinal);
        return at < 0 ? text : text[(at + separator.Length)..];
    }
}
