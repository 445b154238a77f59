using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary>JSON that the user hands to a command: a file of one value, of one per line, or standard input.</summary>
internal static class JsonInput
{
    /// <summary>Reads the values. Lines are split at line feeds only: texts may hold U+2028.</summary>
    public static IEnumerable<JsonElement> Read(string path)
    {
        string text = path == "-" ? Console.In.ReadToEnd() : File.ReadAllText(path, Encoding.UTF8);
        JsonDocumentOptions options = new() { MaxDepth = 256 };
        if (!path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase))
        {
            using JsonDocument document = JsonDocument.Parse(text, options);
            return [document.RootElement.Clone()];
        }

        List<JsonElement> values = [];
        foreach (string line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            if (string.IsNullOrWhiteSpace(line))
                continue;
            using JsonDocument document = JsonDocument.Parse(line, options);
            values.Add(document.RootElement.Clone());
        }

        return values;
    }

    /// <summary>Whether a failure is about what the user gave, to be told in one line.</summary>
    public static bool IsUsersFault(Exception fault) =>
        fault is IOException or UnauthorizedAccessException or JsonException or TokenizerFileException or GlimmerStartupException or ArgumentException;
}

/// <summary>JSON that commands print.</summary>
internal static class JsonOutput
{
    private static readonly JsonSerializerOptions _plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>One object on one line; fields that are null are left out.</summary>
    public static string Line(params (string Name, object? Value)[] fields)
    {
        Dictionary<string, object?> line = [];
        foreach ((string name, object? value) in fields)
        {
            if (value is not null)
                line[name] = value;
        }

        return JsonSerializer.Serialize(line, _plain);
    }
}
