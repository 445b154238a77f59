using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Models;
using Glimmer.Models.Weights;

namespace Glimmer.Cli.Conversion;

/// <summary>Writes the tokenizer and the chat template of a checkpoint folder under the keys of a GGUF file.</summary>
internal static class TokenizerKeys
{
    private const long LargestText = 64L << 20;

    // Token types of the format.
    private const int Normal = 1;
    private const int Control = 3;
    private const int UserDefined = 4;
    private const int Unused = 5;

    /// <summary>Reads the tokenizer of a folder.</summary>
    /// <exception cref="TokenizerFileException">There is none, or GGUF cannot say what it does.</exception>
    public static Action<GgufWriter, int, IReadOnlyList<int>> Read(string folder)
    {
        TokenizerData data = ReadData(folder);
        string? template = Template(folder);
        return (writer, vocabulary, ends) => Write(writer, data, template, vocabulary, ends);
    }

    private static TokenizerData ReadData(string folder)
    {
        string json = Path.Combine(folder, "tokenizer.json"), ranks = Path.Combine(folder, "tokenizer.model"), config = Path.Combine(folder, "tokenizer_config.json");
        TokenizerData data;
        if (File.Exists(json))
            data = TokenizerJsonFile.Read(Bounded(json), json);
        else if (File.Exists(ranks))
            data = DerivedMerges.From(TokenizerRanksFile.Read(Bounded(ranks), ranks, File.Exists(config) ? TokenizerFiles.ReadConfig(Bounded(config), config) : []));
        else
            throw new TokenizerFileException(folder, "the folder holds neither tokenizer.json nor tokenizer.model, and a GGUF file carries its tokenizer.");

        // "glm4" is llama.cpp's name for the one expression that all GLM vocabularies split text by.
        _ = new Tokenizer(data); // refuses what contradicts itself
        return data.SplitsAsGlm
            ? data
            : throw new TokenizerFileException(data.Source, "its text is split by another expression than GLM's, for which GGUF has no name.");
    }

    private static void Write(GgufWriter writer, TokenizerData data, string? template, int vocabulary, IReadOnlyList<int> ends)
    {
        int count = Math.Max(data.Tokens.Count, data.AddedTokens.Select(token => token.Id + 1).DefaultIfEmpty(0).Max());
        if (count > vocabulary)
            throw new ModelFileException(data.Source, $"has ids up to {count - 1}, but the model only {vocabulary} rows of embeddings; they belong to different models.");
        byte[]?[] added = new byte[]?[vocabulary];
        int[] types = new int[vocabulary];
        for (int id = 0; id < vocabulary; id++)
            types[id] = id < data.Tokens.Count && data.Tokens[id].Length > 0 ? TypeOf(id < data.Kinds.Count ? data.Kinds[id] : TokenKind.Text) : Unused;
        foreach (AddedToken token in data.AddedTokens)
        {
            added[token.Id] = Encoding.UTF8.GetBytes(token.Content);
            types[token.Id] = token.Special ? Control : UserDefined;
        }

        // Other programs want a name for every row, also for those that were added to make the number round.
        byte[][] tokens = [.. Enumerable.Range(0, vocabulary).Select(id => added[id] ?? (types[id] == Unused ? Encoding.UTF8.GetBytes($"[PAD{id}]") : data.Tokens[id].ToArray()))];
        Utf8StringList merges = data.Merges!;
        writer.Add("tokenizer.ggml.model", "gpt2");
        writer.Add("tokenizer.ggml.pre", "glm4");
        writer.Add("tokenizer.ggml.tokens", vocabulary, id => tokens[id]);
        writer.Add("tokenizer.ggml.token_type", types);
        writer.Add("tokenizer.ggml.merges", merges.Count, i => merges[i].ToArray());
        int? end = Find("<|endoftext|>") ?? (ends.Count > 0 ? ends[0] : null);
        Put("eos", end);
        Put("padding", end);
        Put("unknown", end);
        Put("bos", Find("[gMASK]") ?? end);
        Put("eot", Find("<|user|>"));
        Put("eom", Find("<|observation|>"));
        writer.Add("tokenizer.ggml.add_bos_token", false); // the template writes [gMASK]<sop>
        if (template is not null)
            writer.Add("tokenizer.chat_template", template);

        int? Find(string content) => data.AddedTokens.FirstOrDefault(token => token.Content == content)?.Id;

        void Put(string name, int? id)
        {
            if (id is { } value)
                writer.Add($"tokenizer.ggml.{name}_token_id", (uint)value);
        }
    }

    private static int TypeOf(TokenKind kind) => kind switch
    {
        TokenKind.Text => Normal,
        TokenKind.Special => Control,
        TokenKind.Added => UserDefined,
        _ => Unused,
    };

    // A file of its own, or a string in the tokenizer's configuration.
    private static string? Template(string folder)
    {
        string own = Path.Combine(folder, "chat_template.jinja"), config = Path.Combine(folder, "tokenizer_config.json");
        if (File.Exists(own))
            return Encoding.UTF8.GetString(Bounded(own));
        if (!File.Exists(config))
            return null;
        try
        {
            using JsonDocument document = JsonDocument.Parse(Bounded(config));
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("chat_template", out JsonElement template) && template.ValueKind == JsonValueKind.String
                ? template.GetString()
                : null;
        }
        catch (Exception fault) when (fault is JsonException or InvalidOperationException)
        {
            throw new TokenizerFileException(config, $"the file is no valid JSON: {fault.Message}", fault);
        }
    }

    private static byte[] Bounded(string path) => new FileInfo(path).Length is var length && length <= LargestText
        ? File.ReadAllBytes(path)
        : throw new TokenizerFileException(path, $"the file has {length} bytes; {LargestText} are the most.");
}
