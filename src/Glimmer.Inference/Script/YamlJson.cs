using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Glimmer.Inference.Script;

/// <summary>YAML values as JSON, by YAML's core schema: plain words that are numbers, booleans or null become those; quoted ones stay texts.</summary>
internal static class YamlJson
{
    private const int MaxDepth = 64;

    // Aliases can make a small file stand for a huge value.
    private const int MaxNodes = 100_000;

    /// <summary>Converts a node.</summary>
    /// <exception cref="FormatException">It is nested too deeply, too large, or a key is no text.</exception>
    public static JsonElement Read(YamlNode node)
    {
        int nodes = 0;
        return JsonSerializer.SerializeToElement(Convert(node, 0, ref nodes));
    }

    private static JsonNode? Convert(YamlNode node, int depth, ref int nodes)
    {
        if (++nodes > MaxNodes)
            throw new FormatException($"it has more than {MaxNodes} values.");
        if (depth > MaxDepth)
            throw new FormatException($"it is nested deeper than {MaxDepth} levels.");
        switch (node)
        {
            case YamlMappingNode map:
                JsonObject members = [];
                foreach ((YamlNode key, YamlNode value) in map.Children)
                    members.Add((key as YamlScalarNode)?.Value ?? throw new FormatException("a key must be a text."), Convert(value, depth + 1, ref nodes));
                return members;
            case YamlSequenceNode list:
                JsonArray items = [];
                foreach (YamlNode item in list.Children)
                    items.Add(Convert(item, depth + 1, ref nodes));
                return items;
            case YamlScalarNode { Style: ScalarStyle.Plain } plain:
                return Plain(plain.Value ?? "");
            default:
                return (node as YamlScalarNode)?.Value;
        }
    }

    private static JsonNode? Plain(string text) => text switch
    {
        "" or "~" or "null" => null,
        "true" => true,
        "false" => false,
        _ when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long whole) => whole,
        _ when double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && double.IsFinite(number) && char.IsAsciiDigit(text.TrimStart('-', '+', '.')[0]) => number,
        _ => text,
    };
}
