using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Tests;

/// <summary>Makes random texts, messages and tools, with a liking for what confuses parsers.</summary>
internal static class RandomTalk
{
    private static readonly string[] Pieces =
    [
        "a", "Hello", " ", "\n", "\n\n", "\t", "<", "</", ">", "{", "}", "\"", "\\", "\\n", "'", "é", "北京", "👩‍👩‍👧‍👦", "\u0085", "\u2028", "0", "1.5",
        "true", "null", "None", "/nothink", "<b>", "&lt;", "[1, 2]", "{\"a\": 1}", "<thin", "</tool_cal", "now", "\u001f", "\uFEFF", "```", "x", "The ", "answer. ",
    ];

    public static readonly string[] Controls = ControlTokens.All;

    public static string Text(Random random, int most, bool controls = false)
    {
        StringBuilder text = new();
        for (int i = random.Next(most + 1); i > 0; i--)
            text.Append(controls && random.Next(4) == 0 ? random.GetItems(Controls, 1)[0] : random.GetItems(Pieces, 1)[0]);
        return text.ToString();
    }

    public static JsonElement Json(string text)
    {
        using JsonDocument document = JsonDocument.Parse(text);
        return document.RootElement.Clone();
    }

    public static ToolDefinition Tool(string json) =>
        ConversationReader.TryReadTool(Json(json), out ToolDefinition? tool, out RenderFault? fault) ? tool : throw new ArgumentException(fault.ToString());

    public static IReadOnlyList<ToolDefinition> Tools { get; } =
    [
        Tool("""{"type":"function","function":{"name":"get_weather","description":"Weather","parameters":{"type":"object","properties":{"city":{"type":"string"},"days":{"type":"integer"},"metric":{"type":"boolean"}}}}}"""),
        Tool("""{"type":"function","function":{"name":"now"}}"""),
        Tool("""{"type":"function","function":{"name":"search","parameters":{"type":"object","properties":{"q":{"type":"string"},"limit":{"type":"integer"},"filters":{"type":"object"},"lang":{"anyOf":[{"type":"string"},{"type":"null"}]},"any":{}}}}}"""),
        Tool("""{"type":"function","name":"flat_tool","parameters":{"type":"object","properties":{"s":{"type":"string"}}}}"""),
    ];

    /// <summary>A random history: system, user, assistant and tool messages in an order that makes sense.</summary>
    public static Conversation History(Random random, bool controls)
    {
        List<ChatMessage> messages = [];
        if (random.Next(2) == 0)
            messages.Add(ChatMessage.OfText(ChatRole.System, Text(random, 40, controls)));
        int turns = random.Next(1, 6);
        for (int turn = 0; turn < turns; turn++)
            AddTurn(random, messages, controls, open: turn == turns - 1);
        RenderOptions options = new()
        {
            EnableThinking = random.Next(3) switch { 0 => null, 1 => true, _ => false },
            ClearThinking = random.Next(3) switch { 0 => null, 1 => true, _ => false },
            ReasoningEffort = random.Next(4) switch { 0 => "low", 1 => "high", 2 => "max", _ => null },
            AddGenerationPrompt = random.Next(4) != 0,
        };
        return new Conversation(messages, random.Next(2) == 0 ? Tools : [], options);
    }

    /// <summary>Adds a message of the user and what follows it.</summary>
    public static void AddTurn(Random random, List<ChatMessage> messages, bool controls, bool open)
    {
        messages.Add(ChatMessage.OfText(ChatRole.User, Text(random, 60, controls)));
        for (int calls = random.Next(3); calls > 0; calls--)
        {
            int parallel = random.Next(1, 3);
            List<ToolCall> made = [];
            for (int i = 0; i < parallel; i++)
                made.Add(new ToolCall($"call_{messages.Count}_{i}", "search", $$"""{"q": {{JsonSerializer.Serialize(Text(random, 10, controls))}}, "limit": {{random.Next(9)}}}"""));
            messages.Add(new ChatMessage
            {
                Role = ChatRole.Assistant,
                Content = random.Next(2) == 0 ? [] : [new TextPart(Text(random, 10, controls))],
                ReasoningContent = random.Next(3) == 0 ? null : Text(random, 20, controls),
                ToolCalls = made,
            });
            foreach (ToolCall call in made)
                messages.Add(new ChatMessage { Role = ChatRole.Tool, Content = [new TextPart(Text(random, 60, controls))], ToolCallId = call.Id });
        }

        if (!open || random.Next(4) == 0)
        {
            messages.Add(new ChatMessage
            {
                Role = ChatRole.Assistant,
                Content = [new TextPart(Text(random, 60, controls))],
                ReasoningContent = random.Next(3) == 0 ? null : Text(random, 40, controls),
            });
        }
    }
}
