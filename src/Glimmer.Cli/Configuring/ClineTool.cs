using System.Text.Json.Nodes;

namespace Glimmer.Cli.Configuring;

/// <summary>Cline: its command line's settings of providers.</summary>
internal static class ClineTool
{
    /// <summary>The tool.</summary>
    public static ConfiguredTool Create() => new("cline", "Cline", ".cline/data/settings/providers.json", "/v1", Settings)
    {
        Next = static (_, settings) => $"This is for its command line. In the editor: the gear, API Configuration, provider OpenAI Compatible, base URL {settings.Address}/v1, your key, model {settings.Model}, context window 200000, images off.",
    };

    /// <summary>Cline writes this file anew after each run, in an order of its own: each member is set by itself.</summary>
    private static string Settings(string text, ToolSettings settings)
    {
        const string Provider = "openai-compatible";
        if (JsoncEdit.Get(text, ["version"]) is { } version && version.ToJsonString() != "1")
            throw new FormatException($"its version is {version.ToJsonString()}, and only 1 is known");
        text = JsoncEdit.Set(text, ["version"], 1);
        text = JsoncEdit.Set(text, ["lastUsedProvider"], Provider);
        (string Name, JsonNode Value)[] members =
        [
            ("provider", Provider),
            ("apiKey", settings.Key),
            ("model", settings.Model),
            ("baseUrl", settings.Address + "/v1"),
            ("contextWindow", ConfiguredTool.Context),
            ("maxTokens", ConfiguredTool.MaxOutput),
        ];
        text = members.Aggregate(text, (so, member) => JsoncEdit.Set(so, ["providers", Provider, "settings", member.Name], member.Value));

        // Without a date Cline takes the whole file for broken; it puts in its own when it next writes.
        string[] date = ["providers", Provider, "updatedAt"];
        return JsoncEdit.Get(text, date) is null ? JsoncEdit.Set(text, date, "1970-01-01T00:00:00.000Z") : text;
    }
}
