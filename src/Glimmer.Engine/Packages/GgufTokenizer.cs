using Glimmer.Dialogue.Tokenization;
using Glimmer.Models;
using Glimmer.Models.Weights;

namespace Glimmer.Engine.Packages;

/// <summary>Reads the tokenizer that a GGUF file carries in its metadata.</summary>
internal static class GgufTokenizer
{
    // Token types of the format.
    private const int Normal = 1;
    private const int Unknown = 2;
    private const int Control = 3;
    private const int UserDefined = 4;
    private const int Byte = 6;

    /// <summary>The tokenizer's data.</summary>
    /// <exception cref="ModelFileException">The file has no byte-level BPE tokenizer, or its parts contradict each other.</exception>
    public static TokenizerData Read(GgufMetadata metadata)
    {
        string model = metadata.GetString("tokenizer.ggml.model");
        if (model != "gpt2")
            throw new ModelFileException(metadata.Location, $"'tokenizer.ggml.model' is '{model}'; GLM models use byte-level BPE, 'gpt2'.");
        Utf8StringList tokens = Copy(metadata.GetStrings("tokenizer.ggml.tokens"));
        int[] types = metadata.FindInt32s("tokenizer.ggml.token_type") ?? [];
        if (types.Length != 0 && types.Length != tokens.Count)
            throw new ModelFileException(metadata.Location, $"{tokens.Count} tokens but {types.Length} token types; there must be one for each.");
        return new TokenizerData
        {
            Source = metadata.Location,
            Tokens = tokens,
            Kinds = Array.ConvertAll(types, KindOf),
            Merges = Copy(metadata.GetStrings("tokenizer.ggml.merges")),
        };
    }

    private static TokenKind KindOf(int type) => type switch
    {
        Normal or Byte => TokenKind.Text,
        Control or Unknown => TokenKind.Special,
        UserDefined => TokenKind.Added,
        _ => TokenKind.Unused,
    };

    private static Utf8StringList Copy(Utf8List source)
    {
        Utf8StringList copy = new(source.Count);
        for (int i = 0; i < source.Count; i++)
            copy.Add(source.BytesOf(i));
        return copy;
    }
}
