using System.Globalization;
using System.Text.Json;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Chat;

/// <summary>Reads <c>messages</c> (spec: api.md §6.2, §6.3).</summary>
internal static class MessageReader
{
    private const string PartLegal = "Send an object such as {\"type\":\"text\",\"text\":\"…\"}";

    public static IReadOnlyList<WireMessage> ReadMessages(FieldReader body)
    {
        if (body.Objects("messages", "Send a list of objects with role and content", required: true) is not { } items)
            return [];
        var messages = new List<WireMessage>(items.Count);
        foreach (FieldReader item in items)
        {
            if (ReadMessage(item) is not { } message)
                return [];
            messages.Add(message);
        }

        CheckOrder(body, messages);
        return messages;
    }

    private static WireMessage? ReadMessage(FieldReader item)
    {
        string? name = item.Word("role", true, "system", "developer", "user", "assistant", "tool", "function");
        if (name is null)
            return null;
        WireRole role = name switch
        {
            "system" or "developer" => WireRole.System,
            "user" => WireRole.User,
            "assistant" => WireRole.Assistant,
            _ => WireRole.Tool,
        };
        var message = new WireMessage(role, ReadContent(item, role));
        if (role == WireRole.Assistant)
            message = message with { ReasoningContent = item.Text("reasoning_content"), ToolCalls = ToolReader.ReadCalls(item) };
        else if (role == WireRole.Tool)
            message = message with { ToolCallId = item.Text("tool_call_id", numbers: true) };
        return item.Error is null ? message : null;
    }

    private static IReadOnlyList<WirePart> ReadContent(FieldReader item, WireRole role)
    {
        const string Legal = "Send a string or a list of content parts";
        if (!item.TryGet("content", out JsonElement content))
        {
            // Only the model may say nothing: its message may be a call alone.
            if (role != WireRole.Assistant && item.Error is null)
                item.Fail(PlatformError.Missing(item.PathOf("content"), Legal));
            return [];
        }

        switch (content.ValueKind)
        {
            case JsonValueKind.String:
                string text = content.GetString()!;
                return text.Length == 0 ? [] : [new WirePart(WirePartKind.Text, text)];
            case JsonValueKind.Array:
                return ReadParts(item, role);
            case JsonValueKind.Object when role == WireRole.Tool:
                // A result that a client forgot to turn into a string.
                return [new WirePart(WirePartKind.Text, content.GetRawText())];
            default:
                item.Fail(PlatformError.Invalid(item.PathOf("content"), $"it is {FieldReader.Describe(content)}", Legal));
                return [];
        }
    }

    private static List<WirePart> ReadParts(FieldReader item, WireRole role)
    {
        var parts = new List<WirePart>();
        foreach (FieldReader part in item.Objects("content", PartLegal) ?? [])
        {
            if (part.Error is not null)
                break;
            if (role == WireRole.Tool && part.TryGet("output", out JsonElement output))
            {
                string text = output.ValueKind == JsonValueKind.String ? output.GetString()! : output.GetRawText();
                parts.Add(new WirePart(WirePartKind.ToolOutput, text));
            }
            else if (ReadPart(part, role) is { } value)
            {
                parts.Add(value);
            }
        }

        return parts;
    }

    private static WirePart? ReadPart(FieldReader part, WireRole role)
    {
        switch (part.Text("type", required: true))
        {
            case null:
                return null;
            case "text" or "input_text" or "output_text":
                return new WirePart(WirePartKind.Text, part.Text("text", required: true) ?? "");
            case "refusal" when role == WireRole.Assistant:
                return new WirePart(WirePartKind.Text, part.Text("refusal", required: true) ?? "");
            case "tool_reference" when role == WireRole.Tool:
                return new WirePart(WirePartKind.ToolReference, part.Text("name", required: true, min: 1) ?? "");
            case "image_url" when role == WireRole.User || role == WireRole.Tool:
                return new WirePart(WirePartKind.Image, ReadUrl(part, "image_url"), part.Path);
            case "video_url" when role == WireRole.User:
                return new WirePart(WirePartKind.Video, ReadUrl(part, "video_url"), part.Path);
            case "file_url" when role == WireRole.User:
                return new WirePart(WirePartKind.File, ReadUrl(part, "file_url"), part.Path);
            case "file" when role == WireRole.User:
                FieldReader? file = part.Object("file", "Send an object with file_id, file_url or file_data", required: true);
                return new WirePart(
                    WirePartKind.File, file?.Text("file_id") ?? file?.Text("file_url") ?? file?.Text("file_data") ?? "", part.Path);
            case "input_audio" when role == WireRole.User:
                FieldReader? audio = part.Object("input_audio", "Send an object with data and format", required: true);
                audio?.Word("format", false, "wav", "mp3");
                return new WirePart(WirePartKind.Audio, audio?.Text("data", required: true, min: 1) ?? "", part.Path);
            case { } type:
                string legal = role == WireRole.User
                    ? "Use text, image_url, video_url, file_url, file or input_audio"
                    : "Use text in a message of this role";
                part.Fail(PlatformError.Invalid(part.PathOf("type"), $"\"{(type.Length > 40 ? type[..40] : type)}\" is not possible here", legal));
                return null;
        }
    }

    /// <summary>The address of a medium: <c>{"image_url":{"url":"…"}}</c>, or the bare string that some clients send.</summary>
    private static string ReadUrl(FieldReader part, string name)
    {
        if (part.TryGet(name, out JsonElement value) && value.ValueKind == JsonValueKind.String)
            return part.Text(name, min: 1) ?? "";
        return part.Object(name, "Send an object such as {\"url\":\"…\"}", required: true)?.Text("url", required: true, min: 1) ?? "";
    }

    private static void CheckOrder(FieldReader body, List<WireMessage> messages)
    {
        if (body.Error is not null)
            return;
        if (messages.Count == 0)
        {
            body.Fail(PlatformError.Invalid("messages", "it is an empty list", "Send at least one message of the user"));
            return;
        }

        bool anyAsked = false;
        bool anyText = false;
        bool mayAnswerCall = false;
        var calls = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < messages.Count; i++)
        {
            WireMessage message = messages[i];
            if (message.Role == WireRole.Tool && !mayAnswerCall)
            {
                body.Fail(PlatformError.Invalid(
                    string.Create(CultureInfo.InvariantCulture, $"messages[{i}].role"),
                    "a tool message must follow the assistant message whose tool_calls it answers",
                    "Send the assistant message with its tool_calls first"));
                return;
            }

            // A call without an id may be the one that is meant.
            if (message is { Role: WireRole.Tool, ToolCallId: { Length: > 0 } id } && !calls.Contains(id) && !calls.Contains(""))
            {
                body.Fail(PlatformError.Invalid(
                    string.Create(CultureInfo.InvariantCulture, $"messages[{i}].tool_call_id"),
                    $"no call before it has the id \"{(id.Length > 60 ? id[..60] : id)}\"",
                    "Send the id of one of the tool_calls of an assistant message before it"));
                return;
            }

            foreach (WireToolCall call in message.ToolCalls)
                calls.Add(call.Id);
            mayAnswerCall = message.Role == WireRole.Tool || message.ToolCalls.Count > 0;
            if (message.Role is WireRole.User or WireRole.Tool)
            {
                anyAsked = true;
                anyText |= message.Parts.Count > 0 || message.Role == WireRole.Tool;
            }
        }

        if (!anyAsked)
        {
            body.Fail(PlatformError.Invalid(
                "messages", "it holds only system and assistant messages", "Send at least one message of the user"));
        }
        else if (!anyText)
        {
            body.Fail(new PlatformError(BusinessCode.ParameterInvalid, "Input cannot be empty: every user message in messages has empty content.", "messages")
            {
                Chinese = "输入不能为空：messages 中所有 user 消息的 content 均为空",
            });
        }
    }
}
