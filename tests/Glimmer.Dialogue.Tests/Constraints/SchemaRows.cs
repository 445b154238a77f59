using System.Text.Json;
using Glimmer.Testing;

namespace Glimmer.Dialogue.Tests.Constraints;

/// <summary>A row of the golden schemas.</summary>
internal sealed record SchemaRow(string Name, string Tier, JsonElement Schema, string[] Valid, string[] ValidLoose, string[] Invalid)
{
    public static IReadOnlyList<SchemaRow> All { get; } = Load();

    private static List<SchemaRow> Load()
    {
        List<SchemaRow> rows = [];
        foreach (string line in File.ReadLines(Fixtures.Path("grammar", "schemas.jsonl")))
        {
            JsonElement row = JsonDocument.Parse(line).RootElement;
            rows.Add(new(
                row.GetProperty("name").GetString()!,
                row.GetProperty("tier").GetString()!,
                row.GetProperty("schema"),
                Texts(row, "valid"),
                Texts(row, "valid_loose"),
                Texts(row, "invalid")));
        }

        return rows;
    }

    private static string[] Texts(JsonElement row, string name) => [.. row.GetProperty(name).EnumerateArray().Select(t => t.GetString()!)];
}
