namespace Glimmer.Platform.Ledger;

/// <summary>Text from outside as both databases can store it: bounded, without NUL and halves of surrogate pairs.</summary>
internal static class StoredText
{
    public const int IdLength = 128;
    public const int MemoLength = 500;

    public static string Of(string? text, int most)
    {
        if (string.IsNullOrEmpty(text))
            return "";
        if (text.Length <= most && IsPlain(text))
            return text;
        Span<char> kept = text.Length <= most ? text.ToCharArray() : text.AsSpan(0, most).ToArray();
        for (int i = 0; i < kept.Length; i++)
        {
            if (char.IsHighSurrogate(kept[i]) && i + 1 < kept.Length && char.IsLowSurrogate(kept[i + 1]))
                i++;
            else if (kept[i] == '\0' || char.IsSurrogate(kept[i]))
                kept[i] = '\uFFFD';
        }

        return new string(kept);
    }

    private static bool IsPlain(string text) => text.AsSpan().IndexOfAnyInRange('\uD800', '\uDFFF') < 0 && !text.Contains('\0', StringComparison.Ordinal);
}
