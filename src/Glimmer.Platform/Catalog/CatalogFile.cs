namespace Glimmer.Platform.Catalog;

/// <summary>Reads catalogue files into a <see cref="CatalogDraft"/>; a later file changes what earlier ones said.</summary>
internal sealed class CatalogFile(string file)
{
    private readonly YamlFields _fields = new(file);

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
        foreach ((string key, YamlTree value) in _fields.Members(root, "the catalogue"))
        {
            switch (key)
            {
                case "families":
                    foreach ((string name, YamlTree family) in _fields.Members(value, "families"))
                        draft.Families[name] = Apply(draft.Families.GetValueOrDefault(name) ?? Blank(name), family);
                    break;
                case "models":
                    foreach (YamlTree item in _fields.Items(value, "models"))
                        ReadModel(draft, item);
                    break;
                case "aliases":
                    foreach (YamlTree item in _fields.Items(value, "aliases"))
                        draft.Aliases.Add(ReadAlias(item));
                    break;
                default:
                    throw _fields.At(value, $"\"{key}\" is not known here; use families, models or aliases.");
            }
        }
    }

    private void ReadModel(CatalogDraft draft, YamlTree item)
    {
        List<(string Key, YamlTree Value)> members = _fields.Members(item, "a model");
        string code = members.Find(member => member.Key == "code").Value?.Scalar?.ToLowerInvariant()
            ?? throw _fields.At(item, "a model needs a code, such as code: glm-4.7.");
        if (code.Length is 0 or > 128 || code.AsSpan().ContainsAny(' ', '/', '\t'))
            throw _fields.At(item, $"\"{code}\" is no model code; use letters, digits, dots and dashes.");

        YamlTree? family = members.Find(member => member.Key == "family").Value;
        CatalogModel start;
        if (family is not null)
            start = draft.Families.GetValueOrDefault(_fields.Text(family)) ?? throw _fields.At(family, $"the family \"{family.Scalar}\" is not known; add it under families.");
        else
            start = draft.Models.GetValueOrDefault(code) ?? Blank(code);
        draft.Models[code] = Check(Apply(start with { Code = code }, item), item);
        draft.Lines[code] = (file, item.Line);
    }

    private CatalogAlias ReadAlias(YamlTree item)
    {
        string? pattern = null, target = null, dialect = null;
        foreach ((string key, YamlTree value) in _fields.Members(item, "an alias"))
        {
            switch (key)
            {
                case "pattern":
                    pattern = _fields.Text(value).ToLowerInvariant();
                    break;
                case "target":
                    target = _fields.Text(value).ToLowerInvariant();
                    break;
                case "dialect":
                    dialect = _fields.Text(value);
                    break;
                default:
                    throw _fields.At(value, $"\"{key}\" is not known in an alias; use pattern, target and dialect.");
            }
        }

        if (pattern is null || target is null)
            throw _fields.At(item, "an alias needs a pattern and a target.");
        return new CatalogAlias(pattern, target, dialect, file, item.Line);
    }

    private CatalogModel Apply(CatalogModel model, YamlTree item)
    {
        foreach ((string key, YamlTree value) in _fields.Members(item, "a model or family"))
        {
            model = key switch
            {
                "code" or "family" => model,
                "kind" => model with { Kind = _fields.OneOf(value, key, Kinds) },
                "state" => model with { State = _fields.OneOf(value, key, States) },
                "thinking" => model with { Thinking = _fields.OneOf(value, key, ThinkingRules) },
                "context" => model with { Context = _fields.Tokens(value, key) },
                "default_output" => model with { DefaultOutput = _fields.Tokens(value, key) },
                "max_output" => model with { MaxOutput = _fields.Tokens(value, key) },
                "temperature" => model with { Temperature = _fields.Number(value, key, 0, 1) },
                "top_p" => model with { TopP = _fields.Number(value, key, 0.01, 1) },
                "effort" => model with { Effort = _fields.Flag(value, key) },
                "low_effort" => model with { LowEffort = _fields.Flag(value, key) },
                "tools" => model with { Tools = _fields.Flag(value, key) },
                "tool_stream" => model with { ToolStream = _fields.Flag(value, key) },
                "persona_required" => model with { PersonaRequired = _fields.Flag(value, key) },
                "plan" => model with { Plan = _fields.Flag(value, key) },
                "max_stops" => model with { MaxStops = (int)_fields.Whole(value, key, 1, 4) },
                "images" => model with { MaxImages = (int)_fields.Whole(value, key, 0, 10_000) },
                "videos" => model with { MaxVideos = (int)_fields.Whole(value, key, 0, 10_000) },
                "files" => model with { MaxFiles = (int)_fields.Whole(value, key, 0, 10_000) },
                "created" => model with { Created = _fields.Whole(value, key, 0, 253402300799) },
                "successor" => model with { Successor = _fields.Text(value).ToLowerInvariant() },
                "concurrency" => model with { Concurrency = [.. _fields.Items(value, key).Select(tier => (int)_fields.Whole(tier, key, 1, 1_000_000))] },
                _ => throw _fields.At(value, $"\"{key}\" is not known in a model or family."),
            };
        }

        return model;
    }

    private CatalogModel Check(CatalogModel model, YamlTree item)
    {
        if (model.DefaultOutput > model.MaxOutput)
            throw _fields.At(item, $"default_output of {model.Code} is above its max_output ({model.DefaultOutput} > {model.MaxOutput}).");
        if (model.IsChat && model.State != ModelState.Unserved && (model.Context < 1 || model.MaxOutput < 1))
            throw _fields.At(item, $"the chat model {model.Code} needs a context and a max_output of at least 1.");
        return model.DefaultOutput == 0 ? model with { DefaultOutput = model.MaxOutput } : model;
    }

    private static CatalogModel Blank(string code) => new() { Code = code, Kind = ModelKind.Text };
}
