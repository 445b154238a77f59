namespace Glimmer.Cli.Configuring;

/// <summary>Gemini CLI: how it signs in and which model it uses stand in its settings, address and key in a file of variables beside them.</summary>
internal static class GeminiTool
{
    /// <summary>The tool.</summary>
    public static ConfiguredTool Create() => new("gemini", "Gemini CLI", ".gemini/settings.json", "/v1beta", Settings)
    {
        OtherNames = ["gemini-cli"],
        Beside = [new ToolPart(".gemini/.env", Variables)],
        Next = static (_, _) => "It reads these variables in folders that it trusts, and in a folder with a .env of its own it reads that one instead: export GOOGLE_GEMINI_BASE_URL and GEMINI_API_KEY there.",
    };

    private static string Settings(string text, ToolSettings settings)
    {
        text = JsoncEdit.Set(text, ["security", "auth", "selectedType"], "gemini-api-key");
        text = JsoncEdit.Set(text, ["model", "name"], settings.Model);
        return JsoncEdit.Set(text, ["privacy", "usageStatisticsEnabled"], false);
    }

    private static string Variables(string text, ToolSettings settings)
    {
        text = EnvEdit.Set(text, "GOOGLE_GEMINI_BASE_URL", settings.Address);
        return EnvEdit.Set(text, "GEMINI_API_KEY", settings.Key);
    }
}
