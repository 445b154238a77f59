using System.CommandLine;
using System.Text.Json;
using Glimmer.Cli.Hosting;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary>The options of <c>chat</c> and <c>run</c> that shape an answer.</summary>
internal sealed class AnswerOptions
{
    private readonly Option<string?> _model = ModelOption.Create();
    private readonly Option<int> _threads = ModelOption.Threads();
    private readonly Option<bool> _noThinking = new("--no-thinking") { Description = "Answer without thinking first." };
    private readonly Option<double?> _temperature = new("--temperature") { Description = "0 (always the likeliest token) to 2. Default: the model's." };
    private readonly Option<long?> _seed = new("--seed") { Description = "Seed of the random numbers, 0 or more." };
    private readonly Option<int?> _maxTokens = new("--max-tokens") { Description = "Most tokens of an answer." };
    private readonly Option<string?> _system = new("--system") { Description = "Instructions for the model." };
    private readonly Option<FileInfo?> _tools = new("--tools") { Description = "JSON file with an array of tools to offer." };

    public AnswerOptions(Command command)
    {
        _temperature.Validators.Add(result =>
        {
            if (result.Checked<double?>() is < 0 or > 2 or double.NaN)
                result.AddError("--temperature must be 0 to 2.");
        });
        _seed.Validators.Add(result =>
        {
            if (result.Checked<long?>() < 0)
                result.AddError("--seed must be 0 or more.");
        });
        _maxTokens.Validators.Add(result =>
        {
            if (result.Checked<int?>() < 1)
                result.AddError("--max-tokens must be 1 or more.");
        });
        foreach (Option option in (Option[])[_model, _threads, _system, _noThinking, _temperature, _seed, _maxTokens, _tools])
            command.Add(option);
    }

    /// <summary>Instructions for the model; null for none.</summary>
    public string? System(ParseResult result) => result.GetValue(_system);

    /// <summary>The engine's settings, with the options over the environment.</summary>
    public EngineSettings Engine(ParseResult result)
    {
        int threads = result.GetValue(_threads);
        EngineSettings settings = EngineSettings.Read(Settings.Read(("Model:Path", result.GetValue(_model))));
        return threads == 0 ? settings : settings with { Engine = settings.Engine with { Threads = threads } };
    }

    /// <summary>How to ask.</summary>
    /// <exception cref="GlimmerStartupException">The file of tools cannot be used.</exception>
    public LocalChatOptions Chat(ParseResult result) => new()
    {
        Think = result.GetValue(_noThinking) ? false : null,
        Temperature = result.GetValue(_temperature),
        Seed = result.GetValue(_seed),
        MaxTokens = result.GetValue(_maxTokens),
        Tools = result.GetValue(_tools) is { } file ? ReadTools(file) : [],
    };

    private static List<ToolDefinition> ReadTools(FileInfo file)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(file.FullName));
            if (document.RootElement.ValueKind != JsonValueKind.Array)
                throw new GlimmerStartupException($"--tools {file}: holds {document.RootElement.ValueKind}; use an array of tools.", 65);
            List<ToolDefinition> tools = [];
            foreach (JsonElement element in document.RootElement.EnumerateArray())
            {
                if (!ConversationReader.TryReadTool(element.Clone(), out ToolDefinition? tool, out RenderFault? fault))
                    throw new GlimmerStartupException($"--tools {file}: tool {tools.Count}: {fault}", 65);
                tools.Add(tool);
            }

            return tools;
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new GlimmerStartupException($"--tools {file}: {fault.Message}", 66, fault);
        }
    }
}
