using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Chat;

/// <summary>Reads <c>tools</c>, <c>tool_choice</c> and <c>tool_calls</c> (spec: api.md §6.2, §6.5).</summary>
internal static class ToolReader
{
    private const int MaxFunctions = 128;
    private const string ToolLegal = "Send an object such as {\"type\":\"function\",\"function\":{\"name\":\"get_weather\",\"parameters\":{\"type\":\"object\"}}}";
    private const string NameLegal = "Use 1 to 64 letters, digits, _ or -";

    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    public static IReadOnlyList<WireTool> ReadTools(FieldReader body)
    {
        if (body.Objects("tools", ToolLegal) is not { Count: > 0 } items)
            return [];
        var tools = new List<WireTool>(items.Count);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (FieldReader item in items)
        {
            string type = item.Text("type") ?? "function";
            switch (type)
            {
                case "function":
                    if (ReadFunction(item) is { } function)
                    {
                        if (!names.Add(function.Name))
                            item.Fail(PlatformError.Invalid(item.PathOf("function.name"), $"the name \"{function.Name}\" comes twice", "Give every function a name of its own"));
                        tools.Add(function);
                    }

                    break;
                case "web_search" or "retrieval" or "mcp":
                    FieldReader? settings = item.Object(type, $"Send the settings of the tool as an object under \"{type}\"");

                    // A search that is switched off is not asked for.
                    if (type != "web_search" || settings?.Flag("enable") != false)
                        tools.Add(new WireTool(type, "", item.Element.Clone(), item.Path));
                    break;
                case "code_interpreter" or "drawing_tool" or "web_browser":
                    tools.Add(new WireTool(type, "", item.Element.Clone(), item.Path));
                    break;
                case "custom":
                    item.Fail(PlatformError.Unsupported(item.PathOf("type"), "custom", "this server has no free-form tools; offer it as a function with a JSON schema, or leave it out"));
                    break;
                default:
                    item.Fail(PlatformError.Invalid(item.PathOf("type"), $"\"{(type.Length > 40 ? type[..40] : type)}\" is not known", "Use function, web_search, retrieval or mcp"));
                    break;
            }

            if (item.Error is not null)
                return [];
        }

        if (names.Count > MaxFunctions)
            body.Fail(PlatformError.Invalid("tools", $"it has {names.Count} functions", $"Send at most {MaxFunctions}"));
        return tools;
    }

    public static WireToolChoice ReadChoice(FieldReader body, IReadOnlyList<WireTool> tools)
    {
        var auto = new WireToolChoice("auto", null);
        const string Legal = "Use auto, none, required or {\"type\":\"function\",\"function\":{\"name\":\"…\"}}";
        if (!body.TryGet("tool_choice", out JsonElement value))
            return auto;
        WireToolChoice choice = auto;
        string namePath = "tool_choice";
        if (value.ValueKind == JsonValueKind.String)
        {
            string? word = body.Word("tool_choice", false, "auto", "none", "required", "any");
            choice = new WireToolChoice(word == "any" ? "required" : word ?? "auto", null);
        }
        else if (body.Object("tool_choice", Legal) is { } item)
        {
            string type = item.Word("type", false, "function", "auto", "none", "required") ?? "function";
            string? name = type == "function"
                ? item.Object("function", Legal, required: true)?.Text("name", required: true)
                : null;
            namePath = "tool_choice.function.name";
            choice = new WireToolChoice(type, name);
        }

        if (body.Error is not null)
            return auto;
        if (choice.Mode == "required" && !tools.Any(tool => tool.Type == "function"))
            body.Fail(PlatformError.Invalid("tool_choice", "a call is required, but tools offers no function", "Send at least one function in tools, or use auto"));
        else if (choice.Mode == "function" && !tools.Any(tool => tool.Type == "function" && tool.Name == choice.Name))
            body.Fail(PlatformError.Invalid(namePath, "tools offers no function of this name", "Name one of the functions in tools"));
        return choice;
    }

    public static IReadOnlyList<WireToolCall> ReadCalls(FieldReader message)
    {
        const string Legal = "Send an object such as {\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}";
        if (message.Objects("tool_calls", Legal) is not { Count: > 0 } items)
        {
            // OpenAI's first form: one call without an id.
            return message.Object("function_call", "Send an object such as {\"name\":\"f\",\"arguments\":\"{}\"}") is { } only
                ? [new WireToolCall("", only.Text("name", required: true, min: 1, max: 256) ?? "", ReadArguments(only))]
                : [];
        }

        var calls = new List<WireToolCall>(items.Count);
        foreach (FieldReader item in items)
        {
            string? id = item.Text("id", numbers: true);
            string? type = item.Word("type", false, "function", "web_search", "retrieval", "mcp");

            // Calls that the platform made itself carry nothing a template shows.
            if (type is not null and not "function")
                continue;
            if (item.Object("function", Legal, required: true) is not { } function)
                return [];
            string? name = function.Text("name", required: true, min: 1, max: 256);
            calls.Add(new WireToolCall(id ?? "", name ?? "", ReadArguments(function)));
        }

        return calls;
    }

    private static WireTool? ReadFunction(FieldReader item)
    {
        if (item.Object("function", ToolLegal, required: true) is not { } function
            || function.Text("name", required: true) is not { } name)
        {
            return null;
        }

        if (name.Length is 0 or > 64 || name.AsSpan().ContainsAnyExcept(NameCharacters))
        {
            function.Fail(PlatformError.Invalid(function.PathOf("name"), name.Length is 0 or > 64 ? $"it has {name.Length} characters" : "it has other characters", NameLegal));
            return null;
        }

        function.Text("description");
        if (function.Object("parameters", "Send a JSON schema of type object") is { } parameters
            && parameters.TryGet("type", out JsonElement type)
            && !(type.ValueKind == JsonValueKind.String && type.ValueEquals("object"u8)))
        {
            parameters.Fail(PlatformError.Invalid(parameters.PathOf("type"), $"it is {FieldReader.Describe(type)}", "The arguments of a function are an object: use \"object\""));
        }

        return item.Error is null ? new WireTool("function", name, WithType(item), item.Path) : null;
    }

    /// <summary>The tool object with a <c>type</c>, whether or not the client sent one.</summary>
    private static JsonElement WithType(FieldReader item)
    {
        if (item.Has("type"))
            return item.Element.Clone();
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "function"u8);
            json.WritePropertyName("function"u8);
            item.Element.GetProperty("function").WriteTo(json);
            json.WriteEndObject();
        }

        using JsonDocument document = JsonDocument.Parse(buffer.WrittenMemory, WireJson.ReaderOptions);
        return document.RootElement.Clone();
    }

    /// <summary>Arguments as JSON text: clients send a string, some an object, some nothing for a call without arguments.</summary>
    private static string ReadArguments(FieldReader function)
    {
        const string Legal = "Send the arguments as a JSON string such as \"{\\\"city\\\":\\\"Beijing\\\"}\"";
        if (!function.TryGet("arguments", out JsonElement value))
            return "{}";
        if (value.ValueKind == JsonValueKind.Object)
            return value.GetRawText();
        if (function.Text("arguments") is not { } text)
            return "{}";
        if (string.IsNullOrWhiteSpace(text))
            return "{}";
        switch (JsonSyntax.KindOf(text))
        {
            case JsonTokenType.StartObject:
                return text;
            case JsonTokenType.Null:
                return "{}";
        }

        function.Fail(PlatformError.Invalid(function.PathOf("arguments"), "it is not the JSON text of an object", Legal));
        return "{}";
    }
}
