using System.Text.Json.Nodes;

namespace Glimmer.Cli.Configuring;

/// <summary>Grok CLI: the settings of its user.</summary>
internal static class GrokTool
{
    /// <summary>The tool.</summary>
    public static ConfiguredTool Create() => new("grok", "Grok CLI", ".grok/user-settings.json", "/v1", Settings)
    {
        Next = static (_, settings) => $"Start it with grok --model {settings.Model}: it writes a model of its own into each folder's .grok/settings.json, which otherwise wins.",
    };

    private static string Settings(string text, ToolSettings settings)
    {
        text = JsoncEdit.Set(text, ["baseURL"], settings.Address + "/v1");
        text = JsoncEdit.Set(text, ["apiKey"], settings.Key);
        text = JsoncEdit.Set(text, ["defaultModel"], settings.Model);
        JsonNode? known = JsoncEdit.Get(text, ["models"]);
        if (known is not (null or JsonArray))
            throw new FormatException("its member models is no list");
        string[] codes = [.. ConfiguredTool.Codes(settings)];
        IEnumerable<JsonNode?> others = (known as JsonArray ?? []).Where(model => !codes.Contains(model?.ToString())).Select(model => model?.DeepClone());
        text = JsoncEdit.Set(text, ["models"], new JsonArray([.. codes.Select(code => (JsonNode)code), .. others]));

        // A file without a version is changed by the tool, which puts its own models first.
        return JsoncEdit.Get(text, ["settingsVersion"]) is null ? JsoncEdit.Set(text, ["settingsVersion"], 2) : text;
    }
}
