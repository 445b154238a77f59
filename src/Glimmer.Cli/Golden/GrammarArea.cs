using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Schemas;
using Glimmer.Dialogue.Constraints.Schemas.Validation;

namespace Glimmer.Cli.Golden;

/// <summary>
/// Folders with <c>schemas.jsonl</c>: JSON schemas with texts that must be possible and texts that must not. A schema of the tier
/// <c>core</c> must compile under strictness; of others a refusal that names a keyword passes too. The validator is held to
/// the same verdicts.
/// </summary>
public sealed class GrammarArea : IGoldenArea
{
    private const string FileName = "schemas.jsonl";

    /// <inheritdoc/>
    public string Name => "grammar";

    /// <inheritdoc/>
    public bool Recognises(string folder) => File.Exists(Path.Combine(folder, FileName));

    /// <inheritdoc/>
    public IEnumerable<GoldenCheck> Run(string folder, CancellationToken cancel)
    {
        int number = 0;
        foreach (string line in File.ReadLines(Path.Combine(folder, FileName)))
        {
            cancel.ThrowIfCancellationRequested();
            number++;
            if (line.Length > 0)
                yield return RunLine(line, number);
        }
    }

    private static GoldenCheck RunLine(string line, int number)
    {
        string name = $"line {number}";
        List<string> mismatches = [];
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement row = document.RootElement;
            name = row.GetProperty("name").GetString() ?? name;
            CheckGrammar(row, mismatches);
            CheckValidator(row, mismatches);
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or JsonSchemaException)
        {
            mismatches.Add(e.Message);
        }

        return new(name, mismatches.Count, 0, mismatches.Count == 0 ? null : string.Join("; ", mismatches.Take(3)));
    }

    private static void CheckGrammar(JsonElement row, List<string> mismatches)
    {
        TextGrammar grammar = TextGrammar.JsonSchema(row.GetProperty("schema"), out IReadOnlyList<UnsupportedKeyword> unsupported);
        if (unsupported.Count > 0)
        {
            if (row.GetProperty("tier").ValueEquals("core"))
                mismatches.Add($"refused: {unsupported[0]}");
            return;
        }

        foreach (string text in Texts(row, "valid"))
        {
            if (!grammar.Accepts(Encoding.UTF8.GetBytes(text)))
                mismatches.Add($"blocked: {text}");
        }

        foreach (string text in Texts(row, "invalid"))
        {
            if (grammar.Accepts(Encoding.UTF8.GetBytes(text)))
                mismatches.Add($"admitted: {text}");
        }
    }

    private static void CheckValidator(JsonElement row, List<string> mismatches)
    {
        JsonSchemaValidator validator = new(row.GetProperty("schema"));
        foreach (string text in Texts(row, "valid").Concat(Texts(row, "valid_loose")))
        {
            if (!IsValid(validator, text))
                mismatches.Add($"validator refused: {text}");
        }

        foreach (string text in Texts(row, "invalid"))
        {
            if (IsValid(validator, text))
                mismatches.Add($"validator admitted: {text}");
        }
    }

    private static bool IsValid(JsonSchemaValidator validator, string text)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            return validator.IsValid(document.RootElement);
        }
        catch (JsonException)
        {
            // Not JSON at all, so not valid; the verdicts of the data count such texts as invalid.
            return false;
        }
    }

    private static IEnumerable<string> Texts(JsonElement row, string name) =>
        row.GetProperty(name).EnumerateArray().Select(t => t.GetString()!);
}
