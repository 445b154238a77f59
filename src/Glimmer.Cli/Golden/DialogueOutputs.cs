using System.Globalization;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Cli.Golden;

/// <summary>Golden parses of model output and golden argument values, fed in every way in which text can arrive.</summary>
internal static class DialogueOutputs
{
    private static readonly Generation Newest = Generations.ForName("glm-4.7");

    /// <summary>Runs <c>parse.jsonl</c>.</summary>
    public static IEnumerable<GoldenCheck> RunParses(string file, CancellationToken cancel)
    {
        List<ToolDefinition> tools = [];
        foreach (JsonElement row in JsonLines.Read(file))
        {
            cancel.ThrowIfCancellationRequested();
            if (row.TryGetProperty("toolset", out JsonElement toolset))
                tools = [.. toolset.EnumerateArray().Select(Tool)];
            else
                yield return RunParse(row, tools);
        }
    }

    /// <summary>Runs <c>arguments.jsonl</c>.</summary>
    public static IEnumerable<GoldenCheck> RunArguments(string file, CancellationToken cancel)
    {
        Dictionary<string, ToolDefinition> tools = new(StringComparer.Ordinal);
        int number = 0;
        foreach (JsonElement row in JsonLines.Read(file))
        {
            cancel.ThrowIfCancellationRequested();
            number++;
            if (row.TryGetProperty("schemas", out JsonElement schemas))
            {
                string definitions = row.TryGetProperty("$defs", out JsonElement defs) ? defs.GetRawText() : "{}";
                foreach (JsonProperty schema in schemas.EnumerateObject())
                    tools[schema.Name] = Tool(Json(
                        """{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{"x":""" + schema.Value.GetRawText() +
                        """},"$defs":""" + definitions + "}}}"));
                continue;
            }

            yield return RunArgument(row, tools, number);
        }
    }

    private static GoldenCheck RunParse(JsonElement row, List<ToolDefinition> tools)
    {
        string output = row.GetProperty("output").GetString()!;
        HashSet<string> tags = [.. row.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()!)];
        OutputOptions options = new()
        {
            Start = row.GetProperty("initial").GetString() switch { "reasoning" => OutputStart.Reasoning, "content" => OutputStart.Content, _ => OutputStart.ThinkPending },
            Tools = row.GetProperty("tools").GetBoolean() ? tools : [],
        };
        EndCause cause = row.GetProperty("finish").GetString() == "length" ? EndCause.MaxTokens : EndCause.StopToken;
        int ways = 0, wrong = 0;
        string? detail = null;
        foreach ((string way, IReadOnlyList<string> pieces) in Ways(output))
        {
            foreach (bool streams in (bool[])[true, false])
            {
                ways++;
                string? problem = Compare(Fold(pieces, options with { StreamArguments = streams }, cause), row.GetProperty("expect"), tags.Contains("duplicate"));
                if (problem is null)
                    continue;
                wrong++;
                detail ??= $"{way}: {problem}";
            }
        }

        return new GoldenCheck($"parse.{row.GetProperty("id").GetString()}", wrong, 0, detail is null ? null : $"{wrong} of {ways} ways: {detail}");
    }

    private static GoldenCheck RunArgument(JsonElement row, Dictionary<string, ToolDefinition> tools, int number)
    {
        string? schema = row.GetProperty("schema").GetString();
        string text = row.GetProperty("text").GetString()!;
        string name = $"arguments.{number}.{schema ?? "unknown"}";
        if (schema is not null && !tools.ContainsKey(schema))
            return new GoldenCheck(name, double.NaN, 0, "no schema of this name");
        OutputOptions options = new()
        {
            Start = OutputStart.Content,
            Tools = [schema is null ? Tool(Json("""{"type":"function","function":{"name":"other"}}""")) : tools[schema]],
        };
        MessageBuilder message = Fold([$"<tool_call>f<arg_key>x</arg_key><arg_value>{text}</arg_value></tool_call>"], options, EndCause.StopToken);
        if (message.Calls is not [SaidCall call])
            return new GoldenCheck(name, 1, 0, $"{message.Calls.Count} calls");
        JsonElement value = Json(call.Arguments).GetProperty("x");
        bool same = Same(value, row.GetProperty("value"), ordered: true);
        return new GoldenCheck(name, same ? 0 : 1, 0, same ? null : $"{JsonSerializer.Serialize(text)}: expected {row.GetProperty("value").GetRawText()}, got {value.GetRawText()}");
    }

    private static IEnumerable<(string Way, IReadOnlyList<string> Pieces)> Ways(string output)
    {
        yield return ("whole", [output]);
        for (int cut = 1; cut < output.Length; cut++)
            yield return ($"cut at {cut}", [output[..cut], output[cut..]]);
        foreach (int size in (int[])[1, 2, 3, 5, 7, 11])
            yield return ($"pieces of {size}", [.. output.Chunk(size).Select(piece => new string(piece))]);
        yield return ("runes", [.. output.EnumerateRunes().Select(rune => rune.ToString())]);
    }

    private static MessageBuilder Fold(IReadOnlyList<string> pieces, OutputOptions options, EndCause cause)
    {
        OutputAutomaton automaton = new(Newest, null, options);
        List<ChatEvent> events = [];
        foreach (string piece in pieces)
            automaton.FeedText(piece, events);
        automaton.Finish(cause, events);
        MessageBuilder message = new();
        message.Add(events);
        return message;
    }

    /// <summary>How a message differs from what is expected; null when it does not.</summary>
    public static string? Compare(MessageBuilder message, JsonElement expected, bool unordered)
    {
        if (!string.Equals(message.Content, Text(expected, "content"), StringComparison.Ordinal))
            return $"content: expected {JsonSerializer.Serialize(Text(expected, "content"))}, got {JsonSerializer.Serialize(message.Content)}";
        if (!string.Equals(message.Reasoning, Text(expected, "reasoning_content"), StringComparison.Ordinal))
            return $"reasoning: expected {JsonSerializer.Serialize(Text(expected, "reasoning_content"))}, got {JsonSerializer.Serialize(message.Reasoning)}";
        JsonElement[] calls = expected.TryGetProperty("tool_calls", out JsonElement list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray()] : [];
        if (calls.Length != message.Calls.Count)
            return $"calls: expected {calls.Length}, got {message.Calls.Count}";
        for (int i = 0; i < calls.Length; i++)
        {
            SaidCall call = message.Calls[i];
            if (!string.Equals(call.Name, calls[i].GetProperty("name").GetString(), StringComparison.Ordinal))
                return $"call {i}: expected {calls[i].GetProperty("name").GetString()}, got {call.Name}";
            if (!Same(Json(call.Arguments), calls[i].GetProperty("arguments"), !unordered))
                return $"call {i}: expected {calls[i].GetProperty("arguments").GetRawText()}, got {call.Arguments}";
        }

        return null;
    }

    private static string? Text(JsonElement expected, string name) =>
        expected.TryGetProperty(name, out JsonElement text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    // Equal values of equal types; integers and fractions are different types, as in Python.
    private static bool Same(JsonElement left, JsonElement right, bool ordered)
    {
        if (left.ValueKind != right.ValueKind)
            return false;
        switch (left.ValueKind)
        {
            case JsonValueKind.Number:
                return SameNumber(left.GetRawText(), right.GetRawText());
            case JsonValueKind.String:
                return string.Equals(left.GetString(), right.GetString(), StringComparison.Ordinal);
            case JsonValueKind.Array:
                return left.GetArrayLength() == right.GetArrayLength() && left.EnumerateArray().Zip(right.EnumerateArray()).All(pair => Same(pair.First, pair.Second, ordered));
            case JsonValueKind.Object:
                List<string> leftKeys = [.. left.EnumerateObject().Select(property => property.Name).Distinct(StringComparer.Ordinal)];
                List<string> rightKeys = [.. right.EnumerateObject().Select(property => property.Name).Distinct(StringComparer.Ordinal)];
                if (!ordered)
                {
                    leftKeys.Sort(StringComparer.Ordinal);
                    rightKeys.Sort(StringComparer.Ordinal);
                }

                return leftKeys.SequenceEqual(rightKeys, StringComparer.Ordinal) && leftKeys.All(key => Same(left.GetProperty(key), right.GetProperty(key), ordered));
            default:
                return true;
        }
    }

    private static bool SameNumber(string left, string right)
    {
        bool fraction = left.AsSpan().IndexOfAny('.', 'e', 'E') >= 0;
        if (fraction != right.AsSpan().IndexOfAny('.', 'e', 'E') >= 0)
            return false;
        return fraction
            ? double.Parse(left, CultureInfo.InvariantCulture).Equals(double.Parse(right, CultureInfo.InvariantCulture))
            : string.Equals(left == "-0" ? "0" : left, right == "-0" ? "0" : right, StringComparison.Ordinal);
    }

    private static ToolDefinition Tool(JsonElement json) =>
        ConversationReader.TryReadTool(json, out ToolDefinition? tool, out RenderFault? fault) ? tool : throw new InvalidDataException(fault.ToString());

    private static JsonElement Json(string text)
    {
        using JsonDocument document = JsonDocument.Parse(Encoding.UTF8.GetBytes(text), new JsonDocumentOptions { MaxDepth = 600 });
        return document.RootElement.Clone();
    }
}
