using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Constraints.Schemas;

namespace Glimmer.Cli.Commands;

/// <summary>
/// <c>glimmer grammar FILE.jsonl</c>: one schema a line, <c>{"schema", "name"?, "valid"?, "invalid"?}</c>. Prints for each what is not
/// enforced, which valid texts are blocked and which invalid ones admitted, the tokens allowed at the start and the time to compile.
/// </summary>
internal static class GrammarRows
{
    /// <summary>Tries every row; 1 when a text got the wrong verdict, or under strictness when a schema cannot be enforced.</summary>
    /// <exception cref="ArgumentException">A row is not of this form; the message names row and field.</exception>
    public static int Run(IEnumerable<JsonElement> rows, ConstraintCompiler compiler, bool strict)
    {
        int number = 0, bad = 0;
        foreach (JsonElement row in rows)
        {
            number++;
            string place = string.Create(CultureInfo.InvariantCulture, $"row {number}");
            if (row.ValueKind != JsonValueKind.Object || !row.TryGetProperty("schema", out JsonElement schema))
                throw new ArgumentException($"{place}: it must be an object with schema.");
            string name = row.TryGetProperty("name", out JsonElement given) && given.ValueKind == JsonValueKind.String ? given.GetString()! : place;
            bad += Try(name, schema, Texts(row, "valid", place), Texts(row, "invalid", place), compiler, strict) ? 0 : 1;
        }

        return bad == 0 ? 0 : 1;
    }

    private static bool Try(string name, JsonElement schema, string[] valid, string[] invalid, ConstraintCompiler compiler, bool strict)
    {
        long start = Stopwatch.GetTimestamp();
        SchemaCompilation compiled;
        TextGrammar grammar;
        try
        {
            compiled = compiler.JsonSchema(schema, strict, AnswerPreamble.None);
            grammar = TextGrammar.JsonSchema(schema, out _);
        }
        catch (JsonSchemaException fault)
        {
            Console.WriteLine(JsonOutput.Line(("name", name), ("error", fault.Message)));
            return false;
        }

        double milliseconds = Math.Round(Stopwatch.GetElapsedTime(start).TotalMilliseconds, 2);
        string[] blocked = [.. valid.Where(text => !grammar.Accepts(Encoding.UTF8.GetBytes(text)))];
        string[] admitted = [.. invalid.Where(text => grammar.Accepts(Encoding.UTF8.GetBytes(text)))];
        Console.WriteLine(JsonOutput.Line(
            ("name", name),
            ("valid", valid.Length - blocked.Length),
            ("invalid", invalid.Length - admitted.Length),
            ("blocked", blocked.Length == 0 ? null : blocked),
            ("admitted", admitted.Length == 0 ? null : admitted),
            ("not_enforced", compiled.Unsupported.Count == 0 ? null : compiled.Unsupported.Select(keyword => keyword.ToString())),
            ("start_tokens", compiled.Constraint is null ? null : StartTokens(compiled.Constraint.Start(), compiler.MaskWords)),
            ("compile_ms", milliseconds)));
        // Where a keyword is not enforced, what it forbids is admitted knowingly.
        return blocked.Length == 0 && (admitted.Length == 0 || compiled.Unsupported.Count > 0) && compiled.Succeeded;
    }

    private static int? StartTokens(GrammarConstraint constraint, int words)
    {
        uint[] mask = new uint[words];
        return constraint.FillMask(mask) ? mask.Sum(word => BitOperations.PopCount(word)) : null;
    }

    private static string[] Texts(JsonElement row, string field, string place)
    {
        if (!row.TryGetProperty(field, out JsonElement list) || list.ValueKind == JsonValueKind.Null)
            return [];
        if (list.ValueKind != JsonValueKind.Array || list.EnumerateArray().Any(text => text.ValueKind != JsonValueKind.String))
            throw new ArgumentException($"{place}: {field}: it must be a list of strings.");
        return [.. list.EnumerateArray().Select(text => text.GetString()!)];
    }
}
