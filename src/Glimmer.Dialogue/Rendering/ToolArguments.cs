using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;

namespace Glimmer.Dialogue.Rendering;

/// <summary>Reads the arguments of a call in the history.</summary>
internal static class ToolArguments
{
    /// <summary>Deepest nesting accepted.</summary>
    public const int MaxDepth = 128;

    private static readonly JsonElement Empty = JsonDocument.Parse("{}").RootElement;

    /// <summary>The object that the text holds; an empty text is an object without properties.</summary>
    public static bool TryParse(string text, out JsonElement arguments, [NotNullWhen(false)] out string? problem)
    {
        problem = null;
        arguments = Empty;
        if (string.IsNullOrWhiteSpace(text))
            return true;
        try
        {
            using JsonDocument document = JsonDocument.Parse(
                Encoding.UTF8.GetBytes(text), new JsonDocumentOptions { MaxDepth = MaxDepth });
            arguments = document.RootElement.Clone();
        }
        catch (JsonException fault)
        {
            problem = $"must be the JSON text of an object, e.g. {{\"city\": \"Beijing\"}}; it does not parse ({Place(fault)})";
            return false;
        }

        if (arguments.ValueKind == JsonValueKind.Object)
            return true;
        problem = $"must be the JSON text of an object, e.g. {{\"city\": \"Beijing\"}}; it is a JSON {arguments.ValueKind.ToString().ToLowerInvariant()}";
        return false;
    }

    private static string Place(JsonException fault) =>
        fault.Message.Contains("depth", StringComparison.Ordinal)
            ? $"nested deeper than {MaxDepth} levels"
            : $"line {fault.LineNumber + 1}, byte {fault.BytePositionInLine + 1}";
}
