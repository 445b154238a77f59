using System.Globalization;
using Glimmer.Dialogue.Output;
using Glimmer.Engine;
using Glimmer.Engine.Placement;
using Glimmer.Inference.Embeddings;
using Glimmer.Kernels;
using Glimmer.Kernels.Formats;
using Glimmer.Models.Weights;
using Glimmer.Server.Hosting;
using Microsoft.Extensions.Configuration;

namespace Glimmer.Cli.Hosting;

/// <summary>Which model runs in the process and how: the settings under <c>Glimmer:Model</c>, <c>Glimmer:Output</c> and <c>Glimmer:Engine</c>.</summary>
internal sealed record EngineSettings
{
    // Recipes are for files; while loading every matrix takes the recipe's usual format.
    private static readonly Dictionary<string, BlockFormat> _formats = new(
        BlockCodecs.Quantisable.Where(format => BlockCodecs.For(format).BlockLength > 1).Select(format => KeyValuePair.Create(format.ToString(), format))
            .Concat(QuantisationMix.All.Select(mix => KeyValuePair.Create(mix.Name, mix.Usual))).DistinctBy(pair => pair.Key, StringComparer.OrdinalIgnoreCase),
        StringComparer.OrdinalIgnoreCase);

    private static readonly (string Key, string Meaning, string Legal, Func<EngineSettings, string, EngineSettings?> Apply)[] _all =
    [
        ("Model:Path", "GGUF file or checkpoint folder", "a path; the bundled model when it is not set",
            (settings, text) => settings with { ModelPath = text }),
        ("Model:Code", "Code under which the model answers", "a name of letters, digits, dots, dashes and underscores",
            (settings, text) => HostedModels.IsCode(text) ? settings with { Code = text } : null),
        ("Model:Generation", "Chat format of the model", "a generation such as glm-4.7; found by the file when it is not set",
            (settings, text) => Dialogue.Generations.Generations.TryGet(text, out _) ? settings with { Generation = text } : null),
        ("Model:Others", "More models, loaded when they are asked for", "CODE=PATH or PATH, several separated by semicolons",
            (settings, text) => text.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) is { Length: > 0 } others ? settings with { Others = others } : null),
        ("Model:MemoryBytes", "Memory that all models may need together", "a number of bytes from 1; the machine's when it is not set",
            (settings, text) => Whole(text, 1, long.MaxValue) is { } n ? settings with { MemoryBytes = n } : null),
        ("Model:Quantise", "Format that F32, F16 and BF16 weights are brought to while loading", $"one of {string.Join(", ", _formats.Keys)}, or nothing to leave them",
            (settings, text) => _formats.TryGetValue(text, out BlockFormat format) ? settings with { Quantise = format } : null),
        ("Model:StandIn", "Whether it answers for chat codes that have no backend", "true or false",
            (settings, text) => bool.TryParse(text, out bool flag) ? settings with { StandIn = flag } : null),
        ("Model:Mapped", "Whether weights stay in the mapped file; otherwise they are copied into memory while loading", "true or false",
            (settings, text) => bool.TryParse(text, out bool flag) ? settings with { Mapped = flag } : null),
        ("Model:DraftLayer", "Whether the model's own draft (MTP) layer is loaded", "true or false",
            (settings, text) => bool.TryParse(text, out bool flag) ? settings with { DraftLayer = flag } : null),
        ("Model:PackedFolder", "Folder that keeps rearranged weights, so that later starts are quicker", "a path; none are kept when it is not set",
            (settings, text) => text.Contains('\0', StringComparison.Ordinal) ? null : settings with { PackedFolder = text }),
        ("Engine:Activations", "How activations meet quantised weights", "auto (int8 where the machine is fast at it), exact (single precision) or int8 (faster, activations rounded to 8 bits)",
            (settings, text) => Enum.TryParse(text, ignoreCase: true, out ActivationMode mode) && !char.IsAsciiDigit(text[0]) ? settings with { Activations = mode } : null),
        ("Output:Repairs", "Whether malformed tool calls of the model are mended; otherwise they are text", "true or false",
            (settings, text) => bool.TryParse(text, out bool flag) ? settings with { Repairs = flag ? Repairs.All : Repairs.None } : null),
        ("Engine:KvCache", "How keys and values are cached", "auto (by the weights), f32, f16 or q8_0",
            (settings, text) => text.Equals("auto", StringComparison.OrdinalIgnoreCase) ? settings with { KvFormat = null }
                : Enum.TryParse(text, ignoreCase: true, out KvFormat format) && !char.IsAsciiDigit(text[0]) ? settings with { KvFormat = format } : null),
        ("Engine:Threads", "Threads of a forward pass", "a number from 0 (one per physical core) to 1024",
            (settings, text) => Whole(text, 0, 1024) is { } n ? settings.With(settings.Engine with { Threads = (int)n }) : null),
        ("Engine:Context", "Longest conversation in tokens", "a number from 0 (the model's) to 16777216",
            (settings, text) => Whole(text, 0, 1 << 24) is { } n ? settings.With(settings.Engine with { ContextLength = (int)n }) : null),
        ("Engine:KvBytes", "Memory of the KV cache", "a number of bytes; 0 takes what is useful, up to a quarter of the memory",
            (settings, text) => Whole(text, 0, long.MaxValue) is { } n ? settings.With(settings.Engine with { KvBytes = n }) : null),
        ("Engine:MaxBatch", "Conversations computed at once", "a number from 1 to 1024",
            (settings, text) => Whole(text, 1, 1024) is { } n ? settings.With(settings.Engine with { MaxBatch = (int)n }) : null),
        ("Engine:QueueLimit", "Requests that may wait for a place", "a number from 0 to 1000000",
            (settings, text) => Whole(text, 0, 1_000_000) is { } n ? settings.With(settings.Engine with { QueueLimit = (int)n }) : null),
        ("Engine:PrefillTokens", "Prompt tokens per pass", "a number from 1 to 65536",
            (settings, text) => Whole(text, 1, 65536) is { } n ? settings.With(settings.Engine with { PrefillTokens = (int)n }) : null),
        ("Engine:PrefixCache", "Whether computed prefixes are reused", "true or false",
            (settings, text) => bool.TryParse(text, out bool flag) ? settings.With(settings.Engine with { PrefixCache = flag }) : null),
        ("Engine:Placement", "How threads are bound to processors", "none, auto (only with several memory nodes), spread or compact",
            (settings, text) => Enum.TryParse(text, ignoreCase: true, out ThreadPlacement placement) && !char.IsAsciiDigit(text[0]) && Enum.IsDefined(placement) ? settings.With(settings.Engine with { Placement = placement }) : null),
        ("Engine:PrefixSpill", "Folder for computed prefixes that memory has no room for", "a path; nothing is written when it is not set",
            (settings, text) => text.Length > 0 ? settings.With(settings.Engine with { PrefixSpill = text }) : null),
        ("Engine:PrefixSpillBytes", "Most bytes of the file in that folder, one per model", "a number of bytes from 1",
            (settings, text) => Whole(text, 1, long.MaxValue) is { } n ? settings.With(settings.Engine with { PrefixSpillBytes = n }) : null),
        ("Engine:MixedPassRatio", "How many times as long a pass of running answers may take when prompts are read beside them", "0 (no limit) or a number above 1 up to 1000",
            (settings, text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double ratio) && (ratio == 0 || ratio is > 1 and <= 1000) ? settings.With(settings.Engine with { MixedPassRatio = ratio }) : null),
        ("Engine:SharePrefixes", "Whether callers share computed prefixes, which tells them of each other's prompts", "true or false",
            (settings, text) => bool.TryParse(text, out bool flag) ? settings.With(settings.Engine with { SharePrefixes = flag }) : null),
        ("Engine:SpeculativeTokens", "Tokens guessed per pass", "a number from 0 (off) to 15",
            (settings, text) => Whole(text, 0, 15) is { } n ? settings.With(settings.Engine with { SpeculativeTokens = (int)n }) : null),
        ("Embeddings:Path", "Model that makes embeddings: GGUF file, checkpoint folder or the name of a pulled model", "a path; no embeddings are made when it is not set",
            (settings, text) => settings with { EmbeddingPath = text }),
        ("Embeddings:Code", "Code that it answers for", "a name of letters, digits, dots, dashes and underscores",
            (settings, text) => HostedModels.IsCode(text) ? settings with { EmbeddingCode = text } : null),
        ("Embeddings:Pooling", "How the states of a text's tokens become its vector", "mean or last",
            (settings, text) => Enum.TryParse(text, ignoreCase: true, out Pooling pooling) && !char.IsAsciiDigit(text[0]) ? settings with { EmbeddingPooling = pooling } : null),
    ];

    /// <summary>Model to load; null for the bundled one.</summary>
    public string? ModelPath { get; init; }

    /// <summary>Code it answers under; null for its own name.</summary>
    public string? Code { get; init; }

    /// <summary>More models: <c>CODE=PATH</c> or <c>PATH</c>.</summary>
    public IReadOnlyList<string> Others { get; init; } = [];

    /// <summary>Memory for all models; null for the machine's.</summary>
    public long? MemoryBytes { get; init; }

    /// <summary>Chat format; null finds it by the file.</summary>
    public string? Generation { get; init; }

    /// <summary>Format that weights are brought to while loading; null leaves them.</summary>
    public BlockFormat? Quantise { get; init; }

    /// <summary>Whether the model's own draft layer is loaded.</summary>
    public bool DraftLayer { get; init; } = true;

    /// <summary>Whether weights stay in the mapped file.</summary>
    public bool Mapped { get; init; } = true;

    /// <summary>Folder of kept rearranged weights; null keeps none.</summary>
    public string? PackedFolder { get; init; }

    /// <summary>How activations meet quantised weights.</summary>
    public ActivationMode Activations { get; init; } = ActivationMode.Auto;

    /// <summary>How keys and values are cached; null decides by the weights.</summary>
    public KvFormat? KvFormat { get; init; }

    /// <summary>Whether it stands in for codes without a backend.</summary>
    public bool StandIn { get; init; } = true;

    /// <summary>What may be mended in malformed calls of the model.</summary>
    public Repairs Repairs { get; init; } = Repairs.All;

    /// <summary>Model that makes embeddings; null for none.</summary>
    public string? EmbeddingPath { get; init; }

    /// <summary>Code that it answers for.</summary>
    public string EmbeddingCode { get; init; } = "embedding-3";

    /// <summary>How its states become vectors.</summary>
    public Pooling EmbeddingPooling { get; init; }

    /// <summary>How the engine uses the machine.</summary>
    public EngineOptions Engine { get; init; } = new();

    /// <summary>Names, meanings and legal values, for documentation.</summary>
    public static IEnumerable<(string Key, string Meaning, string Legal)> All => _all.Select(setting => (setting.Key, setting.Meaning, setting.Legal));

    /// <summary>Reads the settings from a configuration.</summary>
    /// <exception cref="GlimmerStartupException">A value is illegal or a key unknown; the message names it and a legal value.</exception>
    public static EngineSettings Read(IConfiguration configuration)
    {
        IConfigurationSection section = configuration.GetSection("Glimmer");
        string[] groups = [.. GlimmerSettings.All.Select(setting => setting.Key).Concat(_all.Select(setting => setting.Key)).Select(key => key.Split(':')[0]).Distinct(StringComparer.Ordinal)];
        if (section.GetChildren().FirstOrDefault(child => !groups.Contains(child.Key, StringComparer.OrdinalIgnoreCase)) is { } stray)
            throw new GlimmerStartupException($"There are no settings under Glimmer:{stray.Key}. There are Glimmer:{string.Join(", Glimmer:", groups)}.", 78);
        foreach (string group in (string[])["Model", "Output", "Engine", "Embeddings"])
        {
            foreach (IConfigurationSection child in section.GetSection(group).GetChildren())
            {
                if (!_all.Any(setting => string.Equals(setting.Key, $"{group}:{child.Key}", StringComparison.OrdinalIgnoreCase)))
                    throw new GlimmerStartupException($"The setting Glimmer:{group}:{child.Key} is not known. Use {string.Join(" or ", _all.Where(setting => setting.Key.StartsWith(group + ":", StringComparison.Ordinal)).Select(setting => "Glimmer:" + setting.Key))}.", 78);
            }
        }

        EngineSettings settings = new();
        foreach ((string key, _, string legal, Func<EngineSettings, string, EngineSettings?> apply) in _all)
        {
            if (section[key] is { Length: > 0 } text)
                settings = apply(settings, text.Trim()) ?? throw new GlimmerStartupException($"The setting Glimmer:{key} is \"{text}\". Use {legal}.", 78);
        }

        return settings;
    }

    private EngineSettings With(EngineOptions engine) => this with { Engine = engine };

    private static long? Whole(string text, long min, long max) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number >= min && number <= max ? number : null;
}
