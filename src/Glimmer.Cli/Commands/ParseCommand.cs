using System.CommandLine;
using System.Text;
using System.Text.Json;
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
        Argument<string?> file = new("FILE") { Description = "Text that a model said, with its tags; standard input when not given.", Arity = ArgumentArity.ZeroOrOne };
        Option<string> generation = RenderCommand.GenerationOption();
        Option<string> start = new("--start") { Description = "What the first word belongs to: reasoning, content or think-pending.", DefaultValueFactory = _ => "think-pending" };
        Option<string> end = new("--end") { Description = "Why the output ended: stop, length or tool-calls.", DefaultValueFactory = _ => "stop" };
        Option<string?> tools = new("--tools") { Description = "JSON file with the tools that were offered." };
        Option<bool> events = new("--events") { Description = "Print every event instead of the message." };
        Option<int> chunk = new("--chunk") { Description = "Feed it in pieces of so many characters; 0 for the whole.", DefaultValueFactory = _ => 0 };
        OneOf(start, "reasoning", "content", "think-pending");
        OneOf(end, "stop", "length", "tool-calls");
        Command command = new("parse", "Say what a model's output means: reasoning, content, tool calls.") { file, generation, start, end, tools, events, chunk };
        command.SetAction(result =>
        {
            try
            {
                string text = result.GetValue(file) is { } path and not "-" ? File.ReadAllText(path, Encoding.UTF8) : Console.In.ReadToEnd();
                OutputOptions options = new()
                {
                    Start = result.GetValue(start) switch { "reasoning" => OutputStart.Reasoning, "content" => OutputStart.Content, _ => OutputStart.ThinkPending },
                    Tools = result.GetValue(tools) is { } list ? ReadTools(list) : [],
                };
                EndCause cause = result.GetValue(end) == "length" ? EndCause.MaxTokens : EndCause.StopToken;
                return Parse(Generations.ForName(result.GetValue(generation)!), text, options, cause, Math.Max(0, result.GetValue(chunk)), result.GetValue(events));
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
        {
            foreach (JsonElement tool in value.ValueKind == JsonValueKind.Array ? value.EnumerateArray().ToArray() : [value])
            {
                if (!ConversationReader.TryReadTool(tool, out ToolDefinition? definition, out RenderFault? fault))
                    throw new ArgumentException($"{path}: tool {tools.Count}: {fault}");
                tools.Add(definition);
            }
        }

        return tools;
    }

    private static int Parse(Generation generation, string text, OutputOptions options, EndCause cause, int chunk, bool showEvents)
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
        if (showEvents)
        {
            foreach (ChatEvent said in events)
                Console.WriteLine(JsonOutput.Line(("event", said.Kind.ToString()), ("index", said.ToolIndex < 0 ? null : said.ToolIndex), ("text", said.Text.Length == 0 ? null : said.Text)));
            Console.WriteLine(JsonOutput.Line(("finish", finish.ToString())));
            return 0;
        }

        MessageBuilder message = new();
        message.Add(events);
        Console.WriteLine(JsonOutput.Line(
            ("content", message.Content),
            ("reasoning_content", message.Reasoning),
            ("tool_calls", message.Calls.Count == 0 ? null : message.Calls.Select(call => new { name = call.Name, arguments = call.Arguments })),
            ("finish", finish.ToString()),
            ("repairs", automaton.RepairsMade == Repairs.None ? null : automaton.RepairsMade.ToString())));
        return 0;
    }
}
