using System.Globalization;
using System.Text.Json;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>Added tokens in the JSON forms of <c>tokenizer.json</c> (a list) and <c>tokenizer_config.json</c> (an object by id).</summary>
internal static class TokenizerJsonAdded
{
    /// <summary>Reads the list <c>added_tokens</c>.</summary>
    public static IReadOnlyList<AddedToken> List(JsonElement list, string source)
    {
        if (list.ValueKind == JsonValueKind.Null)
            return [];
        if (list.ValueKind != JsonValueKind.Array)
            throw new TokenizerFileException(source, "'added_tokens' must be a list.");
        var tokens = new List<AddedToken>();
        foreach (JsonElement item in list.EnumerateArray())
        {
            string where = $"'added_tokens[{tokens.Count}]'";
            if (item.ValueKind != JsonValueKind.Object)
                throw new TokenizerFileException(source, $"{where} must be an object.");
            if (!item.TryGetProperty("id", out JsonElement id) || id.ValueKind != JsonValueKind.Number || !id.TryGetInt32(out int number) || number < 0)
                throw new TokenizerFileException(source, $"{where}: 'id' must be a whole number from 0 to {int.MaxValue}.");
            tokens.Add(Token(item, number, where, source));
        }

        return tokens;
    }

    /// <summary>Reads the object <c>added_tokens_decoder</c>.</summary>
    public static IReadOnlyList<AddedToken> ById(JsonElement map, string source)
    {
        if (map.ValueKind != JsonValueKind.Object)
            throw new TokenizerFileException(source, "'added_tokens_decoder' must be an object.");
        var tokens = new List<AddedToken>();
        foreach (JsonProperty item in map.EnumerateObject())
        {
            string where = $"'added_tokens_decoder.{item.Name}'";
            if (!int.TryParse(item.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id) || item.Value.ValueKind != JsonValueKind.Object)
                throw new TokenizerFileException(source, $"{where} must be an object under an id.");
            tokens.Add(Token(item.Value, id, where, source));
        }

        return tokens;
    }

    /// <summary>
    /// Sees that the ids of added tokens that the vocabulary does not list go on where it ends: the reference ignores the numbers in the file and counts.
    /// </summary>
    public static void CheckIds(IReadOnlyList<AddedToken> added, TokenizerJsonModel model, string source)
    {
        int size = model.Tokens.Count;
        int next = size;
        foreach (AddedToken token in added.Where(token => token.Id >= size).OrderBy(token => token.Id))
        {
            if (token.Id != next++)
                throw new TokenizerFileException(source, $"the added token '{token.Content}' has the id {token.Id}; the ids must go on after the vocabulary without a gap: {next - 1}.");
        }

        foreach (AddedToken token in added.Where(token => token.Id < size))
        {
            if (!model.Tokens[token.Id].SequenceEqual(System.Text.Encoding.UTF8.GetBytes(token.Content)))
                throw new TokenizerFileException(source, $"the added token '{token.Content}' has the id {token.Id}, which belongs to another token of the vocabulary.");
        }
    }

    private static AddedToken Token(JsonElement item, int id, string where, string source)
    {
        if (!item.TryGetProperty("content", out JsonElement content) || content.ValueKind != JsonValueKind.String || content.GetString()!.Length == 0)
            throw new TokenizerFileException(source, $"{where}: 'content' must be a string that is not empty.");
        return new AddedToken(id, content.GetString()!)
        {
            Special = Flag("special"),
            SingleWord = Flag("single_word"),
            StripLeft = Flag("lstrip"),
            StripRight = Flag("rstrip"),
            Normalized = Flag("normalized"),
        };

        bool Flag(string name)
        {
            if (!item.TryGetProperty(name, out JsonElement flag))
                return false;
            return flag.ValueKind switch
            {
                JsonValueKind.True => true,
                JsonValueKind.False => false,
                _ => throw new TokenizerFileException(source, $"{where}: '{name}' must be true or false."),
            };
        }
    }
}
