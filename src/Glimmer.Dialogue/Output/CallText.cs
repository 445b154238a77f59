using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Output;

/// <summary>Small readings of the text of a call.</summary>
internal static class CallText
{
    /// <summary>The first line that is not empty, trimmed, and what follows it.</summary>
    public static string FirstLine(string text, out string rest)
    {
        text = text.TrimStart();
        int end = text.IndexOf('\n', StringComparison.Ordinal);
        rest = end < 0 ? "" : text[(end + 1)..];
        return (end < 0 ? text : text[..end]).Trim();
    }

    /// <summary>Takes white space off both ends, and the two characters <c>\n</c> that some outputs write for a line break.</summary>
    public static string TrimGap(string text)
    {
        ReadOnlySpan<char> gap = text;
        for (int length = -1; length != gap.Length;)
        {
            length = gap.Length;
            gap = gap.Trim();
            if (gap.StartsWith("\\n", StringComparison.Ordinal))
                gap = gap[2..];
            if (gap.EndsWith("\\n", StringComparison.Ordinal))
                gap = gap[..^2];
        }

        return gap.Length == text.Length ? text : gap.ToString();
    }

    /// <summary>Reads <c>{"name": …, "arguments": …}</c> (or <c>"parameters"</c>); arguments may be an object or its text.</summary>
    public static bool TryReadJsonCall(string text, [NotNullWhen(true)] out string? name, [NotNullWhen(true)] out string? arguments)
    {
        name = arguments = null;
        if (!text.StartsWith('{') || !JsonValue.TryGetType(text, out _))
            return false;
        using JsonDocument document = JsonDocument.Parse(Encoding.UTF8.GetBytes(text), new JsonDocumentOptions { MaxDepth = 512 });
        JsonElement call = document.RootElement;
        if (!JsonText.TryGet(call, "name", out JsonElement named) || named.ValueKind != JsonValueKind.String)
            return false;
        if (!JsonText.TryGet(call, "arguments", out JsonElement given) && !JsonText.TryGet(call, "parameters", out given))
            arguments = "{}";
        else if (given.ValueKind == JsonValueKind.Object)
            arguments = given.GetRawText();
        else if (given.ValueKind == JsonValueKind.String && JsonText.StringOf(given).Trim() is var inner &&
                 JsonValue.TryGetType(inner, out JsonTypes type) && type == JsonTypes.Object)
            arguments = inner;
        name = JsonText.StringOf(named).Trim();
        return name.Length > 0 && arguments is not null;
    }
}
