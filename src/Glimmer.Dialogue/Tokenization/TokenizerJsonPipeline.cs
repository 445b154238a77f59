using System.Text.Json;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>The steps around the model in a <c>tokenizer.json</c>: checks that they are those of a byte-level tokenizer.</summary>
internal static class TokenizerJsonPipeline
{
    /// <summary>Refuses any normaliser: GLM has none.</summary>
    public static void Normalizer(JsonElement step, string source)
    {
        foreach (JsonElement normalizer in Steps(step, "normalizers", "normalizer", source))
            throw Unsupported(source, "normalizer", TypeOf(normalizer, "normalizer", source), "null is");
    }

    /// <summary>Refuses any decoder but ByteLevel.</summary>
    public static void Decoder(JsonElement step, string source)
    {
        foreach (JsonElement decoder in Steps(step, "decoders", "decoder", source))
        {
            string type = TypeOf(decoder, "decoder", source);
            if (type != "ByteLevel")
                throw Unsupported(source, "decoder", type, "ByteLevel is");
        }
    }

    /// <summary>The expression of the Split step, which a ByteLevel step without an expression of its own must follow.</summary>
    public static string PreTokenizer(JsonElement step, string source)
    {
        string? expression = null;
        bool isByteLevel = false;
        foreach (JsonElement part in Steps(step, "pretokenizers", "pre_tokenizer", source))
        {
            string type = TypeOf(part, "pre_tokenizer", source);
            if (type == "Split" && expression is null && !isByteLevel)
                expression = Split(part, source);
            else if (type == "ByteLevel" && !isByteLevel)
                isByteLevel = ByteLevel(part, source);
            else
                throw Unsupported(source, "pre_tokenizer", type, "one Split followed by one ByteLevel is");
        }

        if (expression is null || !isByteLevel)
            throw new TokenizerFileException(source, "'pre_tokenizer' must be a Sequence of one Split and one ByteLevel.");
        return expression;
    }

    /// <summary>What a TemplateProcessing step puts before and after a single text.</summary>
    public static (int[] Prefix, int[] Suffix) PostProcessor(JsonElement step, string source)
    {
        (int[] Prefix, int[] Suffix) result = ([], []);
        bool found = false;
        foreach (JsonElement processor in Steps(step, "processors", "post_processor", source))
        {
            string type = TypeOf(processor, "post_processor", source);
            if (type == "TemplateProcessing" && !found)
                (found, result) = (true, Template(processor, source));
            else if (type != "ByteLevel")
                throw Unsupported(source, "post_processor", type, "ByteLevel and one TemplateProcessing are");
        }

        return result;
    }

    private static (int[] Prefix, int[] Suffix) Template(JsonElement processor, string source)
    {
        var before = new List<int>();
        var after = new List<int>();
        bool seen = false;
        if (!processor.TryGetProperty("single", out JsonElement single) || single.ValueKind != JsonValueKind.Array)
            throw new TokenizerFileException(source, "'post_processor.single' must be a list.");
        foreach (JsonElement item in single.EnumerateArray())
        {
            if (item.ValueKind == JsonValueKind.Object && item.TryGetProperty("Sequence", out _) && !seen)
                seen = true;
            else if (item.ValueKind == JsonValueKind.Object && item.TryGetProperty("SpecialToken", out JsonElement token))
                (seen ? after : before).AddRange(SpecialIds(processor, token, source));
            else
                throw new TokenizerFileException(source, "'post_processor.single' must hold SpecialToken items and one Sequence.");
        }

        return seen ? ([.. before], [.. after]) : throw new TokenizerFileException(source, "'post_processor.single' holds no Sequence.");
    }

    private static List<int> SpecialIds(JsonElement processor, JsonElement token, string source)
    {
        var ids = new List<int>();
        if (token.ValueKind != JsonValueKind.Object || !token.TryGetProperty("id", out JsonElement name) || name.ValueKind != JsonValueKind.String)
            throw new TokenizerFileException(source, "'post_processor.single': 'SpecialToken.id' must be a string.");
        if (!processor.TryGetProperty("special_tokens", out JsonElement specials) || specials.ValueKind != JsonValueKind.Object ||
            !specials.TryGetProperty(name.GetString()!, out JsonElement special) || special.ValueKind != JsonValueKind.Object ||
            !special.TryGetProperty("ids", out JsonElement list) || list.ValueKind != JsonValueKind.Array)
        {
            throw new TokenizerFileException(source, $"'post_processor.special_tokens' gives no 'ids' for '{name.GetString()}'.");
        }

        foreach (JsonElement item in list.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.Number || !item.TryGetInt32(out int id))
                throw new TokenizerFileException(source, $"'post_processor.special_tokens': an id of '{name.GetString()}' is no whole number.");
            ids.Add(id);
        }

        return ids;
    }

    private static string Split(JsonElement part, string source)
    {
        if (!part.TryGetProperty("pattern", out JsonElement pattern) || pattern.ValueKind != JsonValueKind.Object ||
            !pattern.TryGetProperty("Regex", out JsonElement expression) || expression.ValueKind != JsonValueKind.String)
        {
            throw new TokenizerFileException(source, "'pre_tokenizer': the pattern of Split must be {\"Regex\": \"…\"}.");
        }

        if (!part.TryGetProperty("behavior", out JsonElement behaviour) || behaviour.ValueKind != JsonValueKind.String || behaviour.GetString() != "Isolated")
            throw new TokenizerFileException(source, "'pre_tokenizer': the behavior of Split must be Isolated.");
        if (IsTrue(part, "invert", false))
            throw new TokenizerFileException(source, "'pre_tokenizer': 'invert' of Split must be false.");
        return expression.GetString()!;
    }

    private static bool ByteLevel(JsonElement part, string source)
    {
        // Both are true in the reference when they are left out.
        if (IsTrue(part, "add_prefix_space", true))
            throw new TokenizerFileException(source, "'pre_tokenizer': 'add_prefix_space' of ByteLevel must be false.");
        if (IsTrue(part, "use_regex", true))
            throw new TokenizerFileException(source, "'pre_tokenizer': 'use_regex' of ByteLevel must be false.");
        return true;
    }

    private static bool IsTrue(JsonElement part, string name, bool otherwise) =>
        part.TryGetProperty(name, out JsonElement flag) ? flag.ValueKind != JsonValueKind.False : otherwise;

    // One step, the steps of a Sequence, or none.
    private static IEnumerable<JsonElement> Steps(JsonElement step, string listName, string section, string source)
    {
        if (step.ValueKind is JsonValueKind.Null or JsonValueKind.Undefined)
            return [];
        if (TypeOf(step, section, source) != "Sequence")
            return [step];
        return step.TryGetProperty(listName, out JsonElement list) && list.ValueKind == JsonValueKind.Array
            ? list.EnumerateArray()
            : throw new TokenizerFileException(source, $"'{section}.{listName}' must be a list.");
    }

    private static string TypeOf(JsonElement step, string section, string source) =>
        step.ValueKind == JsonValueKind.Object && step.TryGetProperty("type", out JsonElement type) && type.ValueKind == JsonValueKind.String
            ? type.GetString()!
            : throw new TokenizerFileException(source, $"'{section}' must be an object with a 'type'.");

    private static TokenizerFileException Unsupported(string source, string section, string type, string supported) =>
        new(source, $"the {section} '{type}' is not supported; {supported}.");
}
