using Glimmer.Dialogue.Tokenization;
using Glimmer.Models;
using Glimmer.Models.Weights;

namespace Glimmer.Engine.Packages;

/// <summary>A model's vocabulary, read without its weights.</summary>
/// <param name="Tokenizer">The tokenizer.</param>
/// <param name="Architecture">The architecture that a GGUF names; null for other files.</param>
/// <param name="ChatTemplate">The published chat template; null when the files hold none.</param>
/// <param name="TurnEnds">Ids that a GGUF declares to end a turn; empty for other files.</param>
public sealed record PackageVocabulary(Tokenizer Tokenizer, string? Architecture, string? ChatTemplate, IReadOnlyList<int> TurnEnds)
{
    private const long LargestTemplate = 1 << 20;

    /// <summary>Reads a <c>tokenizer.json</c>, a ranks file <c>tokenizer.model</c>, a GGUF, or a folder that holds one of them.</summary>
    /// <exception cref="TokenizerFileException">There is no such file, or it cannot be used.</exception>
    /// <exception cref="ModelFileException">The GGUF cannot be used.</exception>
    public static PackageVocabulary Open(string path)
    {
        if (Directory.Exists(path))
        {
            bool hasTokenizer = File.Exists(Path.Combine(path, "tokenizer.json")) || File.Exists(Path.Combine(path, "tokenizer.model"));
            if (!hasTokenizer && Directory.EnumerateFiles(path, "*.gguf").Order(StringComparer.Ordinal).FirstOrDefault() is { } gguf)
                return FromGguf(gguf);
            FileInfo template = new(Path.Combine(path, "chat_template.jinja"));
            return new(TokenizerFiles.Open(path), null, template.Exists && template.Length <= LargestTemplate ? File.ReadAllText(template.FullName) : null, []);
        }

        if (!File.Exists(path))
            throw new TokenizerFileException(path, "there is no such file or folder.");
        return GgufFile.Recognises(path) ? FromGguf(path) : new(TokenizerFiles.Open(path), null, null, []);
    }

    private static PackageVocabulary FromGguf(string path)
    {
        using GgufFile file = GgufFile.Open(path);
        Tokenizer tokenizer = new(GgufTokenizer.Read(file.Metadata));
        SortedSet<int> ends = [];
        foreach (string key in (ReadOnlySpan<string>)["eos", "eot", "eom"])
        {
            if (file.Metadata.FindInt32($"tokenizer.ggml.{key}_token_id", 0, tokenizer.VocabularySize - 1) is { } token)
                ends.Add(token);
        }

        return new(tokenizer, file.Architecture, file.Metadata.FindString("tokenizer.chat_template"), [.. ends]);
    }
}
