using System.Text.Json;

namespace Glimmer.Dialogue.Tokenization;

/// <summary>Opens tokenizers from the files of a model's folder.</summary>
public static class TokenizerFiles
{
    /// <summary>Largest file that is read, in bytes. Real ones stay under 30 MB.</summary>
    public const long MaxBytes = 256L << 20;

    /// <summary>
    /// Opens a <c>tokenizer.json</c>, a ranks file <c>tokenizer.model</c> (its added tokens come from the
    /// <c>tokenizer_config.json</c> beside it), or a folder that holds one of them, the first preferred.
    /// </summary>
    /// <exception cref="TokenizerFileException">There is no such file, or it cannot be used.</exception>
    public static Tokenizer Open(string path)
    {
        if (Directory.Exists(path))
        {
            string json = Path.Combine(path, "tokenizer.json");
            string ranks = Path.Combine(path, "tokenizer.model");
            path = File.Exists(json) ? json : File.Exists(ranks) ? ranks
                : throw new TokenizerFileException(path, "the folder holds neither tokenizer.json nor tokenizer.model.");
        }

        if (path.EndsWith(".json", StringComparison.OrdinalIgnoreCase))
            return new Tokenizer(TokenizerJsonFile.Read(ReadBounded(path), path));
        string config = Path.Combine(Path.GetDirectoryName(Path.GetFullPath(path))!, "tokenizer_config.json");
        return OpenRanks(path, File.Exists(config) ? config : null);
    }

    /// <summary>Opens a ranks file with the added tokens of a <c>tokenizer_config.json</c>.</summary>
    /// <param name="ranksPath">The ranks file.</param>
    /// <param name="configPath">The configuration; null for no added tokens.</param>
    /// <exception cref="TokenizerFileException">A file cannot be used.</exception>
    public static Tokenizer OpenRanks(string ranksPath, string? configPath)
    {
        IReadOnlyList<AddedToken> added = configPath is null ? [] : ReadConfig(ReadBounded(configPath), configPath);
        return new Tokenizer(TokenizerRanksFile.Read(ReadBounded(ranksPath), ranksPath, added));
    }

    /// <summary>The added tokens of a <c>tokenizer_config.json</c> (<c>added_tokens_decoder</c>); none when it has none.</summary>
    /// <exception cref="TokenizerFileException">The file is malformed.</exception>
    public static IReadOnlyList<AddedToken> ReadConfig(ReadOnlyMemory<byte> content, string source)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(content);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
                throw new TokenizerFileException(source, "the file must hold a JSON object.");
            return document.RootElement.TryGetProperty("added_tokens_decoder", out JsonElement map) ? TokenizerJsonAdded.ById(map, source) : [];
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw new TokenizerFileException(source, $"the file is no valid JSON: {fault.Message}", fault);
        }
    }

    private static byte[] ReadBounded(string path)
    {
        try
        {
            long length = new FileInfo(path).Length;
            return length <= MaxBytes
                ? File.ReadAllBytes(path)
                : throw new TokenizerFileException(path, $"the file has {length} bytes; {MaxBytes} are the most for a tokenizer.");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new TokenizerFileException(path, $"the file cannot be read: {fault.Message}", fault);
        }
    }
}
