using Glimmer.Platform.Ledger;
using Glimmer.Shared.Yaml;

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
                case "prices":
                    ReadPrices(draft, value);
                    break;
                case "exchange":
                    foreach (YamlTree item in _fields.Items(value, key))
                        ReadExchange(draft, item);
                    break;
                case "limits":
                    foreach (YamlTree item in _fields.Items(value, key))
                        ReadLimits(draft, item);
                    break;
                default:
                    throw _fields.At(value, $"\"{key}\" is not known here; use families, models, aliases, prices, exchange or limits.");
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
        start = start with { Code = code, Family = family is null ? start.Family : _fields.Text(family) };
        draft.Models[code] = Check(Apply(start, item), item);
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
                "concurrency" => model with { Concurrency = Tiers(value, key, 1) },
                "per_minute" => model with { PerMinute = Tiers(value, key, 0) },
                "per_day" => model with { PerDay = Tiers(value, key, 0) },
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

    private void ReadPrices(CatalogDraft draft, YamlTree value)
    {
        // A file that prices a model in a currency replaces what was said of it there, steps and all.
        var said = new HashSet<(string, Currency)>();
        foreach (YamlTree item in _fields.Items(value, "prices"))
        {
            string? model = null;
            Currency? currency = null;
            int inputBelow = 0, outputBelow = 0;
            var amounts = new List<(UnitKind Kind, decimal Amount)>();
            foreach ((string key, YamlTree part) in _fields.Members(item, "a price"))
            {
                switch (key)
                {
                    case "model":
                        model = _fields.Text(part).ToLowerInvariant();
                        break;
                    case "currency":
                        currency = ReadCurrency(part, key);
                        break;
                    case "input_below":
                        inputBelow = _fields.Tokens(part, key);
                        break;
                    case "output_below":
                        outputBelow = _fields.Tokens(part, key);
                        break;
                    default:
                        UnitKind kind = PriceStep.Kinds.TryGetValue(key, out UnitKind known)
                            ? known
                            : throw _fields.At(part, $"\"{key}\" is not known in a price; use model, currency, input_below, output_below, {string.Join(", ", PriceStep.Kinds.Keys)}.");
                        amounts.Add((kind, _fields.Exact(part, key, PriceStep.MaxAmount)));
                        break;
                }
            }

            if (model is null || !draft.Models.ContainsKey(model))
                throw _fields.At(item, $"model: \"{model}\" is not a model of the catalogue.");
            if (currency is not { } money || amounts.Count == 0)
                throw _fields.At(item, $"the price of {model} needs a currency and an amount, such as input: 0.6.");
            if (said.Add((model, money)))
                draft.Prices.RemoveAll(step => step.Model == model && step.Currency == money);
            draft.Prices.Add(new PriceStep(model, money, inputBelow, outputBelow, amounts));
        }
    }

    private void ReadExchange(CatalogDraft draft, YamlTree item)
    {
        Currency? from = null, to = null;
        decimal rate = 0;
        foreach ((string key, YamlTree value) in _fields.Members(item, "an exchange"))
        {
            switch (key)
            {
                case "from":
                    from = ReadCurrency(value, key);
                    break;
                case "to":
                    to = ReadCurrency(value, key);
                    break;
                case "rate":
                    rate = _fields.Exact(value, key, 100_000);
                    break;
                default:
                    throw _fields.At(value, $"\"{key}\" is not known in an exchange; use from, to and rate.");
            }
        }

        if (from is not { } source || to is not { } target || rate == 0)
            throw _fields.At(item, "an exchange needs from, to and a rate above 0.");
        draft.Exchange[(source, target)] = rate;
    }

    private void ReadLimits(CatalogDraft draft, YamlTree item)
    {
        ModelKind[] kinds = [];
        KindLimits limits = new([], [], []);
        foreach ((string key, YamlTree value) in _fields.Members(item, "a limit"))
        {
            switch (key)
            {
                case "kinds":
                    kinds = [.. _fields.Items(value, key).Select(word => _fields.OneOf(word, key, Kinds))];
                    break;
                case "concurrency":
                    limits = limits with { Concurrency = Tiers(value, key, 1) };
                    break;
                case "per_minute":
                    limits = limits with { PerMinute = Tiers(value, key, 0) };
                    break;
                case "per_day":
                    limits = limits with { PerDay = Tiers(value, key, 0) };
                    break;
                default:
                    throw _fields.At(value, $"\"{key}\" is not known in a limit; use kinds, concurrency, per_minute or per_day.");
            }
        }

        foreach (ModelKind kind in kinds)
            draft.Limits[kind] = limits;
    }

    private Currency ReadCurrency(YamlTree tree, string key) =>
        Currency.TryParse(_fields.Text(tree), out Currency currency)
            ? currency
            : throw _fields.At(tree, $"{key} must be three letters such as USD, not \"{tree.Scalar}\".");

    private int[] Tiers(YamlTree tree, string key, int min) => [.. _fields.Items(tree, key).Select(tier => (int)_fields.Whole(tier, key, min, 1_000_000))];

    private static CatalogModel Blank(string code) => new() { Code = code, Kind = ModelKind.Text };
}
