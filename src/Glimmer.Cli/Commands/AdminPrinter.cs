using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Cli.Terminal;

namespace Glimmer.Cli.Commands;

/// <summary>Prints answers of the admin API for people: lists as tables, things as lines of names and values.</summary>
internal static class AdminPrinter
{
    private static readonly JsonSerializerOptions _indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonSerializerOptions _line = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    // Instants are milliseconds since 1970 on the wire.
    private static readonly HashSet<string> _instants = new(StringComparer.Ordinal)
    {
        "created", "expires", "until", "at", "start", "end", "last_used", "state_until", "locked", "resets", "restricted_until", "since", "former_secret_until",
    };

    public static string Json(JsonNode answer) => answer.ToJsonString(_indented);

    /// <summary>False when a check found something.</summary>
    public static bool Holds(JsonNode answer) => answer is not JsonObject json || json["holds"]?.GetValue<bool>() != false;

    public static void Print(TextWriter output, JsonNode answer)
    {
        if (answer is not JsonObject json)
        {
            output.WriteLine(answer.ToJsonString(_line));
            return;
        }

        foreach ((string name, JsonNode? value) in json)
        {
            if (value is JsonArray { Count: > 0 } list && list[0] is JsonObject)
            {
                if (name != "data")
                    output.WriteLine($"{name}:");
                PrintTable(output, list);
            }
            else if (name == "data" && value is JsonArray { Count: 0 })
            {
                output.WriteLine("none");
            }
            else if (Cell(name, value) is { Length: > 0 } text)
            {
                output.WriteLine($"{name}: {text}");
            }
        }
    }

    private static void PrintTable(TextWriter output, JsonArray list)
    {
        List<string> columns = [.. list.SelectMany(row => row!.AsObject().Select(cell => cell.Key)).Distinct(StringComparer.Ordinal)];
        List<string[]> rows = [.. list.Select(row => columns.Select(column => Cell(column, row![column])).ToArray())];
        int[] shown = [.. Enumerable.Range(0, columns.Count).Where(column => rows.Exists(row => row[column].Length > 0))];
        rows.Insert(0, [.. columns]);
        int[] widths = [.. shown.Select(column => rows.Max(row => Width(row[column])))];
        foreach (string[] row in rows)
            output.WriteLine(string.Join("  ", shown.Select((column, i) => row[column] + new string(' ', widths[i] - Width(row[column])))).TrimEnd());
    }

    private static string Cell(string name, JsonNode? value) => value switch
    {
        null => "",
        JsonValue number when _instants.Contains(name) && number.TryGetValue(out long instant) =>
            DateTimeOffset.FromUnixTimeMilliseconds(instant).UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture),
        JsonValue text when text.TryGetValue(out string? plain) => new string([.. plain.Select(letter => char.IsControl(letter) ? ' ' : letter)]),
        JsonValue flag when flag.TryGetValue(out bool on) => on ? "yes" : "no",
        JsonArray list when list.All(item => item is null or JsonValue) => string.Join(",", list.Select(item => Cell("", item))),
        _ => value.ToJsonString(_line),
    };

    private static int Width(string text) => DisplayWidth.Of(text);
}
