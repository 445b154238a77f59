using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Conversations;

/// <summary>
/// Reads a conversation from JSON in the form of the chat completions API: <c>messages</c>, <c>tools</c> and the template
/// options under <c>options</c> (or in the object itself). For golden data, scripts and embedders; the server's dialects
/// read their own wire types.
/// </summary>
public static class ConversationReader
{
    /// <summary>Reads one conversation.</summary>
    /// <param name="json">The object. It must outlive the conversation, whose tools refer to it.</param>
    /// <param name="conversation">The conversation.</param>
    /// <param name="fault">What is wrong, naming the field.</param>
    public static bool TryRead(JsonElement json, [NotNullWhen(true)] out Conversation? conversation, [NotNullWhen(false)] out RenderFault? fault)
    {
        conversation = null;
        if (json.ValueKind != JsonValueKind.Object)
        {
            fault = new RenderFault(-1, "", "must be an object with messages");
            return false;
        }

        try
        {
            List<ChatMessage> messages = [];
            foreach (JsonElement message in Items(json, "messages", -1))
                messages.Add(ReadMessage(message, messages.Count));
            List<ToolDefinition> tools = [];
            foreach (JsonElement tool in Items(json, "tools", -1))
                tools.Add(ReadTool(tool, tools.Count));
            conversation = new(messages, tools, ReadOptions(JsonText.TryGet(json, "options", out JsonElement options) ? options : json));
            fault = null;
            return true;
        }
        catch (MisreadException misread)
        {
            fault = misread.Fault;
            return false;
        }
    }

    /// <summary>Reads one tool object, wrapped or flat.</summary>
    public static bool TryReadTool(JsonElement json, [NotNullWhen(true)] out ToolDefinition? tool, [NotNullWhen(false)] out RenderFault? fault)
    {
        try
        {
            tool = ReadTool(json, 0);
            fault = null;
            return true;
        }
        catch (MisreadException misread)
        {
            tool = null;
            fault = misread.Fault;
            return false;
        }
    }

    private static ToolDefinition ReadTool(JsonElement json, int index)
    {
        ToolDefinition tool = new("", json);
        if (json.ValueKind != JsonValueKind.Object || !JsonText.TryGet(tool.Function, "name", out JsonElement name) || name.ValueKind != JsonValueKind.String)
            throw new MisreadException(-1, $"tools[{index}].function.name", "a string is required");
        return tool with { Name = JsonText.StringOf(name) };
    }

    private static ChatMessage ReadMessage(JsonElement json, int index)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new MisreadException(index, "", "must be an object");
        List<ToolCall> calls = [];
        foreach (JsonElement call in Items(json, "tool_calls", index))
            calls.Add(ReadCall(call, index, calls.Count));
        return new ChatMessage
        {
            Role = Text(json, "role", index) switch
            {
                "system" or "developer" => ChatRole.System,
                "user" => ChatRole.User,
                "assistant" => ChatRole.Assistant,
                "tool" or "function" or "observation" => ChatRole.Tool,
                _ => throw new MisreadException(index, "role", "must be system, developer, user, assistant or tool"),
            },
            Content = ReadContent(json, index),
            IsPartList = JsonText.TryGet(json, "content", out JsonElement content) && content.ValueKind == JsonValueKind.Array,
            ReasoningContent = Text(json, "reasoning_content", index),
            ToolCalls = calls,
            ToolCallId = Text(json, "tool_call_id", index),
        };
    }

    private static ContentPart[] ReadContent(JsonElement json, int index)
    {
        if (!JsonText.TryGet(json, "content", out JsonElement content) || content.ValueKind == JsonValueKind.Null)
            return [];
        if (content.ValueKind == JsonValueKind.String)
            return [new TextPart(JsonText.StringOf(content))];
        if (content.ValueKind != JsonValueKind.Array)
            throw new MisreadException(index, "content", "must be a string, a list of parts or null");
        return [.. content.EnumerateArray().Select((part, place) => ReadPart(part, index, place))];
    }

    private static ContentPart ReadPart(JsonElement part, int index, int place)
    {
        if (part.ValueKind == JsonValueKind.String)
            return new TextPart(JsonText.StringOf(part)) { IsBare = true };
        if (part.ValueKind != JsonValueKind.Object)
            throw new MisreadException(index, $"content[{place}]", "must be an object with a type");
        if (!JsonText.TryGet(part, "type", out _) && JsonText.TryGet(part, "output", out JsonElement output))
            return new ToolOutputPart(output.ValueKind == JsonValueKind.String ? JsonText.StringOf(output) : PythonJson.Write(output));
        // One published client library marks media by a key of that name instead of a type.
        string type = Text(part, "type", index) ?? (JsonText.TryGet(part, "image", out _) ? "image" : JsonText.TryGet(part, "video", out _) ? "video" : "");
        return type switch
        {
            "text" => new TextPart(Text(part, "text", index) ?? ""),
            "image" or "image_url" => new MediaPart(MediaKind.Image, Source(part, "image_url", "image")),
            "video" or "video_url" => new MediaPart(MediaKind.Video, Source(part, "video_url", "video")),
            "audio" or "audio_url" or "input_audio" => new MediaPart(MediaKind.Audio, Source(part, "audio_url", "audio")),
            "tool_reference" => new ToolReferencePart(Text(part, "name", index) ?? Text(part, "tool_name", index) ?? ""),
            _ => throw new MisreadException(index, $"content[{place}].type", "must be text, image_url, video_url, input_audio or tool_reference"),
        };
    }

    private static string Source(JsonElement part, string wrapped, string plain)
    {
        if (JsonText.TryGet(part, wrapped, out JsonElement source) || JsonText.TryGet(part, plain, out source))
        {
            if (source.ValueKind == JsonValueKind.String)
                return JsonText.StringOf(source);
            if (source.ValueKind == JsonValueKind.Object && JsonText.TryGet(source, "url", out JsonElement url) && url.ValueKind == JsonValueKind.String)
                return JsonText.StringOf(url);
        }

        return "";
    }

    private static ToolCall ReadCall(JsonElement json, int index, int place)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw new MisreadException(index, $"tool_calls[{place}]", "must be an object");
        JsonElement function = JsonText.TryGet(json, "function", out JsonElement wrapped) && wrapped.ValueKind == JsonValueKind.Object ? wrapped : json;
        if (Text(function, "name", index) is not { } name)
            throw new MisreadException(index, $"tool_calls[{place}].function.name", "a string is required");
        string arguments = "";
        if (JsonText.TryGet(function, "arguments", out JsonElement given) && given.ValueKind != JsonValueKind.Null)
            arguments = given.ValueKind == JsonValueKind.String ? JsonText.StringOf(given) : PythonJson.Write(given);
        return new ToolCall(Text(json, "id", index) ?? "", name, arguments);
    }

    private static RenderOptions ReadOptions(JsonElement json) => json.ValueKind != JsonValueKind.Object
        ? new RenderOptions()
        : new RenderOptions
        {
            EnableThinking = Flag(json, "enable_thinking"),
            ClearThinking = Flag(json, "clear_thinking"),
            ReasoningEffort = Text(json, "reasoning_effort", -1),
            AddGenerationPrompt = Flag(json, "add_generation_prompt") ?? true,
            ContinueFinalMessage = Flag(json, "continue_final_message") ?? false,
        };

    private static bool? Flag(JsonElement json, string name) => !JsonText.TryGet(json, name, out JsonElement flag) ? null : flag.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        JsonValueKind.Null => null,
        _ => throw new MisreadException(-1, name, "must be true or false"),
    };

    private static string? Text(JsonElement json, string name, int index) => !JsonText.TryGet(json, name, out JsonElement text) ? null : text.ValueKind switch
    {
        JsonValueKind.String => JsonText.StringOf(text),
        JsonValueKind.Null => null,
        _ => throw new MisreadException(index, name, "must be a string"),
    };

    private static IEnumerable<JsonElement> Items(JsonElement json, string name, int index)
    {
        if (json.ValueKind != JsonValueKind.Object || !JsonText.TryGet(json, name, out JsonElement list) || list.ValueKind == JsonValueKind.Null)
            return [];
        return list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : throw new MisreadException(index, name, "must be a list");
    }

    private sealed class MisreadException(int message, string field, string problem) : Exception
    {
        public RenderFault Fault { get; } = new(message, field, problem);
    }
}
