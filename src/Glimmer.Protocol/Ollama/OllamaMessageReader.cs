using System.Globalization;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Ollama;

/// <summary>
/// Reads <c>messages</c> of <c>/api/chat</c>. Calls there have no ids, or ids that the client may leave out with the result: a result without one belongs
/// to the first call of its <c>tool_name</c> that has none yet, or to the first call that has none.
/// </summary>
internal static class OllamaMessageReader
{
    private const string Legal = "Send an object such as {\"role\":\"user\",\"content\":\"…\"}";

    /// <summary>Reads the messages; none when the field is absent or empty.</summary>
    public static List<WireMessage> ReadMessages(FieldReader body)
    {
        List<WireMessage> messages = [];
        List<(string Id, string Name)> open = [];
        int made = 0;
        foreach (FieldReader item in body.Objects("messages", Legal) ?? [])
        {
            string? role = item.Word("role", true, "system", "user", "assistant", "tool");
            List<WirePart> parts = [];
            ReadImages(item, parts);
            if (item.Text("content") is { Length: > 0 } text)
                parts.Add(new WirePart(WirePartKind.Text, text));
            string? thinking = item.Text("thinking");
            List<WireToolCall> calls = role == "assistant" ? ReadCalls(item, ref made) : [];
            if (item.Error is not null)
                return messages;
            switch (role)
            {
                case "system":
                    messages.Add(new WireMessage(WireRole.System, parts));
                    break;
                case "assistant":
                    open = [.. calls.Select(call => (call.Id, call.Name))];
                    messages.Add(new WireMessage(WireRole.Assistant, parts) { ToolCalls = calls, ReasoningContent = thinking is { Length: > 0 } ? thinking : null });
                    break;
                case "tool":
                    messages.Add(new WireMessage(WireRole.Tool, parts) { ToolCallId = TakeCall(item, open) });
                    break;
                default:
                    messages.Add(new WireMessage(WireRole.User, parts));
                    break;
            }
        }

        if (messages.Count > 0 && !messages.Exists(message => message.Role is WireRole.User or WireRole.Tool))
            body.Fail(PlatformError.Invalid("messages", "no message is the user's", "Send at least one message of the user"));
        return messages;
    }

    /// <summary>Appends the pictures of <c>images</c>: base64 without a prefix.</summary>
    public static void ReadImages(FieldReader item, List<WirePart> parts)
    {
        foreach (string image in item.Texts("images", maxCount: 64, minLength: 1, maxLength: int.MaxValue) ?? [])
            parts.Add(new WirePart(WirePartKind.Image, image, item.PathOf("images")));
    }

    private static List<WireToolCall> ReadCalls(FieldReader item, ref int made)
    {
        List<WireToolCall> calls = [];
        foreach (FieldReader call in item.Objects("tool_calls", "Send an object such as {\"function\":{\"name\":\"…\",\"arguments\":{}}}") ?? [])
        {
            if (call.Object("function", "Send an object with name and arguments", required: true) is not { } function)
                return calls;
            string name = function.Text("name", required: true, min: 1, max: 256) ?? "";
            string arguments = "{}";
            if (function.TryGet("arguments", out JsonElement given))
            {
                // Objects by the documentation; some clients send the text that other dialects have.
                arguments = given.ValueKind == JsonValueKind.String ? given.GetString()! : given.GetRawText();
                if (given.ValueKind is not (JsonValueKind.Object or JsonValueKind.String))
                    function.Fail(PlatformError.Invalid(function.PathOf("arguments"), $"it is {FieldReader.Describe(given)}", "Send an object"));
            }

            string? id = call.Text("id", max: 256);
            calls.Add(new WireToolCall(id is { Length: > 0 } ? id : string.Create(CultureInfo.InvariantCulture, $"call_{made++}"), name, arguments));
        }

        return calls;
    }

    /// <summary>The call that a result belongs to.</summary>
    private static string? TakeCall(FieldReader item, List<(string Id, string Name)> open)
    {
        string? id = item.Text("tool_call_id", max: 256);
        string? name = item.Text("tool_name", max: 256) ?? item.Text("name", max: 256);
        int found = id is { Length: > 0 } ? open.FindIndex(call => call.Id == id) : -1;
        if (found < 0 && name is { Length: > 0 })
            found = open.FindIndex(call => call.Name == name);
        if (found < 0 && open.Count > 0)
            found = 0;
        if (found < 0)
            return id is { Length: > 0 } ? id : null;
        string taken = open[found].Id;
        open.RemoveAt(found);
        return taken;
    }
}
