using System.Text.Json.Nodes;

namespace Glimmer.Cli.Configuring;

/// <summary>pi: its list of providers.</summary>
internal static class PiTool
{
    /// <summary>The tool.</summary>
    public static ConfiguredTool Create() => new("pi", "pi", ".pi/agent/models.json", "/api/paas/v4", Settings)
    {
        Next = static (_, settings) => $"Start it with pi --model glimmer/{settings.Model}, or choose the model with /model.",
    };

    private static string Settings(string text, ToolSettings settings)
    {
        JsonArray models = [.. ConfiguredTool.Codes(settings).Select(code => (JsonNode)new JsonObject { ["id"] = code, ["name"] = code.ToUpperInvariant() + ConfiguredTool.Mark, ["reasoning"] = true, ["contextWindow"] = ConfiguredTool.Context, ["maxTokens"] = ConfiguredTool.MaxOutput })];
        JsonObject provider = new()
        {
            ["baseUrl"] = settings.Address + "/api/paas/v4",
            ["api"] = "openai-completions",
            ["apiKey"] = settings.Key,
            ["compat"] = new JsonObject { ["thinkingFormat"] = "zai", ["supportsDeveloperRole"] = false, ["supportsStore"] = false },
            ["models"] = models,
        };
        return JsoncEdit.Set(text, ["providers", "glimmer"], provider);
    }
}
