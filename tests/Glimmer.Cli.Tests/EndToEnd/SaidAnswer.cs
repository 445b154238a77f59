using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>What a client got, whether whole or in pieces. Two answers are equal when every text, call and count is.</summary>
internal sealed record SaidAnswer(string Reasoning, string Content, string Calls, string Finish, int PromptTokens, int CompletionTokens, int ReasoningTokens)
{
    /// <summary>The calls with names and arguments.</summary>
    public IReadOnlyList<SaidCall> CallList { get; init; } = [];

    public bool Equals(SaidAnswer? other) =>
        other is not null && (Reasoning, Content, Calls, Finish, PromptTokens, CompletionTokens, ReasoningTokens)
            == (other.Reasoning, other.Content, other.Calls, other.Finish, other.PromptTokens, other.CompletionTokens, other.ReasoningTokens);

    public override int GetHashCode() => HashCode.Combine(Reasoning, Content, Calls, Finish);

    public static string Join(IEnumerable<SaidCall> calls) => string.Join('\n', calls.Select(call => $"{call.Name} {call.Arguments}"));

    public static SaidAnswer Read(JsonElement body)
    {
        JsonElement choice = body.GetProperty("choices")[0];
        JsonElement message = choice.GetProperty("message");
        List<SaidCall> calls = [];
        if (message.TryGetProperty("tool_calls", out JsonElement list))
            calls.AddRange(list.EnumerateArray().Select(call => call.GetProperty("function")).Select(function => new SaidCall(Text(function, "name"), Text(function, "arguments"))));
        return Make(Text(message, "reasoning_content"), Text(message, "content"), calls, Text(choice, "finish_reason"), body.GetProperty("usage"));
    }

    public static async Task<SaidAnswer> ReadStreamAsync(Stream stream, CancellationToken cancel)
    {
        StringBuilder reasoning = new(), content = new();
        SortedDictionary<int, (string Name, StringBuilder Arguments)> calls = [];
        string finish = "";
        JsonElement usage = default;
        using StreamReader reader = new(stream, Encoding.UTF8);
        while (await reader.ReadLineAsync(cancel) is { } line)
        {
            if (line.Length == 0)
                continue;
            Assert.StartsWith("data: ", line, StringComparison.Ordinal);
            if (line == "data: [DONE]")
                return Make(reasoning.ToString(), content.ToString(), [.. calls.Values.Select(call => new SaidCall(call.Name, call.Arguments.ToString()))], finish, usage);
            JsonElement chunk = JsonSerializer.Deserialize<JsonElement>(line[6..]);
            JsonElement choice = chunk.GetProperty("choices")[0];
            JsonElement delta = choice.GetProperty("delta");
            reasoning.Append(Text(delta, "reasoning_content"));
            content.Append(Text(delta, "content"));
            if (delta.TryGetProperty("tool_calls", out JsonElement pieces))
            {
                foreach (JsonElement piece in pieces.EnumerateArray())
                {
                    int index = piece.GetProperty("index").GetInt32();
                    if (!calls.TryGetValue(index, out (string Name, StringBuilder Arguments) call))
                        calls[index] = call = (Text(piece.GetProperty("function"), "name"), new StringBuilder());
                    call.Arguments.Append(Text(piece.GetProperty("function"), "arguments"));
                }
            }

            if (Text(choice, "finish_reason") is { Length: > 0 } reason)
            {
                finish = reason;
                usage = chunk.GetProperty("usage");
            }
        }

        throw new InvalidDataException("The stream ended without [DONE].");
    }

    private static SaidAnswer Make(string reasoning, string content, List<SaidCall> calls, string finish, JsonElement usage) => new(
        reasoning,
        content,
        Join(calls),
        finish,
        usage.GetProperty("prompt_tokens").GetInt32(),
        usage.GetProperty("completion_tokens").GetInt32(),
        usage.GetProperty("completion_tokens_details").GetProperty("reasoning_tokens").GetInt32())
    {
        CallList = calls,
    };

    private static string Text(JsonElement item, string name) =>
        item.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}
