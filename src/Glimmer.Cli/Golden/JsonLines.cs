using System.Text.Json;

namespace Glimmer.Cli.Golden;

/// <summary>Reads JSON Lines split at <c>\n</c> only: lines may hold U+2028 and U+0085.</summary>
internal static class JsonLines
{
    /// <summary>The rows of a file, in order.</summary>
    /// <exception cref="JsonException">A line is not JSON; the message names file and line.</exception>
    public static IEnumerable<JsonElement> Read(string file)
    {
        int number = 0;
        foreach (string line in File.ReadAllText(file).Split('\n'))
        {
            number++;
            if (line.Length == 0)
                continue;
            yield return Parse(line, file, number);
        }
    }

    private static JsonElement Parse(string line, string file, int number)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line, new JsonDocumentOptions { MaxDepth = 256 });
            return document.RootElement.Clone();
        }
        catch (JsonException fault)
        {
            throw new JsonException($"{Path.GetFileName(file)} line {number}: {fault.Message}", fault);
        }
    }
}
