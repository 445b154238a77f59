using System.CommandLine;
using System.Text;
using System.Text.Json;
using Glimmer.Cli.Terminal;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer parse</c>: what a model's output means.</summary>
internal static class ParseCommand
{
    public static Command Create()
    {
        Argument<string?> file = new("FILE") { Description = "Text that a model said, with its tags; standard input when not given. A .jsonl file has objects with output, and optionally id, initial, finish, tools (a list, or true for the file's toolset), generation and expect.", Arity = ArgumentArity.ZeroOrOne };
        Option<string> generation = RenderCommand.GenerationOption();
        Option<string> start = new("--start") { Description = "What the first word belongs to: reasoning, content or think-pending.", DefaultValueFactory = _ => "think-pending" };
        Option<string> end = new("--end") { Description = "Why the output ended: stop, length or tool-calls.", DefaultValueFactory = _ => "stop" };
        Option<string?> tools = new("--tools") { Description = "JSON file with the tools that were offered." };
        Option<bool> events = new("--events") { Description = "Print every event instead of the message." };
        Option<bool> json = new("--json") { Description = "Read objects as of a .jsonl file, whatever the file is called." };
        Option<int> chunk = new("--chunk") { Description = "Feed it in pieces of so many characters; 0 for the whole.", DefaultValueFactory = _ => 0 };
        OneOf(start, "reasoning", "content", "think-pending");
        OneOf(end, "stop", "length", "tool-calls");
        Command command = new("parse", "Say what a model's output means: reasoning, content, tool calls.") { file, generation, start, end, tools, events, chunk, json };
        command.SetAction(result =>
        {
            try
            {
                int pieces = Math.Max(0, result.GetValue(chunk));
                Generation form = Generations.ForName(result.GetValue(generation)!);
                if (result.GetValue(json) || result.GetValue(file)?.EndsWith(".jsonl", StringComparison.OrdinalIgnoreCase) == true)
                    return ParseRows.Run(JsonInput.ReadLines(result.GetValue(file) ?? "-"), form, result.GetValue(tools) is { } offered ? ReadTools(offered) : [], pieces, result.GetValue(events));
                string text = result.GetValue(file) is { } path and not "-" ? File.ReadAllText(path, Encoding.UTF8) : StandardInput.ReadToEnd();
                OutputOptions options = new()
                {
                    Start = result.GetValue(start) switch { "reasoning" => OutputStart.Reasoning, "content" => OutputStart.Content, _ => OutputStart.ThinkPending },
                    Tools = result.GetValue(tools) is { } list ? ReadTools(list) : [],
                };
                EndCause cause = result.GetValue(end) == "length" ? EndCause.MaxTokens : EndCause.StopToken;
                Show(Parse(form, text, options, cause, pieces), null, null, result.GetValue(events));
                return 0;
            }
            catch (Exception fault) when (JsonInput.IsUsersFault(fault))
            {
                Console.Error.WriteLine($"parse: {fault.Message}");
                return 65;
            }
        });
        return command;
    }

    private static void OneOf(Option<string> option, params string[] values) => option.Validators.Add(result =>
    {
        if (!values.Contains(result.Checked<string>(), StringComparer.Ordinal))
            result.AddError($"{option.Name} must be one of {string.Join(", ", values)}.");
    });

    private static List<ToolDefinition> ReadTools(string path)
    {
        List<ToolDefinition> tools = [];
        foreach (JsonElement value in JsonInput.Read(path))
            tools.AddRange(ReadTools(value, path));
        return tools;
    }

    /// <summary>The tools of a list, or one tool.</summary>
    /// <exception cref="ArgumentException">One of them is no tool.</exception>
    internal static List<ToolDefinition> ReadTools(JsonElement value, string place)
    {
        List<ToolDefinition> tools = [];
        foreach (JsonElement tool in value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().ToArray() : [value])
        {
            if (!ConversationReader.TryReadTool(tool, out ToolDefinition? definition, out RenderFault? fault))
                throw new ArgumentException($"{place}: tool {tools.Count}: {fault}");
            tools.Add(definition);
        }

        return tools;
    }

    /// <summary>Reads an output in pieces of <paramref name="chunk"/> characters, 0 for the whole.</summary>
    internal static ParsedOutput Parse(Generation generation, string text, OutputOptions options, EndCause cause, int chunk)
    {
        OutputAutomaton automaton = new(generation, null, options);
        List<ChatEvent> events = [];
        int step = chunk == 0 ? Math.Max(1, text.Length) : chunk;
        for (int i = 0; i < text.Length; i += step)
        {
            if (automaton.FeedText(text.AsSpan(i, Math.Min(step, text.Length - i)), events) == AutomatonVerdict.Done)
                break;
        }

        FinishReason finish = automaton.Finish(automaton.Ended ?? cause, events);
        MessageBuilder message = new();
        message.Add(events);
        return new ParsedOutput(events, message, finish, automaton.RepairsMade);
    }

    /// <summary>Prints the events, or the message with the row's id and whether it is the one expected, where there are such.</summary>
    internal static void Show(ParsedOutput parsed, string? id, bool? asExpected, bool showEvents)
    {
        if (showEvents)
        {
            foreach (ChatEvent said in parsed.Events)
                Console.WriteLine(JsonOutput.Line(("id", id), ("event", said.Kind.ToString()), ("index", said.ToolIndex < 0 ? null : said.ToolIndex), ("text", said.Text.Length == 0 ? null : said.Text)));
            Console.WriteLine(JsonOutput.Line(("id", id), ("finish", parsed.Finish.ToString()), ("as_expected", asExpected)));
            return;
        }

        Console.WriteLine(JsonOutput.Line(
            ("id", id),
            ("content", parsed.Message.Content),
            ("reasoning_content", parsed.Message.Reasoning),
            ("tool_calls", parsed.Message.Calls.Count == 0 ? null : parsed.Message.Calls.Select(call => new { name = call.Name, arguments = call.Arguments })),
            ("finish", parsed.Finish.ToString()),
            ("repairs", parsed.Repairs == Repairs.None ? null : parsed.Repairs.ToString()),
            ("as_expected", asExpected)));
    }
}

/// <summary>What an output means.</summary>
/// <param name="Events">As they came.</param>
/// <param name="Message">Their fold.</param>
/// <param name="Finish">Why it ended.</param>
/// <param name="Repairs">What was mended.</param>
internal sealed record ParsedOutput(IReadOnlyList<ChatEvent> Events, MessageBuilder Message, FinishReason Finish, Repairs Repairs);
