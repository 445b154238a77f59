using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Tests.Conversations;

public sealed class ConversationReaderTests
{
    [Fact]
    public void A_whole_conversation_is_read()
    {
        Conversation conversation = Read("""
            {"messages": [
               {"role": "developer", "content": "S"},
               {"role": "user", "content": [{"type": "text", "text": "a"}, "b", {"type": "image_url", "image_url": {"url": "u"}}, {"type": "input_audio"}]},
               {"role": "assistant", "content": null, "reasoning_content": "R", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": {"x": 1E2}}}, {"name": "g", "arguments": ""}]},
               {"role": "tool", "tool_call_id": "1", "content": [{"output": "o"}, {"type": "tool_reference", "name": "f"}]}],
             "tools": [{"type": "function", "function": {"name": "f"}}, {"name": "g", "parameters": null}],
             "options": {"enable_thinking": false, "clear_thinking": null, "reasoning_effort": "high", "add_generation_prompt": false, "continue_final_message": true}}
            """);
        Assert.Equal([ChatRole.System, ChatRole.User, ChatRole.Assistant, ChatRole.Tool], conversation.Messages.Select(message => message.Role));
        Assert.Equal(
            [new TextPart("a"), new TextPart("b") { IsBare = true }, new MediaPart(MediaKind.Image, "u"), new MediaPart(MediaKind.Audio, "")],
            conversation.Messages[1].Content);
        Assert.Equal([new ToolCall("1", "f", "{\"x\": 100.0}"), new ToolCall("", "g", "")], conversation.Messages[2].ToolCalls);
        Assert.Equal([new ToolOutputPart("o"), new ToolReferencePart("f")], conversation.Messages[3].Content);
        Assert.Equal(["f", "g"], conversation.Tools.Select(tool => tool.Name));
        Assert.All(conversation.Tools, tool => Assert.Null(tool.Parameters));
        Assert.Equal(new RenderOptions { EnableThinking = false, ReasoningEffort = "high", AddGenerationPrompt = false, ContinueFinalMessage = true }, conversation.Options);
    }

    [Theory]
    [InlineData("[]", ": must be an object with messages")]
    [InlineData("""{"messages": 5}""", "messages: must be a list")]
    [InlineData("""{"messages": [5]}""", "messages[0].: must be an object")]
    [InlineData("""{"messages": [{"role": "robot"}]}""", "messages[0].role: must be system, developer, user, assistant or tool")]
    [InlineData("""{"messages": [{"role": "user", "content": 5}]}""", "messages[0].content: must be a string, a list of parts or null")]
    [InlineData("""{"messages": [{"role": "user", "content": [{"type": "smell"}]}]}""", "messages[0].content[0].type: must be text, image_url, video_url, input_audio or tool_reference")]
    [InlineData("""{"messages": [{"role": "assistant", "tool_calls": [{}]}]}""", "messages[0].tool_calls[0].function.name: a string is required")]
    [InlineData("""{"messages": [], "tools": [{"type": "function"}]}""", "tools[0].function.name: a string is required")]
    [InlineData("""{"messages": [], "options": {"enable_thinking": "no"}}""", "enable_thinking: must be true or false")]
    public void A_mistake_is_named(string json, string expected)
    {
        Assert.False(ConversationReader.TryRead(RandomTalk.Json(json), out _, out RenderFault? fault));
        Assert.Equal(expected, fault.ToString());
    }

    [Fact]
    public void No_JSON_breaks_the_reader_or_a_renderer() => Fuzz.Run(1500, random =>
    {
        JsonElement json = RandomTalk.Json(RandomJson(random, 5));
        JsonElement wrapped = RandomTalk.Json($$"""{"messages": [{{RandomMessage(random)}}, {{RandomMessage(random)}}], "tools": [{{RandomJson(random, 4)}}]}""");
        foreach (JsonElement candidate in (JsonElement[])[json, wrapped])
        {
            if (!ConversationReader.TryRead(candidate, out Conversation? conversation, out RenderFault? fault))
                Assert.NotEmpty(fault.Problem);
            else
                Assert.All(Dialogue.Generations.Generations.All, generation => Assert.True(generation.RenderText(conversation) is { Text: not null } or { Fault: not null }));
        }
    });

    [Fact]
    public void No_schema_breaks_the_typing_of_arguments() => Fuzz.Run(1500, random =>
    {
        string json = RandomJson(random, 6);
        ToolDefinition tool = RandomTalk.Tool($$"""{"function": {"name": "f", "parameters": {{json}} } }""");
        OutputAutomaton automaton = new(Dialogue.Generations.Generations.ForName("glm-4.7"), null, new() { Start = OutputStart.Content, Tools = [tool] });
        List<ChatEvent> events = [];
        automaton.FeedText($"<tool_call>f<arg_key>x</arg_key><arg_value>{RandomJson(random, 2)}</arg_value></tool_call>", events);
        automaton.Finish(EndCause.StopToken, events);
        MessageBuilder message = new();
        message.Add(events);
        using JsonDocument arguments = JsonDocument.Parse(Encoding.UTF8.GetBytes(Assert.Single(message.Calls).Arguments));
        Assert.Equal(JsonValueKind.Object, arguments.RootElement.ValueKind);
    });

    [Fact]
    public void References_that_multiply_do_not_hang()
    {
        ToolDefinition tool = RandomTalk.Tool("""{"function": {"name": "f", "parameters": {"allOf": [{"$ref": "#"}, {"$ref": "#"}], "properties": {"y": {"allOf": [{"$ref": "#/properties/y"}, {"$ref": "#/properties/y"}]}}}}}""");
        Answer("x", tool);
        Answer("y", tool);
    }

    private static void Answer(string key, ToolDefinition tool) => Assert.Equal(
        $"{{\"{key}\": 5}}",
        Assert.Single(Output.Answer.OfText($"<tool_call>f<arg_key>{key}</arg_key><arg_value>5</arg_value></tool_call>", new() { Start = OutputStart.Content, Tools = [tool] }).Calls).Arguments);

    private static string RandomMessage(Random random) =>
        $$"""{"role": "{{random.GetItems(["user", "assistant", "tool", "system"], 1)[0]}}", "content": {{RandomJson(random, 3)}}, "tool_calls": {{(random.Next(3) == 0 ? RandomJson(random, 4) : "[]")}}}""";

    private static string RandomJson(Random random, int depth)
    {
        string[] words =
        [
            "messages", "role", "content", "type", "text", "tool_calls", "function", "name", "arguments", "output", "image_url", "url", "properties", "x", "$ref",
            "anyOf", "oneOf", "allOf", "enum", "const", "items", "tools", "options", "enable_thinking", "parameters", "#", "#/properties/x", "user", "string", "integer", "\\ud800",
        ];
        switch (random.Next(depth > 0 ? 9 : 5))
        {
            case 0:
                return random.GetItems(["null", "true", "false", "0", "-1.5e3", "1e999", "12345678901234567890"], 1)[0];
            case < 5:
                return $"\"{random.GetItems(words, 1)[0]}\"";
            case < 7:
                return "[" + string.Join(",", Enumerable.Range(0, random.Next(4)).Select(_ => RandomJson(random, depth - 1))) + "]";
            default:
                return "{" + string.Join(",", Enumerable.Range(0, random.Next(5)).Select(_ => $"\"{random.GetItems(words, 1)[0]}\": {RandomJson(random, depth - 1)}")) + "}";
        }
    }

    private static Conversation Read(string json) =>
        ConversationReader.TryRead(RandomTalk.Json(json), out Conversation? conversation, out RenderFault? fault) ? conversation : throw new ArgumentException(fault.ToString());
}
