using System.Text.Json.Nodes;

namespace Glimmer.Cli.Configuring;

/// <summary>What a tool is told.</summary>
/// <param name="Address">The server, without a slash at its end.</param>
/// <param name="Key">The API key.</param>
/// <param name="Model">Code of the model for the work.</param>
/// <param name="SmallModel">Code of the model for small things, such as titles.</param>
internal sealed record ToolSettings(string Address, string Key, string Model, string SmallModel);

/// <summary>A coding tool whose configuration file is known.</summary>
/// <param name="Name">Its name as an argument.</param>
/// <param name="Title">Its own name.</param>
/// <param name="File">The file, below the home folder.</param>
/// <param name="Base">Base it will use, for the list.</param>
/// <param name="Apply">The file's new text. Throws <see cref="FormatException"/> when the old one cannot be edited.</param>
internal sealed record ConfiguredTool(string Name, string Title, string File, string Base, Func<string, ToolSettings, string> Apply)
{
    private const int Context = 200_000;
    private const int MaxOutput = 131_072;

    /// <summary>All tools.</summary>
    public static IReadOnlyList<ConfiguredTool> All { get; } =
    [
        new("claude-code", "Claude Code", ".claude/settings.json", "/api/anthropic", ClaudeCode),
        new("opencode", "OpenCode", ".config/opencode/opencode.json", "/api/paas/v4", OpenCode),
        new("codex", "Codex", ".codex/config.toml", "/v1", Codex),
        new("crush", "Crush", ".config/crush/crush.json", "/api/paas/v4", Crush),
        new("droid", "Factory Droid", ".factory/settings.json", "/api/anthropic", Droid),
    ];

    /// <summary>The tool of a name; null for none.</summary>
    public static ConfiguredTool? Find(string name) => All.FirstOrDefault(tool => tool.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static string ClaudeCode(string text, ToolSettings settings)
    {
        (string Name, string Value)[] variables =
        [
            ("ANTHROPIC_BASE_URL", settings.Address + "/api/anthropic"),
            ("ANTHROPIC_AUTH_TOKEN", settings.Key),
            ("ANTHROPIC_DEFAULT_OPUS_MODEL", settings.Model),
            ("ANTHROPIC_DEFAULT_SONNET_MODEL", settings.Model),
            ("ANTHROPIC_DEFAULT_HAIKU_MODEL", settings.SmallModel),
            ("API_TIMEOUT_MS", "3000000"),
            ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
        ];
        return variables.Aggregate(text, (so, variable) => JsoncEdit.Set(so, ["env", variable.Name], variable.Value));
    }

    private static string OpenCode(string text, ToolSettings settings)
    {
        JsonObject provider = new()
        {
            ["npm"] = "@ai-sdk/openai-compatible",
            ["name"] = "Glimmer",
            ["options"] = new JsonObject { ["baseURL"] = settings.Address + "/api/paas/v4", ["apiKey"] = settings.Key },
            ["models"] = Models(settings, _ => new JsonObject { ["limit"] = new JsonObject { ["context"] = Context, ["output"] = MaxOutput } }),
        };
        if (JsoncEdit.Get(text, ["$schema"]) is null)
            text = JsoncEdit.Set(text, ["$schema"], "https://opencode.ai/config.json");
        text = JsoncEdit.Set(text, ["provider", "glimmer"], provider);
        text = JsoncEdit.Set(text, ["model"], "glimmer/" + settings.Model);
        return JsoncEdit.Set(text, ["small_model"], "glimmer/" + settings.SmallModel);
    }

    private static string Codex(string text, ToolSettings settings)
    {
        const string Table = "model_providers.glimmer";
        text = TomlEdit.Set(text, "", "model", settings.Model);
        text = TomlEdit.Set(text, "", "model_provider", "glimmer");
        text = TomlEdit.Set(text, Table, "name", "Glimmer");
        text = TomlEdit.Set(text, Table, "base_url", settings.Address + "/v1");
        text = TomlEdit.Set(text, Table, "wire_api", "responses");
        return TomlEdit.Set(text, Table, "experimental_bearer_token", settings.Key);
    }

    private static string Crush(string text, ToolSettings settings)
    {
        JsonArray models = [.. Codes(settings).Select(code => (JsonNode)new JsonObject { ["id"] = code, ["name"] = code.ToUpperInvariant(), ["context_window"] = Context, ["default_max_tokens"] = MaxOutput })];
        JsonObject provider = new()
        {
            ["name"] = "Glimmer",
            ["type"] = "openai-compat",
            ["base_url"] = settings.Address + "/api/paas/v4",
            ["api_key"] = settings.Key,
            ["models"] = models,
        };
        text = JsoncEdit.Set(text, ["providers", "glimmer"], provider);
        text = JsoncEdit.Set(text, ["models", "large"], new JsonObject { ["model"] = settings.Model, ["provider"] = "glimmer" });
        return JsoncEdit.Set(text, ["models", "small"], new JsonObject { ["model"] = settings.SmallModel, ["provider"] = "glimmer" });
    }

    private static string Droid(string text, ToolSettings settings)
    {
        // A list without names: ours are those whose display name says so.
        JsonNode? known = JsoncEdit.Get(text, ["customModels"]);
        if (known is not (null or JsonArray))
            throw new FormatException("its member customModels is no list");
        const string Mark = " (Glimmer)";
        JsonArray models = [.. (known as JsonArray ?? []).Where(model => (model as JsonObject)?["displayName"]?.ToString().EndsWith(Mark, StringComparison.Ordinal) != true).Select(model => model?.DeepClone())];
        foreach (string code in Codes(settings))
        {
            models.Add(new JsonObject
            {
                ["model"] = code,
                ["displayName"] = code.ToUpperInvariant() + Mark,
                ["baseUrl"] = settings.Address + "/api/anthropic",
                ["apiKey"] = settings.Key,
                ["provider"] = "anthropic",
                ["maxOutputTokens"] = MaxOutput,
            });
        }

        return JsoncEdit.Set(text, ["customModels"], models);
    }

    private static IEnumerable<string> Codes(ToolSettings settings) => new[] { settings.Model, settings.SmallModel }.Distinct(StringComparer.Ordinal);

    private static JsonObject Models(ToolSettings settings, Func<string, JsonNode> describe)
    {
        JsonObject models = [];
        foreach (string code in Codes(settings))
            models[code] = describe(code);
        return models;
    }
}
