using System.Text.Json;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// <c>tokenizer.json</c> of the Hugging Face library <c>tokenizers</c>, as far as byte-level BPE goes. Anything else is refused by its name.
/// </summary>
public static class TokenizerJsonFile
{
    private const int MaxDepth = 64;

    private static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>Reads a <c>tokenizer.json</c>.</summary>
    /// <param name="content">The file: UTF-8, with or without byte order mark.</param>
    /// <param name="source">Its name, for errors.</param>
    /// <exception cref="TokenizerFileException">The file is malformed or of a kind that is not supported.</exception>
    public static TokenizerData Read(ReadOnlySpan<byte> content, string source)
    {
        if (content.StartsWith(ByteOrderMark))
            content = content[ByteOrderMark.Length..];
        try
        {
            var reader = new Utf8JsonReader(content, new JsonReaderOptions { MaxDepth = MaxDepth });
            return new Reading(source).File(ref reader);
        }
        catch (JsonException fault)
        {
            throw new TokenizerFileException(source, $"the file is no valid JSON: {fault.Message}", fault);
        }
        catch (InvalidOperationException fault)
        {
            // The reader's word for a string that is no UTF-8 or holds half a surrogate pair.
            throw new TokenizerFileException(source, $"the file holds a string that is no valid Unicode: {fault.Message}", fault);
        }
    }

    private sealed class Reading(string source)
    {
        private TokenizerJsonModel? _model;
        private IReadOnlyList<AddedToken> _added = [];
        private JsonElement _preTokenizer;
        private JsonElement _postProcessor;

        public TokenizerData File(ref Utf8JsonReader reader)
        {
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
                throw new TokenizerFileException(source, "the file must hold a JSON object.");
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                string name = reader.GetString()!;
                reader.Read();
                Section(name, ref reader);
            }

            // What stands after the object is a fault too: reading on says so.
            reader.Read();
            if (_model is null)
                throw new TokenizerFileException(source, "the file has no 'model'.");
            if (_preTokenizer.ValueKind == JsonValueKind.Undefined)
                throw new TokenizerFileException(source, "the file has no 'pre_tokenizer'; a Sequence of Split and ByteLevel is supported.");
            TokenizerJsonAdded.CheckIds(_added, _model, source);
            (int[] prefix, int[] suffix) = TokenizerJsonPipeline.PostProcessor(_postProcessor, source);
            return new TokenizerData
            {
                Source = source,
                Tokens = _model.Tokens,
                Merges = _model.Merges,
                IgnoreMerges = _model.IgnoreMerges,
                AddedTokens = _added,
                RefuseShadowed = true,
                PieceExpression = TokenizerJsonPipeline.PreTokenizer(_preTokenizer, source),
                Prefix = prefix,
                Suffix = suffix,
            };
        }

        private void Section(string name, ref Utf8JsonReader reader)
        {
            switch (name)
            {
                case "model":
                    _model = TokenizerJsonModel.Read(ref reader, source);
                    break;
                case "added_tokens":
                    _added = TokenizerJsonAdded.List(JsonElement.ParseValue(ref reader), source);
                    break;
                case "normalizer":
                    TokenizerJsonPipeline.Normalizer(JsonElement.ParseValue(ref reader), source);
                    break;
                case "pre_tokenizer":
                    _preTokenizer = JsonElement.ParseValue(ref reader);
                    break;
                case "post_processor":
                    _postProcessor = JsonElement.ParseValue(ref reader);
                    break;
                case "decoder":
                    TokenizerJsonPipeline.Decoder(JsonElement.ParseValue(ref reader), source);
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
    }
}
