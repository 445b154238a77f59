using System.Text.Json.Nodes;

namespace Glimmer.Cli.Configuring;

/// <summary>Qwen Code: a list of models and how it signs in.</summary>
internal static class QwenTool
{
    /// <summary>The tool.</summary>
    public static ConfiguredTool Create() => new("qwen", "Qwen Code", ".qwen/settings.json", "/v1", Settings);

    private static string Settings(string text, ToolSettings settings)
    {
        const string Variable = "GLIMMER_API_KEY";
        JsonArray models = ConfiguredTool.OthersOf(text, ["modelProviders", "openai"], "name");
        foreach (string code in ConfiguredTool.Codes(settings))
        {
            models.Add(new JsonObject
            {
                ["id"] = code,
                ["name"] = code.ToUpperInvariant() + ConfiguredTool.Mark,
                ["baseUrl"] = settings.Address + "/v1",
                ["envKey"] = Variable,
                ["generationConfig"] = new JsonObject { ["contextWindowSize"] = ConfiguredTool.Context },
            });
        }

        text = JsoncEdit.Set(text, ["modelProviders", "openai"], models);
        text = JsoncEdit.Set(text, ["env", Variable], settings.Key);
        text = JsoncEdit.Set(text, ["security", "auth", "selectedType"], "openai");
        return JsoncEdit.Set(text, ["model", "name"], settings.Model);
    }
}
