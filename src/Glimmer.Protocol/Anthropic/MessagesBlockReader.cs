using System.Text;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Anthropic;

/// <summary>
/// Reads <c>messages</c> of the Messages API. A user message with results of tools becomes one tool message per result, and a user message of
/// what else it holds; consecutive messages of one role become one, as that API has it.
/// </summary>
internal static class MessagesBlockReader
{
    private const string BlockLegal = "Send an object such as {\"type\":\"text\",\"text\":\"…\"}";

    /// <summary>Appends the messages.</summary>
    /// <returns>Whether the last message is the model's own, for it to go on with.</returns>
    public static bool ReadMessages(FieldReader body, List<WireMessage> messages)
    {
        if (body.Objects("messages", "Send a list of objects with role and content", required: true) is not { } items)
            return false;
        if (items.Count == 0)
        {
            body.Fail(PlatformError.Invalid("messages", "it is an empty list", "Send at least one message of the user"));
            return false;
        }

        string? last = null;
        HashSet<string> open = new(StringComparer.Ordinal);
        foreach (FieldReader item in items)
        {
            string? role = item.Word("role", true, "user", "assistant", "system");
            if (role is null)
                return false;
            IReadOnlyList<FieldReader>? blocks = ReadContent(item, out string? text);
            if (item.Error is not null)
                return false;
            switch (role)
            {
                case "system":
                    messages.Add(new WireMessage(WireRole.System, Texts(blocks, text)));
                    break;
                case "assistant":
                    ReadAssistant(blocks, text, messages, merges: last == "assistant", open);
                    break;
                default:
                    ReadUser(item, blocks, text, messages, open);
                    break;
            }

            if (item.Error is not null)
                return false;
            if (role != "system")
                last = role;
        }

        if (!messages.Exists(message => message.Role is WireRole.User or WireRole.Tool))
            body.Fail(PlatformError.Invalid("messages", "no message is the user's", "Send at least one message of the user"));
        return last == "assistant" && messages[^1] is { Role: WireRole.Assistant, ToolCalls.Count: 0 };
    }

    private static IReadOnlyList<FieldReader>? ReadContent(FieldReader item, out string? text)
    {
        text = null;
        if (!item.TryGet("content", out JsonElement content))
        {
            if (item.Error is null)
                item.Fail(PlatformError.Missing(item.PathOf("content"), "Send a string or a list of content blocks"));
            return null;
        }

        if (content.ValueKind != JsonValueKind.String)
            return item.Objects("content", BlockLegal);
        text = content.GetString();
        return null;
    }

    private static List<WirePart> Texts(IReadOnlyList<FieldReader>? blocks, string? text)
    {
        List<WirePart> parts = [];
        if (text is { Length: > 0 })
            parts.Add(new WirePart(WirePartKind.Text, text));
        foreach (FieldReader block in blocks ?? [])
        {
            block.Word("type", true, "text");
            if (block.Text("text", required: true) is { Length: > 0 } said)
                parts.Add(new WirePart(WirePartKind.Text, said));
        }

        return parts;
    }

    private static void ReadAssistant(IReadOnlyList<FieldReader>? blocks, string? text, List<WireMessage> messages, bool merges, HashSet<string> open)
    {
        List<WirePart> parts = text is { Length: > 0 } ? [new WirePart(WirePartKind.Text, text)] : [];
        List<WireToolCall> calls = [];
        StringBuilder thought = new();
        foreach (FieldReader block in blocks ?? [])
        {
            switch (block.Text("type", required: true))
            {
                case "text":
                    if (block.Text("text", required: true) is { Length: > 0 } said)
                        parts.Add(new WirePart(WirePartKind.Text, said));
                    break;
                case "thinking":
                    thought.Append(block.Text("thinking", required: true));
                    break;
                case "tool_use":
                    string id = block.Text("id", required: true, min: 1, max: 256) ?? "";
                    string name = block.Text("name", required: true, min: 1, max: 256) ?? "";
                    FieldReader? input = block.Object("input", "Send the arguments as an object", required: true);
                    if (block.Error is not null)
                        return;
                    calls.Add(new WireToolCall(id, name, input!.Value.Element.GetRawText()));
                    open.Add(id);
                    break;
                case "redacted_thinking" or "server_tool_use" or "web_search_tool_result" or "web_fetch_tool_result" or "code_execution_tool_result"
                    or "bash_code_execution_tool_result" or "text_editor_code_execution_tool_result" or "mcp_tool_use" or "mcp_tool_result" or "container_upload":
                    break; // of another server: it says nothing to this model
                case { } type:
                    Unknown(block, type, "Use text, thinking or tool_use in a message of the assistant");
                    break;
            }

            if (block.Error is not null)
                return;
        }

        if (merges && messages[^1] is { Role: WireRole.Assistant } before)
        {
            messages[^1] = before with
            {
                Parts = [.. before.Parts, .. parts],
                ToolCalls = [.. before.ToolCalls, .. calls],
                ReasoningContent = thought.Length > 0 ? before.ReasoningContent + thought : before.ReasoningContent,
            };
            return;
        }

        messages.Add(new WireMessage(WireRole.Assistant, parts) { ToolCalls = calls, ReasoningContent = thought.Length > 0 ? thought.ToString() : null });
    }

    private static void ReadUser(FieldReader item, IReadOnlyList<FieldReader>? blocks, string? text, List<WireMessage> messages, HashSet<string> open)
    {
        List<WirePart> parts = text is { Length: > 0 } ? [new WirePart(WirePartKind.Text, text)] : [];
        bool results = false;
        foreach (FieldReader block in blocks ?? [])
        {
            string? type = block.Text("type", required: true);
            if (type == "tool_result")
            {
                string? id = block.Text("tool_use_id", required: true, min: 1, max: 256);
                if (id is not null && !open.Contains(id))
                {
                    block.Fail(PlatformError.Invalid(
                        block.PathOf("tool_use_id"), $"no tool_use block before has the id \"{(id.Length > 60 ? id[..60] : id)}\"", "Send the assistant message with that tool_use first"));
                }

                List<WirePart> result = ReadResult(block);
                if (block.Error is not null)
                    return;
                messages.Add(new WireMessage(WireRole.Tool, result) { ToolCallId = id });
                results = true;
            }
            else if (type is not null && ReadPart(block, type) is { } part)
            {
                parts.Add(part);
            }

            if (block.Error is not null)
                return;
        }

        if (parts.Count == 0 && results)
            return;
        if (parts.Count == 0)
            item.Fail(PlatformError.Invalid(item.PathOf("content"), "it is empty", "Send some text"));
        else if (messages is [.., { Role: WireRole.User } before])
            messages[^1] = before with { Parts = [.. before.Parts, .. parts] };
        else
            messages.Add(new WireMessage(WireRole.User, parts));
    }

    private static List<WirePart> ReadResult(FieldReader block)
    {
        List<WirePart> parts = [];
        if (!block.TryGet("content", out JsonElement content))
            return parts;
        if (content.ValueKind == JsonValueKind.String)
            return [new WirePart(WirePartKind.Text, content.GetString()!)];
        foreach (FieldReader inner in block.Objects("content", BlockLegal) ?? [])
        {
            string? type = inner.Text("type", required: true);
            if (type is null)
                break;
            if (type == "tool_reference")
                parts.Add(new WirePart(WirePartKind.ToolReference, inner.Text("tool_name", required: true, min: 1) ?? ""));
            else if (ReadPart(inner, type) is { } part)
                parts.Add(part);
        }

        return parts;
    }

    private static WirePart? ReadPart(FieldReader block, string type)
    {
        switch (type)
        {
            case "text":
                return block.Text("text", required: true) is { Length: > 0 } said ? new WirePart(WirePartKind.Text, said) : null;
            case "image":
                return new WirePart(WirePartKind.Image, ReadSource(block) ?? "", block.Path);
            case "document":
                return ReadDocument(block);
            case "search_result":
                return new WirePart(WirePartKind.Text, string.Concat((block.Objects("content", BlockLegal) ?? []).Select(inner => inner.Text("text"))));
            default:
                Unknown(block, type, "Use text, image, document or tool_result in a message of the user");
                return null;
        }
    }

    /// <summary>A document of plain text is text; others must be read by the model.</summary>
    private static WirePart? ReadDocument(FieldReader block)
    {
        if (block.Object("source", "Send an object such as {\"type\":\"text\",\"media_type\":\"text/plain\",\"data\":\"…\"}", required: true) is not { } source)
            return null;
        string title = string.Concat(((string?[])[block.Text("title"), block.Text("context")]).Where(static line => line is { Length: > 0 }).Select(static line => line + "\n"));
        switch (source.Text("type", required: true))
        {
            case "text":
                return new WirePart(WirePartKind.Text, title + source.Text("data", required: true));
            case "content":
                return new WirePart(WirePartKind.Text, title + string.Concat((source.Objects("content", BlockLegal) ?? []).Select(inner => inner.Text("text"))));
            default:
                return new WirePart(WirePartKind.File, source.Text("url") ?? source.Text("data") ?? source.Text("file_id") ?? "", block.Path);
        }
    }

    private static string? ReadSource(FieldReader block)
    {
        if (block.Object("source", "Send an object such as {\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"…\"}", required: true) is not { } source)
            return null;
        if (source.Word("type", true, "base64", "url") == "url")
            return source.Text("url", required: true, min: 1);
        string media = source.Word("media_type", true, "image/jpeg", "image/png", "image/gif", "image/webp") ?? "";
        return $"data:{media};base64,{source.Text("data", required: true, min: 1)}";
    }

    private static void Unknown(FieldReader block, string type, string legal) =>
        block.Fail(PlatformError.Invalid(block.PathOf("type"), $"\"{(type.Length > 40 ? type[..40] : type)}\" is not possible here", legal));
}
