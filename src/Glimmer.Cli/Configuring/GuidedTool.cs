namespace Glimmer.Cli.Configuring;

/// <summary>A tool whose settings nothing else can write safely: it is told step by step what to enter.</summary>
/// <param name="Name">Its name as an argument.</param>
/// <param name="Title">Its own name.</param>
/// <param name="Reason">Why nothing is written.</param>
/// <param name="Steps">What to do. The key is named by its variable, never shown.</param>
internal sealed record GuidedTool(string Name, string Title, string Reason, Func<ToolSettings, IReadOnlyList<string>> Steps)
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<GuidedTool> All { get; } =
    [
        new("copilot", "Copilot CLI", "Copilot CLI takes another provider from variables only.", Copilot),
        new("cursor", "Cursor", "Cursor keeps its settings in a database of its own.", Cursor),
    ];

    /// <summary>The tool of a name; null for none.</summary>
    public static GuidedTool? Find(string name) => All.FirstOrDefault(tool => tool.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    private static string[] Copilot(ToolSettings settings) =>
    [
        $"export COPILOT_PROVIDER_BASE_URL={settings.Address}/v1",
        "export COPILOT_PROVIDER_API_KEY=\"$GLIMMER_API_KEY\"",
        $"export COPILOT_MODEL={settings.Model}",
        "export COPILOT_PROVIDER_MAX_PROMPT_TOKENS=200000 COPILOT_OFFLINE=true (the latter: no traffic to others)",
        $"Then start copilot. COPILOT_PROVIDER_WIRE_API=responses uses /v1/responses; COPILOT_PROVIDER_TYPE=anthropic with the base {settings.Address}/api/anthropic the Anthropic dialect.",
    ];

    private static string[] Cursor(ToolSettings settings) =>
    [
        "Settings, Models: switch on OpenAI API Key and enter your key.",
        $"Override OpenAI Base URL: {settings.Address}/v1 (Cursor calls it from its own servers, so the address must be reachable from outside)",
        $"Add a model of the name {settings.Model}.",
    ];
}
