using System.Text.Json;
using Glimmer.Cli.Golden;
using Glimmer.Dialogue.Output;
using Glimmer.Engine.Packages;
using Glimmer.Testing;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>A request of <c>tasks.jsonl</c> with what the reference said to it.</summary>
internal sealed class KnownRequest
{
    private KnownRequest(JsonElement row, int index)
    {
        Name = $"{index + 1}.{row.GetProperty("kind").GetString()}";
        Row = TaskRow.Read(row);
        Thinking = row.GetProperty("thinking").GetBoolean();
        Messages = row.GetProperty("messages");
        Tools = row.GetProperty("tools");
    }

    public static IReadOnlyList<KnownRequest> All { get; } =
        [.. File.ReadLines(Fixtures.Path("glimmer-tiny", "tasks.jsonl")).Select((line, index) => new KnownRequest(JsonSerializer.Deserialize<JsonElement>(line), index))];

    public string Name { get; }

    public TaskRow Row { get; }

    public bool Thinking { get; }

    public JsonElement Messages { get; }

    public JsonElement Tools { get; }

    /// <summary>The body of the request; <paramref name="more"/> wins over what it has by itself.</summary>
    public Dictionary<string, object?> Body(params (string Name, object? Value)[] more)
    {
        Dictionary<string, object?> body = new()
        {
            ["model"] = "glimmer-tiny",
            ["messages"] = Messages,
            ["tools"] = Tools,
            ["thinking"] = new { type = Thinking ? "enabled" : "disabled" },
            ["do_sample"] = false,
            ["max_tokens"] = 160,
        };
        foreach ((string name, object? value) in more)
            body[name] = value;
        return body;
    }

    /// <summary>What the output automaton makes of the first tokens of the reference, or of all of them.</summary>
    public SaidAnswer Reference(ModelPackage package, int? tokens = null)
    {
        OutputStart start = Row.PromptIds[^1] == package.Tokenizer.Encode("<think>", true)[0] ? OutputStart.Reasoning : OutputStart.Content;
        OutputAutomaton automaton = new(package.Generation, package.Tokenizer, new OutputOptions { Start = start, Tools = Row.Conversation.Tools });
        List<ChatEvent> events = [];
        int count = 0;
        foreach (int token in Row.GreedyIds.Take(tokens ?? int.MaxValue))
        {
            count++;
            if (automaton.Feed(token, events) != AutomatonVerdict.Continue)
                break;
        }

        string finish = "";
        if (tokens is null)
        {
            FinishReason reason = automaton.Finish(automaton.Ended ?? EndCause.MaxTokens, events);
            finish = reason switch { FinishReason.Stop => "stop", FinishReason.ToolCalls => "tool_calls", FinishReason.Length => "length", _ => reason.ToString() };
        }

        MessageBuilder message = new();
        message.Add(events);
        return new SaidAnswer(message.Reasoning ?? "", message.Content ?? "", SaidAnswer.Join(message.Calls), finish, Row.PromptIds.Length, count, automaton.ReasoningTokens)
        {
            CallList = message.Calls,
        };
    }
}
