using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.OpenAI;

/// <summary>Makes messages of the items of a Responses request: what was said before, then its own input.</summary>
public sealed class ResponsesItems
{
    private readonly Func<string, string?> _open;
    private readonly List<WireMessage> _messages = [];
    private readonly HashSet<string> _calls = new(StringComparer.Ordinal);
    private string? _reasoning;
    private bool _saying;

    private ResponsesItems(Func<string, string?> open) => _open = open;

    /// <summary>Reads all items.</summary>
    /// <param name="instructions">Instructions before them; null for none.</param>
    /// <param name="before">Items of earlier turns.</param>
    /// <param name="input">Items of this one; errors name them <c>input[i]</c>.</param>
    /// <param name="open">Opens the sealed form of reasoning; null when it cannot be opened, and the item then counts for nothing.</param>
    public static (IReadOnlyList<WireMessage> Messages, PlatformError? Error) Read(
        string? instructions, IReadOnlyList<JsonElement> before, IReadOnlyList<JsonElement> input, Func<string, string?> open)
    {
        var reader = new ResponsesItems(open);
        var state = new FieldReader.State();
        if (!string.IsNullOrEmpty(instructions))
            reader._messages.Add(new WireMessage(WireRole.System, [new WirePart(WirePartKind.Text, instructions)]));
        reader.ReadAll(before, FieldPath.Root.Member("history"), state);
        reader.ReadAll(input, FieldPath.Root.Member("input"), state);
        if (state.Error is null && !reader._messages.Exists(static message => message.Role is WireRole.User or WireRole.Tool))
            state.Error = PlatformError.Invalid("input", "it holds nothing of the user", "Send at least one message of the user or output of a function");
        return (reader._messages, state.Error);
    }

    /// <summary>A message of the user as an item.</summary>
    public static JsonElement UserText(string text)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "message"u8);
            json.WriteString("role"u8, "user"u8);
            json.WriteStartArray("content"u8);
            json.WriteStartObject();
            json.WriteString("type"u8, "input_text"u8);
            json.WriteString("text"u8, text);
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
        }

        return JsonDocument.Parse(buffer.WrittenMemory, WireJson.ReaderOptions).RootElement;
    }

    private void ReadAll(IReadOnlyList<JsonElement> items, FieldPath path, FieldReader.State state)
    {
        for (int i = 0; i < items.Count && state.Error is null; i++)
            Read(new FieldReader(items[i], path.Item(i), state));
    }

    private void Read(FieldReader item)
    {
        switch (item.Text("type") ?? "message")
        {
            case "message":
                ReadMessage(item);
                break;
            case "reasoning":
                _reasoning = ReadReasoning(item);
                _saying = false;
                break;
            case "function_call" or "custom_tool_call":
                ReadCall(item);
                break;
            case "function_call_output" or "custom_tool_call_output":
                ReadOutput(item);
                break;
            case "item_reference":
                item.Fail(PlatformError.Invalid(item.PathOf("id"), "no item of this id is known", "Send the item itself"));
                break;
            case { } type:
                item.Fail(PlatformError.Invalid(item.PathOf("type"), $"\"{(type.Length > 40 ? type[..40] : type)}\" is not possible here", "Use message, reasoning, function_call, function_call_output, custom_tool_call, custom_tool_call_output or item_reference"));
                break;
        }
    }

    private void ReadMessage(FieldReader item)
    {
        WireRole role = item.Word("role", true, "user", "assistant", "system", "developer") switch
        {
            "assistant" => WireRole.Assistant,
            "user" => WireRole.User,
            _ => WireRole.System,
        };
        IReadOnlyList<WirePart> parts = ReadContent(item, "content", role);
        if (item.Error is not null)
            return;
        if (role == WireRole.Assistant)
        {
            if (_saying && _messages[^1].ToolCalls.Count == 0)
                _messages[^1] = _messages[^1] with { Parts = [.. _messages[^1].Parts, .. parts] };
            else
                Say(new WireMessage(role, parts));
        }
        else
        {
            Close();
            _messages.Add(new WireMessage(role, parts));
        }
    }

    private void ReadCall(FieldReader item)
    {
        string? id = item.Text("call_id", required: true, min: 1, max: 256);
        string? name = item.Text("name", required: true, min: 1, max: 256);
        bool custom = item.Text("type") == "custom_tool_call";
        string arguments = (custom ? CustomTool.ArgumentsOf(item.Text("input", required: true) ?? "") : item.Text("arguments")) ?? "{}";
        if (string.IsNullOrWhiteSpace(arguments))
            arguments = "{}";
        if (item.Error is null && JsonSyntax.KindOf(arguments) != JsonTokenType.StartObject)
            item.Fail(PlatformError.Invalid(item.PathOf("arguments"), "it is not the JSON text of an object", "Send the arguments as a JSON string such as \"{\\\"city\\\":\\\"Beijing\\\"}\""));
        if (item.Error is not null)
            return;
        if (item.Text("namespace") is { } space)
            name = ResponsesToolReader.ModelName(space, name!);
        _calls.Add(id!);
        var call = new WireToolCall(id!, name!, arguments);
        if (_saying)
            _messages[^1] = _messages[^1] with { ToolCalls = [.. _messages[^1].ToolCalls, call] };
        else
            Say(new WireMessage(WireRole.Assistant, []) { ToolCalls = [call] });
    }

    private void ReadOutput(FieldReader item)
    {
        string? id = item.Text("call_id", required: true, min: 1, max: 256);
        IReadOnlyList<WirePart> parts = ReadContent(item, "output", WireRole.Tool);
        if (item.Error is not null)
            return;
        if (!_calls.Contains(id!))
        {
            item.Fail(PlatformError.Invalid(item.PathOf("call_id"), "no call of this id comes before it", "Send the function_call or custom_tool_call first, or previous_response_id"));
            return;
        }

        Close();
        _messages.Add(new WireMessage(WireRole.Tool, parts) { ToolCallId = id });
    }

    private string? ReadReasoning(FieldReader item)
    {
        if (item.Text("encrypted_content") is { Length: > 0 } box)
            return _open(box);
        string text = string.Concat(Texts(item, "content"));
        return text.Length > 0 ? text : string.Join("\n\n", Texts(item, "summary")) is { Length: > 0 } summary ? summary : null;
    }

    private static IEnumerable<string> Texts(FieldReader item, string name) =>
        (item.Objects(name, "Send a list of objects with type and text") ?? []).Select(static part => part.Text("text") ?? "");

    private static IReadOnlyList<WirePart> ReadContent(FieldReader item, string name, WireRole role)
    {
        const string Legal = "Send a string or a list of content parts";
        if (!item.TryGet(name, out JsonElement content))
        {
            if (item.Error is null)
                item.Fail(PlatformError.Missing(item.PathOf(name), Legal));
            return [];
        }

        if (content.ValueKind == JsonValueKind.String)
            return content.GetString() is { Length: > 0 } text ? [new WirePart(WirePartKind.Text, text)] : [];
        var parts = new List<WirePart>();
        foreach (FieldReader part in item.Objects(name, Legal) ?? [])
        {
            if (ReadPart(part, role) is { } read)
                parts.Add(read);
            if (item.Error is not null)
                break;
        }

        return parts;
    }

    private static WirePart? ReadPart(FieldReader part, WireRole role)
    {
        bool mayShow = role is WireRole.User or WireRole.Tool;
        switch (part.Text("type", required: true))
        {
            case null:
                return null;
            case "input_text" or "output_text" or "text":
                return new WirePart(WirePartKind.Text, part.Text("text", required: true) ?? "");
            case "refusal" when role == WireRole.Assistant:
                return new WirePart(WirePartKind.Text, part.Text("refusal", required: true) ?? "");
            case "input_image" when mayShow:
                return new WirePart(WirePartKind.Image, part.Text("image_url") ?? part.Text("file_id", required: true) ?? "", part.Path);
            case "input_file" when mayShow:
                return new WirePart(WirePartKind.File, part.Text("file_url") ?? part.Text("file_data") ?? part.Text("file_id", required: true) ?? "", part.Path);
            case "input_audio" when role == WireRole.User:
                return new WirePart(WirePartKind.Audio, part.Object("input_audio", "Send an object with data and format", required: true)?.Text("data", required: true, min: 1) ?? "", part.Path);
            case { } type:
                part.Fail(PlatformError.Invalid(
                    part.PathOf("type"), $"\"{(type.Length > 40 ? type[..40] : type)}\" is not possible here", role == WireRole.User ? "Use input_text, input_image, input_file or input_audio" : "Use input_text or output_text"));
                return null;
        }
    }

    /// <summary>Begins a message of the model, with the reasoning that came before it.</summary>
    private void Say(WireMessage message)
    {
        _messages.Add(message with { ReasoningContent = _reasoning });
        _reasoning = null;
        _saying = true;
    }

    private void Close()
    {
        _reasoning = null;
        _saying = false;
    }
}
