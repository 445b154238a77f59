using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Cli.Golden;

/// <summary>
/// Folders of tokenizer fixtures: texts and the ids, pieces and decoded streams that the reference makes of them. Each file's rows are
/// one check a file, whose difference is the number of rows that are wrong.
/// </summary>
public sealed class TokenizerArea : IGoldenArea
{
    private const string RealFolder = "real-glm4";

    // Vocabulary B (GLM-4.7-Flash and later) lists 3491 tokens more before the added ones; no text here needs them.
    private const int ShiftOfVocabularyB = 154820 - 151329;

    // GLM-4-9B, 0414 and Z1 know only the first of the added tokens: there "/nothink" and "<think>" are plain text.
    private const int EarlyAddedTokens = 14;

    private static readonly string[] _earlyGenerations = ["glm-4-9b-chat", "glm-4-0414", "glm-z1"];

    /// <inheritdoc/>
    public string Name => "tokenizer";

    /// <inheritdoc/>
    public bool Recognises(string folder) =>
        Holds(folder, "tokenizer.json", "encode.jsonl", "encode-long.jsonl", "decode.jsonl") ||
        Holds(folder, "tokenizer-flags.json", "encode-flags.jsonl") ||
        Holds(folder, "tokenizer.model", "encode-legacy.jsonl");

    /// <inheritdoc/>
    public IEnumerable<GoldenCheck> Run(string folder, CancellationToken cancel)
    {
        string real = Path.Combine(folder, RealFolder);
        (string Tokenizer, string Rows, Func<Tokenizer, JsonElement, bool> Test)[] files =
        [
            ("tokenizer.json", "encode.jsonl", Encode),
            ("tokenizer.json", "encode-long.jsonl", EncodeLong),
            ("tokenizer.json", "decode.jsonl", Decode),
            ("tokenizer-flags.json", "encode-flags.jsonl", EncodeFlags),
            ("tokenizer.model", "encode-legacy.jsonl", EncodeLegacy),
        ];
        foreach ((string tokenizerFile, string rowsFile, Func<Tokenizer, JsonElement, bool> test) in files)
        {
            string rows = Path.Combine(folder, rowsFile);
            if (File.Exists(rows))
                yield return Check(rowsFile, rows, () => Open(folder, tokenizerFile), test, cancel);
        }

        if (File.Exists(Path.Combine(folder, "unicode-classes.json")))
            yield return UnicodeClassCheck(Path.Combine(folder, "unicode-classes.json"));
        string realModel = Path.Combine(real, "tokenizer.model");
        if (!File.Exists(realModel))
            yield break;
        if (File.Exists(Path.Combine(real, "encode.jsonl")))
            yield return Check(RealFolder + "/encode.jsonl", Path.Combine(real, "encode.jsonl"), () => OpenReal(folder, 0, int.MaxValue), EncodeReal, cancel);
        if (File.Exists(Path.Combine(real, "prompts.jsonl")))
            yield return Prompts(folder, cancel);
        if (File.Exists(Path.Combine(folder, "real-glm5-ids.jsonl")))
            yield return Check("real-glm5-ids.jsonl", Path.Combine(folder, "real-glm5-ids.jsonl"), () => OpenReal(folder, ShiftOfVocabularyB, int.MaxValue), EncodeReal, cancel);
    }

    // The folder of the published vocabulary has rows of its own, but runs with the folder above it, which has the added tokens.
    private static bool Holds(string folder, string tokenizer, params ReadOnlySpan<string> rows)
    {
        foreach (string file in rows)
        {
            if (File.Exists(Path.Combine(folder, file)) && File.Exists(Path.Combine(folder, tokenizer)))
                return true;
        }

        return false;
    }

    private static Tokenizer Open(string folder, string file)
    {
        string path = Path.Combine(folder, file);
        string config = Path.Combine(folder, "tokenizer_config.legacy.json");
        return file == "tokenizer.model" && File.Exists(config) ? TokenizerFiles.OpenRanks(path, config) : TokenizerFiles.Open(path);
    }

    /// <summary>The published vocabulary with the 36 added tokens of the folder's own tokenizer, in the same order.</summary>
    private static Tokenizer OpenReal(string folder, int shift, int count)
    {
        string path = Path.Combine(folder, RealFolder, "tokenizer.model");
        TokenizerData plain = TokenizerRanksFile.Read(File.ReadAllBytes(path), path, []);
        int next = plain.Tokens.Count + shift;
        AddedToken[] added = [.. Open(folder, "tokenizer.json").AddedTokens.Take(count).Select((token, i) => token with { Id = next + i })];
        return new Tokenizer(TokenizerRanksFile.Read(File.ReadAllBytes(path), path, added));
    }

    private static bool Encode(Tokenizer tokenizer, JsonElement row)
    {
        string text = Text(row, "text");
        int[] ids = Ids(row, "ids");
        bool isAdded = row.TryGetProperty("added", out JsonElement added) && added.GetBoolean();
        bool right = tokenizer.Encode(text, recogniseAdded: true).SequenceEqual(ids) && WithSpecial(tokenizer, row, ids);
        if (!isAdded)
            right &= tokenizer.Encode(text, recogniseAdded: false).SequenceEqual(ids);
        if (row.TryGetProperty("pre", out _))
            right &= Texts(row, "pre").SequenceEqual(tokenizer.Pieces(text), StringComparer.Ordinal);
        return right;
    }

    private static bool WithSpecial(Tokenizer tokenizer, JsonElement row, int[] ids) =>
        !row.TryGetProperty("ids_with_special", out _) ||
        tokenizer.Prefix.Concat(ids).Concat(tokenizer.Suffix).SequenceEqual(Ids(row, "ids_with_special"));

    private static bool EncodeFlags(Tokenizer tokenizer, JsonElement row)
    {
        int[] ids = Ids(row, "ids");
        return tokenizer.Encode(Text(row, "text"), recogniseAdded: true).SequenceEqual(ids) && WithSpecial(tokenizer, row, ids) &&
            tokenizer.Decode(ids) == Text(row, "decode") && tokenizer.Decode(ids, skipSpecial: true) == Text(row, "decode_skip_special");
    }

    private static bool EncodeLegacy(Tokenizer tokenizer, JsonElement row)
    {
        string text = Text(row, "text");
        return tokenizer.Encode(text, recogniseAdded: false).SequenceEqual(Ids(row, "ids")) &&
            (!row.TryGetProperty("ids_allow_special", out _) || tokenizer.Encode(text, recogniseAdded: true).SequenceEqual(Ids(row, "ids_allow_special"))) &&
            (!row.TryGetProperty("prefix", out _) || tokenizer.Prefix.SequenceEqual(Ids(row, "prefix")));
    }

    private static bool EncodeReal(Tokenizer tokenizer, JsonElement row) =>
        tokenizer.Encode(Text(row, "text"), recogniseAdded: true).SequenceEqual(Ids(row, "ids"));

    private static bool EncodeLong(Tokenizer tokenizer, JsonElement row)
    {
        var text = new StringBuilder();
        foreach (JsonElement part in row.GetProperty("parts").EnumerateArray())
            text.Insert(text.Length, part[0].GetString()!, part[1].GetInt32());
        List<int> ids = tokenizer.Encode(text.ToString(), recogniseAdded: true);
        return HasDigest(row, ids);
    }

    private static bool HasDigest(JsonElement row, List<int> ids)
    {
        byte[] bytes = new byte[ids.Count * sizeof(int)];
        for (int i = 0; i < ids.Count; i++)
            BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(i * sizeof(int)), ids[i]);
        return ids.Count == row.GetProperty("count").GetInt32() &&
            Convert.ToHexStringLower(SHA256.HashData(bytes)) == row.GetProperty("sha256_le_int32").GetString();
    }

    private static bool Decode(Tokenizer tokenizer, JsonElement row)
    {
        int[] ids = Ids(row, "ids");
        return tokenizer.Decode(ids) == Text(row, "text") && tokenizer.Decode(ids, skipSpecial: true) == Text(row, "text_skip_special") &&
            Stream(tokenizer, ids, skipSpecial: false).SequenceEqual(Texts(row, "stream"), StringComparer.Ordinal) &&
            Stream(tokenizer, ids, skipSpecial: true).SequenceEqual(Texts(row, "stream_skip_special"), StringComparer.Ordinal);
    }

    private static IEnumerable<string> Stream(Tokenizer tokenizer, int[] ids, bool skipSpecial)
    {
        var decoder = new StreamDecoder(tokenizer, skipSpecial);
        foreach (int id in ids)
            yield return decoder.Append(id).ToString();
        yield return decoder.Flush().ToString();
    }

    private static GoldenCheck UnicodeClassCheck(string path)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        JsonElement ranges = document.RootElement.GetProperty("ranges");
        int wrong = 0;
        foreach ((string name, char kind) in new[] { ("L", 'L'), ("N", 'N'), ("s", 's') })
        {
            bool[] members = new bool[0x110000];
            foreach (JsonElement range in ranges.GetProperty(name).EnumerateArray())
                members.AsSpan(range[0].GetInt32(), range[1].GetInt32() - range[0].GetInt32() + 1).Fill(true);
            for (int codePoint = 0; codePoint < members.Length; codePoint++)
                wrong += members[codePoint] != (Tokenizer.ClassOf(codePoint) == kind) ? 1 : 0;
        }

        return new GoldenCheck("unicode-classes.json", wrong, 0, wrong == 0 ? null : $"{wrong} code points are in another class");
    }

    private static GoldenCheck Prompts(string folder, CancellationToken cancel)
    {
        const string PromptsName = RealFolder + "/prompts.jsonl";
        string rendered = Path.Combine(folder, "..", "dialogue", "rendered");
        if (!Directory.Exists(rendered))
            return new GoldenCheck(PromptsName, double.NaN, 0, $"skipped: the rendered prompts are not at {Path.GetFullPath(rendered)}");
        var prompts = new Dictionary<(string, string), string>();
        foreach (string file in Directory.EnumerateFiles(rendered, "*.jsonl"))
        {
            foreach (JsonElement row in Rows(file))
                prompts[(Path.GetFileNameWithoutExtension(file), Text(row, "id"))] = Text(row, "rendered");
        }

        Tokenizer? early = null;
        return Check(PromptsName, Path.Combine(folder, RealFolder, "prompts.jsonl"), () => OpenReal(folder, 0, int.MaxValue), IsRight, cancel);

        bool IsRight(Tokenizer tokenizer, JsonElement row)
        {
            if (_earlyGenerations.Contains(Text(row, "generation")))
                tokenizer = early ??= OpenReal(folder, 0, EarlyAddedTokens);
            List<int> ids = tokenizer.Encode(prompts[(Text(row, "generation"), Text(row, "id"))], recogniseAdded: true);
            int[] first = Ids(row, "first");
            int[] last = Ids(row, "last");
            return HasDigest(row, ids) && ids.Take(first.Length).SequenceEqual(first) && ids.TakeLast(last.Length).SequenceEqual(last);
        }
    }

    private static GoldenCheck Check(
        string name, string rowsPath, Func<Tokenizer> open, Func<Tokenizer, JsonElement, bool> test, CancellationToken cancel)
    {
        int rows = 0;
        var wrong = new List<string>();
        try
        {
            Tokenizer tokenizer = open();
            foreach (JsonElement row in Rows(rowsPath))
            {
                cancel.ThrowIfCancellationRequested();
                rows++;
                if (!test(tokenizer, row))
                    wrong.Add($"row {rows}: {Cut(row.GetRawText())}");
            }
        }
        catch (Exception fault) when (fault is not OperationCanceledException)
        {
            return new GoldenCheck(name, double.NaN, 0, $"row {rows}: {fault.Message}");
        }

        if (rows == 0)
            return new GoldenCheck(name, double.NaN, 0, "the file holds no row");
        return new GoldenCheck(name, wrong.Count, 0, wrong.Count == 0 ? null : $"{wrong.Count} of {rows} rows differ; {string.Join("; ", wrong.Take(3))}");
    }

    private static IEnumerable<JsonElement> Rows(string path)
    {
        // JSON Lines end at \n only: a row may hold U+2028 or U+0085.
        foreach (string line in File.ReadAllText(path).Split('\n'))
        {
            if (string.IsNullOrWhiteSpace(line))
                continue;
            using JsonDocument document = JsonDocument.Parse(line);
            yield return document.RootElement.Clone();
        }
    }

    private static string Cut(string text) => text.Length <= 120 ? text : text[..120] + "…";

    private static string Text(JsonElement row, string name) => row.GetProperty(name).GetString()!;

    private static IEnumerable<string> Texts(JsonElement row, string name) => row.GetProperty(name).EnumerateArray().Select(item => item.GetString()!);

    private static int[] Ids(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(item => item.GetInt32())];
}
