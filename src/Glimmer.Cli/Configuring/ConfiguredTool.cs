using System.Text.Json.Nodes;

namespace Glimmer.Cli.Configuring;

/// <summary>What a tool is told.</summary>
/// <param name="Address">The server, without a slash at its end.</param>
/// <param name="Key">The API key.</param>
/// <param name="Model">Code of the model for the work.</param>
/// <param name="SmallModel">Code of the model for small things, such as titles.</param>
internal sealed record ToolSettings(string Address, string Key, string Model, string SmallModel);

/// <summary>A further configuration file of a tool.</summary>
/// <param name="File">The file, below the home folder.</param>
/// <param name="Apply">Its new text. Throws <see cref="FormatException"/> when the old one cannot be edited.</param>
internal sealed record ToolPart(string File, Func<string, ToolSettings, string> Apply);

/// <summary>A coding tool whose configuration file is known.</summary>
/// <param name="Name">Its name as an argument.</param>
/// <param name="Title">Its own name.</param>
/// <param name="File">The file, below the home folder.</param>
/// <param name="Base">Base it will use, for the list.</param>
/// <param name="Apply">The file's new text. Throws <see cref="FormatException"/> when the old one cannot be edited.</param>
internal sealed record ConfiguredTool(string Name, string Title, string File, string Base, Func<string, ToolSettings, string> Apply)
{
    /// <summary>Another name that the file may have, which is edited where it is there and the first is not; null for none.</summary>
    public string? OtherFile { get; init; }

    /// <summary>Other names as an argument.</summary>
    public IReadOnlyList<string> OtherNames { get; init; } = [];

    /// <summary>Further files that the tool reads, written with the first.</summary>
    public IReadOnlyList<ToolPart> Beside { get; init; } = [];

    /// <summary>All files to edit, each with its edit.</summary>
    /// <param name="home">Home folder.</param>
    public IEnumerable<(string Path, Func<string, ToolSettings, string> Apply)> FilesIn(string home) =>
        Beside.Select(part => (Path.Combine(home, part.File), part.Apply)).Prepend((FileIn(home), Apply));

    /// <summary>What is left to do by hand when the file is written; null for nothing.</summary>
    public Func<string, ToolSettings, string>? Next { get; init; }

    /// <summary>The file to edit.</summary>
    /// <param name="home">Home folder.</param>
    public string FileIn(string home)
    {
        string first = Path.Combine(home, File);
        return OtherFile is { } other && !System.IO.File.Exists(first) && System.IO.File.Exists(Path.Combine(home, other)) ? Path.Combine(home, other) : first;
    }

    /// <summary>Tokens that a conversation may hold, for tools that want to know.</summary>
    internal const int Context = 200_000;

    /// <summary>Tokens that an answer may have, for tools that want to know.</summary>
    internal const int MaxOutput = 131_072;

    /// <summary>End of the title by which our entries are known in lists that have no names.</summary>
    internal const string Mark = " (Glimmer)";

    /// <summary>All tools.</summary>
    public static IReadOnlyList<ConfiguredTool> All { get; } =
    [
        new("claude-code", "Claude Code", ".claude/settings.json", "/api/anthropic", ClaudeCode),
        new("opencode", "OpenCode", ".config/opencode/opencode.json", "/api/paas/v4", OpenCode) { OtherFile = ".config/opencode/opencode.jsonc" },
        new("codex", "Codex", ".codex/config.toml", "/v1", Codex),
        new("crush", "Crush", ".config/crush/crush.json", "/api/paas/v4", Crush),
        new("droid", "Factory Droid", ".factory/settings.json", "/api/anthropic", Droid),
        GeminiTool.Create(),
        new("kilo", "Kilo Code", ".config/kilo/kilo.json", "/api/paas/v4", Kilo) { OtherFile = ".config/kilo/kilo.jsonc" },
        new("goose", "Goose", ".config/goose/custom_providers/glimmer.json", "/v1", Goose)
        {
            Next = static (_, settings) => $"Start it with GOOSE_PROVIDER=glimmer GOOSE_MODEL={settings.Model} goose, or choose the provider Glimmer in goose configure. The Windows program reads %APPDATA%\\Block\\goose\\config instead: copy the file there.",
        },
        new("roo", "Roo Code", ".config/glimmer/roo-code.json", "/v1", Roo)
        {
            Next = static (file, _) => $"Roo Code keeps its settings inside the editor and reads this file when it is told to: set \"roo-cline.autoImportSettingsPath\": \"{file.Replace('\\', '/')}\" in the editor's settings.json and reload the window, or import it once (Roo Code: Settings, About, Import).",
        },
        ClineTool.Create(),
        QwenTool.Create(),
        PiTool.Create(),
        GrokTool.Create(),
    ];

    /// <summary>The tool of a name; null for none.</summary>
    public static ConfiguredTool? Find(string name) => All.FirstOrDefault(tool => tool.OtherNames.Prepend(tool.Name).Contains(name, StringComparer.OrdinalIgnoreCase));

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
        if (JsoncEdit.Get(text, ["$schema"]) is null)
            text = JsoncEdit.Set(text, ["$schema"], "https://opencode.ai/config.json");
        return Kilo(text, settings);
    }

    /// <summary>Kilo Code has grown from OpenCode and reads the same members.</summary>
    private static string Kilo(string text, ToolSettings settings)
    {
        JsonObject provider = new()
        {
            ["npm"] = "@ai-sdk/openai-compatible",
            ["name"] = "Glimmer",
            ["options"] = new JsonObject { ["baseURL"] = settings.Address + "/api/paas/v4", ["apiKey"] = settings.Key },
            ["models"] = Models(settings, _ => new JsonObject { ["limit"] = new JsonObject { ["context"] = Context, ["output"] = MaxOutput } }),
        };
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
        JsonArray models = OthersOf(text, ["customModels"], "displayName");
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

    /// <summary>A provider of its own, in a file of its own. The key is a header: what Goose calls a key it takes from the system's keyring only.</summary>
    private static string Goose(string text, ToolSettings settings)
    {
        JsonArray models = [.. Codes(settings).Select(code => (JsonNode)new JsonObject { ["name"] = code, ["context_limit"] = Context })];
        (string Name, JsonNode Value)[] members =
        [
            ("name", "glimmer"),
            ("engine", "openai"),
            ("display_name", "Glimmer"),
            ("description", "GLM models of a Glimmer server"),
            ("api_key_env", ""),
            ("base_url", settings.Address + "/v1/chat/completions"),
            ("models", models),
            ("headers", new JsonObject { ["Authorization"] = "Bearer " + settings.Key }),
            ("timeout_seconds", 3000),
            ("supports_streaming", true),
            ("requires_auth", false),
        ];
        return members.Aggregate(text, (so, member) => JsoncEdit.Set(so, [member.Name], member.Value));
    }

    /// <summary>A file in the form in which Roo Code exports its settings: one profile, which becomes the one in use.</summary>
    private static string Roo(string text, ToolSettings settings)
    {
        JsonObject profile = new()
        {
            ["id"] = "glimmer",
            ["apiProvider"] = "openai",
            ["openAiBaseUrl"] = settings.Address + "/v1",
            ["openAiApiKey"] = settings.Key,
            ["openAiModelId"] = settings.Model,
            ["openAiCustomModelInfo"] = new JsonObject { ["maxTokens"] = MaxOutput, ["contextWindow"] = Context, ["supportsImages"] = false, ["supportsPromptCache"] = true },
        };
        text = JsoncEdit.Set(text, ["providerProfiles", "currentApiConfigName"], "Glimmer");
        text = JsoncEdit.Set(text, ["providerProfiles", "apiConfigs", "Glimmer"], profile);
        return JsoncEdit.Get(text, ["globalSettings"]) is null ? JsoncEdit.Set(text, ["globalSettings"], new JsonObject()) : text;
    }

    /// <summary>The entries of a list that are not ours. Such a list has no names: ours are those whose title ends with the mark.</summary>
    internal static JsonArray OthersOf(string text, string[] path, string title)
    {
        JsonNode? known = JsoncEdit.Get(text, path);
        if (known is not (null or JsonArray))
            throw new FormatException($"its member {string.Join('.', path)} is no list");
        return [.. (known as JsonArray ?? []).Where(entry => (entry as JsonObject)?[title]?.ToString().EndsWith(Mark, StringComparison.Ordinal) != true).Select(entry => entry?.DeepClone())];
    }

    /// <summary>The models' codes, each once.</summary>
    internal static IEnumerable<string> Codes(ToolSettings settings) => new[] { settings.Model, settings.SmallModel }.Distinct(StringComparer.Ordinal);

    private static JsonObject Models(ToolSettings settings, Func<string, JsonNode> describe)
    {
        JsonObject models = [];
        foreach (string code in Codes(settings))
            models[code] = describe(code);
        return models;
    }
}
