using System.Collections.Frozen;
using System.Text;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Gemini;

/// <summary>Reads <c>generationConfig</c>.</summary>
internal static class GenerationConfigReader
{
    private const int MaxStops = 64;
    private const int MaxEnum = 1024;

    private static readonly FrozenSet<string> _names = FrozenSet.Create(
        StringComparer.Ordinal,
        "stopSequences", "responseMimeType", "responseSchema", "responseJsonSchema", "_responseJsonSchema", "responseModalities", "candidateCount", "maxOutputTokens", "temperature", "topP", "topK",
        "seed", "presencePenalty", "frequencyPenalty", "responseLogprobs", "logprobs", "enableEnhancedCivicAnswers", "speechConfig", "thinkingConfig", "imageConfig", "mediaResolution",
        "audioTranscriptionConfig");

    private static readonly FrozenSet<string> _thinkingNames = FrozenSet.Create(StringComparer.Ordinal, "includeThoughts", "thinkingBudget", "thinkingLevel");

    /// <summary>The request with what the configuration says, and whether thoughts are wanted.</summary>
    public static GeminiRequest Read(FieldReader body, ChatCompletionRequest request)
    {
        if (body.Object(body.Spelt("generationConfig"), "Send an object such as {\"temperature\":0.7}") is not { } config)
            return new GeminiRequest(request, false);
        config.Know(_names);
        string modalities = config.Spelt("responseModalities");
        foreach (string modality in config.Texts(modalities, 8, 0, 64) ?? [])
        {
            if (!modality.Equals("TEXT", StringComparison.OrdinalIgnoreCase) && modality != "MODALITY_UNSPECIFIED")
                config.Fail(PlatformError.Unsupported(config.PathOf(modalities), modality.ToLowerInvariant(), "models here answer with text; send [\"TEXT\"], or leave it out"));
        }

        if (config.Has(config.Spelt("speechConfig")))
            config.Fail(PlatformError.Unsupported(config.PathOf("speechConfig"), "speech", "models here answer with text; leave it out"));
        string level = "", thinkingName = config.Spelt("thinkingConfig");
        bool shows = false;
        long? budget = null;
        if (config.Object(thinkingName, "Send an object such as {\"thinkingBudget\":1024}") is { } thinking)
        {
            thinking.Know(_thinkingNames);
            shows = thinking.Flag(thinking.Spelt("includeThoughts")) ?? false;
            budget = thinking.Whole(thinking.Spelt("thinkingBudget"), -1, int.MaxValue);
            level = ReadLevel(thinking);
        }

        request = request with
        {
            Thinking = budget switch { null or < 0 => null, 0 => false, _ => true },
            ThinkingBudget = budget is > 0 and { } most ? (int)Math.Min(most, ChatRequestReader.MaxMaxTokens) : null,
            ReasoningEffort = level.Length > 0 ? level : null,
            Temperature = config.Number("temperature", 0, 2),
            TopP = config.Number(config.Spelt("topP"), 0, 1) is { } topP ? Math.Max(topP, 0.01) : null,
            TopK = (int?)config.Whole(config.Spelt("topK"), 0, int.MaxValue),
            MaxTokens = config.Whole(config.Spelt("maxOutputTokens"), 1, int.MaxValue) is { } limit ? (int)Math.Min(limit, ChatRequestReader.MaxMaxTokens) : null,
            Choices = (int)(config.Whole(config.Spelt("candidateCount"), 1, ChatRequestReader.MaxChoices) ?? 1),
            Seed = config.Whole("seed", long.MinValue, long.MaxValue),
            PresencePenalty = config.Number(config.Spelt("presencePenalty"), -2, 2),
            FrequencyPenalty = config.Number(config.Spelt("frequencyPenalty"), -2, 2),
            Stop = config.Texts(config.Spelt("stopSequences"), MaxStops, minLength: 1, maxLength: 4096) ?? [],
            TopLogProbs = ReadLogProbs(config),
            ResponseFormat = ReadFormat(config),
        };
        return new GeminiRequest(request, shows);
    }

    private static string ReadLevel(FieldReader thinking)
    {
        string name = thinking.Spelt("thinkingLevel");
        if (thinking.Text(name, max: 64) is not { Length: > 0 } level)
            return "";
        switch (level.ToUpperInvariant())
        {
            case "THINKING_LEVEL_UNSPECIFIED":
                return "";
            case "MINIMAL" or "LOW" or "MEDIUM" or "HIGH":
                return level.ToLowerInvariant();
            default:
                thinking.Fail(PlatformError.Invalid(thinking.PathOf(name), $"\"{(level.Length > 40 ? level[..40] : level)}\" is not known", "Use one of MINIMAL, LOW, MEDIUM, HIGH"));
                return "";
        }
    }

    private static int? ReadLogProbs(FieldReader config)
    {
        bool tells = config.Flag(config.Spelt("responseLogprobs")) ?? false;
        long? top = config.Whole("logprobs", 0, ChatRequestReader.MaxTopLogProbs);
        if (top is not null && !tells)
            config.Fail(PlatformError.Invalid(config.PathOf("logprobs"), "responseLogprobs is not true", "Send \"responseLogprobs\":true with it, or leave it out"));
        return tells ? (int)(top ?? 0) : null;
    }

    private static WireResponseFormat ReadFormat(FieldReader config)
    {
        string mimeName = config.Spelt("responseMimeType"), schemaName = config.Spelt("responseSchema"), jsonName = config.Spelt("responseJsonSchema");
        if (!config.Has(jsonName))
            jsonName = "_responseJsonSchema";
        string mime = config.Word(mimeName, false, "text/plain", "application/json", "text/x.enum", "") ?? "";
        FieldReader? schema = config.Object(schemaName, "Send a schema as an object, such as {\"type\":\"OBJECT\"}"), plain = config.Object(jsonName, "Send a JSON schema as an object");
        if (schema is not null && plain is not null)
            config.Fail(PlatformError.Of(BusinessCode.ParametersConflict, config.PathOf(schemaName), config.PathOf(jsonName)) with { Field = config.PathOf(jsonName) });
        string used = schema is not null ? schemaName : jsonName;
        JsonElement? wanted = schema is { } api ? GeminiSchema.ToJsonSchema(api.Element) : plain?.Element.Clone();
        if (wanted is not null && mime is "" or "text/plain")
            config.Fail(PlatformError.Invalid(config.PathOf(used), $"{mimeName} is {(mime.Length > 0 ? mime : "not sent")}", "Send \"responseMimeType\":\"application/json\" with it"));
        return mime switch
        {
            "text/x.enum" => ReadEnum(config, wanted, used),
            "application/json" when wanted is not null => new WireResponseFormat("json_schema", wanted, false),
            "application/json" => new WireResponseFormat("json_object", null, false),
            _ => new WireResponseFormat("text", null, false),
        };
    }

    /// <summary>One of some words, without the quotes that JSON has around them.</summary>
    private static WireResponseFormat ReadEnum(FieldReader config, JsonElement? schema, string field)
    {
        StringBuilder pattern = new();
        if (schema is { } asked && asked.TryGetProperty("enum", out JsonElement values) && values.ValueKind == JsonValueKind.Array && values.GetArrayLength() is > 0 and <= MaxEnum)
        {
            foreach (JsonElement value in values.EnumerateArray())
            {
                if (value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } word)
                    pattern.Append(pattern.Length > 0 ? "|" : "").Append(Literal(word));
            }
        }

        if (pattern.Length is > 0 and <= ChatRequestReader.MaxGrammarLength)
            return new WireResponseFormat("regex", null, false, pattern.ToString());
        config.Fail(PlatformError.Invalid(config.PathOf(field), "it has no enum of strings, or too large a one", "Send a schema such as {\"type\":\"STRING\",\"enum\":[\"good\",\"bad\"]}"));
        return new WireResponseFormat("text", null, false);
    }

    private static string Literal(string word)
    {
        StringBuilder text = new();
        foreach (char c in word)
        {
            if (char.IsAscii(c) && !char.IsAsciiLetterOrDigit(c) && c > ' ')
                text.Append('\\');
            text.Append(c);
        }

        return text.ToString();
    }
}
