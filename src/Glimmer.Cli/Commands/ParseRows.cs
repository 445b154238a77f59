using System.Globalization;
using System.Text.Json;
using Glimmer.Cli.Golden;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;

namespace Glimmer.Cli.Commands;

/// <summary>
/// <c>glimmer parse FILE.jsonl</c>: one output a line, <c>{"output", "id"?, "initial"?, "finish"?, "tools"?, "generation"?, "expect"?}</c>. A line
/// <c>{"toolset": […]}</c> gives the tools of the lines after it that say <c>"tools": true</c>; <c>tools</c> may also be a list.
/// </summary>
internal static class ParseRows
{
    /// <summary>Prints the message of every row; 1 when one is not what its row expects.</summary>
    /// <exception cref="ArgumentException">A row has a field of the wrong kind; the message names row and field.</exception>
    public static int Run(IEnumerable<JsonElement> rows, Generation generation, IReadOnlyList<ToolDefinition> tools, int chunk, bool showEvents)
    {
        IReadOnlyList<ToolDefinition> toolset = tools;
        int number = 0, unexpected = 0;
        foreach (JsonElement row in rows)
        {
            number++;
            string place = string.Create(CultureInfo.InvariantCulture, $"row {number}");
            if (row.ValueKind != JsonValueKind.Object)
                throw new ArgumentException($"{place}: it must be an object with output.");
            if (row.TryGetProperty("toolset", out JsonElement offered))
            {
                toolset = ParseCommand.ReadTools(offered, $"{place}: toolset");
                continue;
            }

            ParsedOutput parsed = ParseCommand.Parse(FormOf(row, place) ?? generation, Text(row, "output", place) ?? throw new ArgumentException($"{place}: output: a string is required."), Options(row, toolset, place), CauseOf(row, place), chunk);
            bool? asExpected = row.TryGetProperty("expect", out JsonElement expect) && expect.ValueKind == JsonValueKind.Object
                ? DialogueOutputs.Compare(parsed.Message, expect, HasTag(row, "duplicate")) is null
                : null;
            unexpected += asExpected == false ? 1 : 0;
            ParseCommand.Show(parsed, Text(row, "id", place), asExpected, showEvents);
        }

        return unexpected == 0 ? 0 : 1;
    }

    private static Generation? FormOf(JsonElement row, string place)
    {
        if (Text(row, "generation", place) is not { } name)
            return null;
        return Generations.TryGet(name, out Generation? form) ? form : throw new ArgumentException($"{place}: generation: '{name}' is not known; use one of {string.Join(", ", Generations.All)}.");
    }

    private static OutputOptions Options(JsonElement row, IReadOnlyList<ToolDefinition> toolset, string place) => new()
    {
        Start = Text(row, "initial", place) switch
        {
            "reasoning" => OutputStart.Reasoning,
            "content" => OutputStart.Content,
            null or "think_pending" or "think-pending" => OutputStart.ThinkPending,
            string other => throw new ArgumentException($"{place}: initial: '{other}' is not known; use reasoning, content or think_pending."),
        },
        Tools = !row.TryGetProperty("tools", out JsonElement tools) ? toolset : tools.ValueKind switch
        {
            JsonValueKind.True => toolset,
            JsonValueKind.False or JsonValueKind.Null => [],
            JsonValueKind.Array => ParseCommand.ReadTools(tools, $"{place}: tools"),
            _ => throw new ArgumentException($"{place}: tools: it must be true, false or a list of tools."),
        },
    };

    private static EndCause CauseOf(JsonElement row, string place) => Text(row, "finish", place) switch
    {
        "length" => EndCause.MaxTokens,
        null or "stop" or "tool_calls" or "tool-calls" => EndCause.StopToken,
        string other => throw new ArgumentException($"{place}: finish: '{other}' is not known; use stop, length or tool_calls."),
    };

    private static bool HasTag(JsonElement row, string tag) =>
        row.TryGetProperty("tags", out JsonElement tags) && tags.ValueKind == JsonValueKind.Array && tags.EnumerateArray().Any(item => item.ValueKind == JsonValueKind.String && item.ValueEquals(tag));

    private static string? Text(JsonElement row, string name, string place) => !row.TryGetProperty(name, out JsonElement text) ? null : text.ValueKind switch
    {
        JsonValueKind.String => text.GetString(),
        JsonValueKind.Null => null,
        _ => throw new ArgumentException($"{place}: {name}: it must be a string."),
    };
}
