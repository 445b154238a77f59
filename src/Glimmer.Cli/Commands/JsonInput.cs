using System.Text;
using System.Text.Json;
using Glimmer.Cli.Terminal;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Server.Hosting;

namespace Glimmer.Cli.Commands;

/// <summary>JSON that the user hands to a command: a file of one value, of one per line, or standard input.</summary>
internal static class JsonInput
{
    private static readonly JsonDocumentOptions _options = new() { MaxDepth = 256 };

    /// <summary>One JSON value.</summary>
    public static JsonElement Parse(string text)
    {
        using JsonDocument document = JsonDocument.Parse(text, _options);
        return LoneSurrogates.Replace(document.RootElement.Clone());
    }

    /// <summary>Reads the values. Lines are split at line feeds only: texts may hold U+2028.</summary>
    public static IEnumerable<JsonElement> Read(string path)
    {
        return path.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase)
            ? ReadLines(path)
            : [Parse(ReadText(path))];
    }

    /// <summary>Reads one value per line, whatever the file is called; <c>-</c> is standard input.</summary>
    /// <exception cref="JsonException">A line is not JSON; the message names it.</exception>
    public static IEnumerable<JsonElement> ReadLines(string path)
    {
        List<JsonElement> values = [];
        int number = 0;
        foreach (string line in ReadText(path).Split('\n'))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            try
            {
                values.Add(Parse(line));
            }
            catch (JsonException fault)
            {
                throw new JsonException($"{path}: line {number}: {fault.Message}", fault);
            }
        }

        return values;
    }

    private static string ReadText(string path) => path == "-" ? StandardInput.ReadToEnd() : File.ReadAllText(path, Encoding.UTF8);

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
