using System.Globalization;

namespace Glimmer.Platform.Catalog;

/// <summary>Reads catalogue files into a <see cref="CatalogDraft"/>; a later file changes what earlier ones said.</summary>
internal sealed class CatalogFile(string file)
{
    private static readonly Dictionary<string, ModelKind> Kinds = new(StringComparer.Ordinal)
    {
        ["text"] = ModelKind.Text,
        ["reasoning"] = ModelKind.Reasoning,
        ["vision"] = ModelKind.Vision,
        ["role-play"] = ModelKind.RolePlay,
        ["code"] = ModelKind.Code,
        ["agent"] = ModelKind.Agent,
        ["phone"] = ModelKind.Phone,
        ["speech-chat"] = ModelKind.SpeechChat,
        ["realtime"] = ModelKind.Realtime,
        ["ocr"] = ModelKind.Ocr,
        ["image"] = ModelKind.Image,
        ["video"] = ModelKind.Video,
        ["transcription"] = ModelKind.Transcription,
        ["speech"] = ModelKind.Speech,
        ["voice-clone"] = ModelKind.VoiceClone,
        ["embedding"] = ModelKind.Embedding,
        ["rerank"] = ModelKind.Rerank,
        ["moderation"] = ModelKind.Moderation,
        ["search"] = ModelKind.Search,
    };

    private static readonly Dictionary<string, ModelState> States = new(StringComparer.Ordinal)
    {
        ["current"] = ModelState.Current,
        ["old"] = ModelState.Old,
        ["retired"] = ModelState.Retired,
        ["unserved"] = ModelState.Unserved,
    };

    private static readonly Dictionary<string, ThinkingRule> ThinkingRules = new(StringComparer.Ordinal)
    {
        ["none"] = ThinkingRule.None,
        ["dynamic"] = ThinkingRule.Dynamic,
        ["forced"] = ThinkingRule.Forced,
    };

    /// <summary>Reads a tree of the file; null is an empty file.</summary>
    public void ReadInto(CatalogDraft draft, YamlTree? root)
    {
        if (root is null)
            return;
        foreach ((string key, YamlTree value) in Members(root, "the catalogue"))
        {
            switch (key)
            {
                case "families":
                    foreach ((string name, YamlTree family) in Members(value, "families"))
                        draft.Families[name] = Apply(draft.Families.GetValueOrDefault(name) ?? Blank(name), family);
                    break;
                case "models":
                    foreach (YamlTree item in Items(value, "models"))
                        ReadModel(draft, item);
                    break;
                case "aliases":
                    foreach (YamlTree item in Items(value, "aliases"))
                        draft.Aliases.Add(ReadAlias(item));
                    break;
                default:
                    throw At(value, $"\"{key}\" is not known here; use families, models or aliases.");
            }
        }
    }

    private void ReadModel(CatalogDraft draft, YamlTree item)
    {
        List<(string Key, YamlTree Value)> members = Members(item, "a model");
        string code = members.Find(member => member.Key == "code").Value?.Scalar?.ToLowerInvariant()
            ?? throw At(item, "a model needs a code, such as code: glm-4.7.");
        if (code.Length is 0 or > 128 || code.AsSpan().ContainsAny(' ', '/', '\t'))
            throw At(item, $"\"{code}\" is no model code; use letters, digits, dots and dashes.");

        YamlTree? family = members.Find(member => member.Key == "family").Value;
        CatalogModel start;
        if (family is not null)
            start = draft.Families.GetValueOrDefault(Text(family)) ?? throw At(family, $"the family \"{family.Scalar}\" is not known; add it under families.");
        else
            start = draft.Models.GetValueOrDefault(code) ?? Blank(code);
        draft.Models[code] = Check(Apply(start with { Code = code }, item), item);
        draft.Lines[code] = (file, item.Line);
    }

    private CatalogAlias ReadAlias(YamlTree item)
    {
        string? pattern = null, target = null, dialect = null;
        foreach ((string key, YamlTree value) in Members(item, "an alias"))
        {
            switch (key)
            {
                case "pattern":
                    pattern = Text(value).ToLowerInvariant();
                    break;
                case "target":
                    target = Text(value).ToLowerInvariant();
                    break;
                case "dialect":
                    dialect = Text(value);
                    break;
                default:
                    throw At(value, $"\"{key}\" is not known in an alias; use pattern, target and dialect.");
            }
        }

        if (pattern is null || target is null)
            throw At(item, "an alias needs a pattern and a target.");
        return new CatalogAlias(pattern, target, dialect, file, item.Line);
    }

    private CatalogModel Apply(CatalogModel model, YamlTree item)
    {
        foreach ((string key, YamlTree value) in Members(item, "a model or family"))
        {
            model = key switch
            {
                "code" or "family" => model,
                "kind" => model with { Kind = OneOf(value, key, Kinds) },
                "state" => model with { State = OneOf(value, key, States) },
                "thinking" => model with { Thinking = OneOf(value, key, ThinkingRules) },
                "context" => model with { Context = Tokens(value, key) },
                "default_output" => model with { DefaultOutput = Tokens(value, key) },
                "max_output" => model with { MaxOutput = Tokens(value, key) },
                "temperature" => model with { Temperature = Number(value, key, 0, 1) },
                "top_p" => model with { TopP = Number(value, key, 0.01, 1) },
                "effort" => model with { Effort = Flag(value, key) },
                "low_effort" => model with { LowEffort = Flag(value, key) },
                "tools" => model with { Tools = Flag(value, key) },
                "tool_stream" => model with { ToolStream = Flag(value, key) },
                "persona_required" => model with { PersonaRequired = Flag(value, key) },
                "plan" => model with { Plan = Flag(value, key) },
                "max_stops" => model with { MaxStops = (int)Whole(value, key, 1, 4) },
                "images" => model with { MaxImages = (int)Whole(value, key, 0, 10_000) },
                "videos" => model with { MaxVideos = (int)Whole(value, key, 0, 10_000) },
                "files" => model with { MaxFiles = (int)Whole(value, key, 0, 10_000) },
                "created" => model with { Created = Whole(value, key, 0, 253402300799) },
                "successor" => model with { Successor = Text(value).ToLowerInvariant() },
                "concurrency" => model with { Concurrency = [.. Items(value, key).Select(tier => (int)Whole(tier, key, 1, 1_000_000))] },
                _ => throw At(value, $"\"{key}\" is not known in a model or family."),
            };
        }

        return model;
    }

    private CatalogModel Check(CatalogModel model, YamlTree item)
    {
        if (model.DefaultOutput > model.MaxOutput)
            throw At(item, $"default_output of {model.Code} is above its max_output ({model.DefaultOutput} > {model.MaxOutput}).");
        if (model.IsChat && model.State != ModelState.Unserved && (model.Context < 1 || model.MaxOutput < 1))
            throw At(item, $"the chat model {model.Code} needs a context and a max_output of at least 1.");
        return model.DefaultOutput == 0 ? model with { DefaultOutput = model.MaxOutput } : model;
    }

    private static CatalogModel Blank(string code) => new() { Code = code, Kind = ModelKind.Text };

    private List<(string Key, YamlTree Value)> Members(YamlTree tree, string what) =>
        tree.Members ?? throw At(tree, $"{what} must be a mapping of keys to values.");

    private List<YamlTree> Items(YamlTree tree, string what) => tree.Items ?? throw At(tree, $"{what} must be a list.");

    private string Text(YamlTree tree) => tree.Scalar is { Length: > 0 } text ? text : throw At(tree, "a word is missing.");

    private T OneOf<T>(YamlTree tree, string key, Dictionary<string, T> words) =>
        words.TryGetValue(Text(tree), out T? value)
            ? value
            : throw At(tree, $"{key}: \"{tree.Scalar}\" is not known; use one of {string.Join(", ", words.Keys)}.");

    private bool Flag(YamlTree tree, string key) => Text(tree) switch
    {
        "true" => true,
        "false" => false,
        _ => throw At(tree, $"{key} must be true or false, not \"{tree.Scalar}\"."),
    };

    private double Number(YamlTree tree, string key, double min, double max) =>
        double.TryParse(Text(tree), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number >= min && number <= max
            ? number
            : throw At(tree, string.Create(CultureInfo.InvariantCulture, $"{key} must be a number from {min} to {max}, not \"{tree.Scalar}\"."));

    private long Whole(YamlTree tree, string key, long min, long max) =>
        long.TryParse(Text(tree), NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number >= min && number <= max
            ? number
            : throw At(tree, string.Create(CultureInfo.InvariantCulture, $"{key} must be a whole number from {min} to {max}, not \"{tree.Scalar}\"."));

    /// <summary>Tokens: <c>131072</c>, <c>128K</c> (times 1024) or <c>1M</c> (times 1048576).</summary>
    private int Tokens(YamlTree tree, string key)
    {
        string text = Text(tree);
        (int unit, string digits) = text[^1] switch
        {
            'K' => (1 << 10, text[..^1]),
            'M' => (1 << 20, text[..^1]),
            _ => (1, text),
        };
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && (long)number * unit <= 1 << 28
            ? number * unit
            : throw At(tree, $"{key} must be a number of tokens such as 131072, 128K or 1M, not \"{text}\".");
    }

    private CatalogException At(YamlTree tree, string problem) => new(file, tree.Line, problem);
}
