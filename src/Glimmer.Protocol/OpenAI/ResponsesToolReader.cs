using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.OpenAI;

/// <summary>Tools of a Responses request.</summary>
/// <param name="Functions">Functions, in the platform's own form.</param>
/// <param name="LeftOut">Types of hosted tools that the model is not offered.</param>
/// <param name="Namespaces">Functions of namespaces, by the name that the model sees.</param>
/// <param name="Custom">Those that take free text, by the name that the model sees.</param>
internal sealed record ResponsesTools(
    IReadOnlyList<WireTool> Functions, IReadOnlyList<string> LeftOut, IReadOnlyDictionary<string, NamespacedName> Namespaces, IReadOnlySet<string> Custom);

/// <summary>Reads <c>tools</c> and <c>tool_choice</c> of a Responses request.</summary>
internal static class ResponsesToolReader
{
    private const int MaxFunctions = 128;
    private const string ToolLegal = "Send an object such as {\"type\":\"function\",\"name\":\"get_weather\",\"parameters\":{\"type\":\"object\"}}";

    /// <summary>
    /// Reads the tools. A search is left out, since the model need not use it and some tools always offer it; other hosted tools
    /// are refused by name.
    /// </summary>
    public static ResponsesTools ReadTools(FieldReader body)
    {
        var functions = new List<WireTool>();
        var leftOut = new List<string>();
        var namespaces = new Dictionary<string, NamespacedName>(StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.Ordinal);
        var custom = new HashSet<string>(StringComparer.Ordinal);
        foreach (FieldReader item in body.Objects("tools", ToolLegal, max: 1024) ?? [])
        {
            string? type = item.Text("type", required: true);
            switch (type)
            {
                case null:
                    break;
                case "function" or "custom":
                    Add(item, item.Element, null);
                    break;
                case "namespace":
                    string? space = item.Text("name", required: true, min: 1, max: 48);
                    foreach (FieldReader inner in item.Objects("tools", ToolLegal, max: MaxFunctions) ?? [])
                    {
                        inner.Word("type", true, "function", "custom");
                        Add(inner, inner.Element, space);
                    }

                    break;
                case "web_search" or "web_search_2025_08_26" or "web_search_preview" or "web_search_preview_2025_03_11":
                    if (!leftOut.Contains(type))
                        leftOut.Add(type);
                    break;
                default:
                    string shown = type.Length > 40 ? type[..40] : type;
                    item.Fail(PlatformError.Unsupported(item.PathOf("type"), shown, "this server has no such tool; offer it as a function with a JSON schema, or leave it out"));
                    break;
            }

            if (body.Error is not null)
                return new ResponsesTools([], [], namespaces, custom);
        }

        if (functions.Count > MaxFunctions)
            body.Fail(PlatformError.Invalid("tools", $"it has {functions.Count} functions", $"Send at most {MaxFunctions}"));
        return new ResponsesTools(functions, leftOut, namespaces, custom);

        void Add(FieldReader function, JsonElement element, string? space)
        {
            string own = element.TryGetProperty("name", out JsonElement named) && named.ValueKind == JsonValueKind.String ? named.GetString()! : "";
            string seen = space is null ? own : ModelName(space, own);
            bool text = function.Text("type") == "custom";
            if (FunctionTool.Read(function, Written(element, seen, text ? function : null)) is not { } tool)
                return;
            if (text)
                custom.Add(seen);
            if (!names.Add(seen))
                function.Fail(PlatformError.Invalid(function.PathOf("name"), $"the name \"{seen}\" comes twice", "Give every function a name of its own"));
            if (space is not null)
                namespaces[seen] = new NamespacedName(space, own);
            functions.Add(tool with { Name = seen });
        }
    }

    /// <summary>The name that the model sees of a function in a namespace.</summary>
    public static string ModelName(string space, string name) => $"{space}__{name}";

    /// <summary>Reads the choice, and which tools it leaves.</summary>
    public static (WireToolChoice Choice, IReadOnlyList<WireTool> Tools) ReadChoice(FieldReader body, ResponsesTools tools)
    {
        var auto = new WireToolChoice("auto", null);
        if (!body.TryGet("tool_choice", out JsonElement value))
            return (auto, tools.Functions);
        if (value.ValueKind == JsonValueKind.String)
        {
            string word = body.Word("tool_choice", false, "auto", "none", "required") ?? "auto";
            if (word == "required" && tools.Functions.Count == 0)
                body.Fail(PlatformError.Invalid("tool_choice", "a call is required, but tools offers no function", "Send at least one function in tools, or use auto"));
            return (new WireToolChoice(word, null), tools.Functions);
        }

        (WireToolChoice? allowed, IReadOnlyList<WireTool> left) = AllowedTools.Read(body, tools.Functions, nested: false);
        if (allowed is not null)
            return (allowed, left);
        const string Legal = "Use auto, none, required or {\"type\":\"function\",\"name\":\"…\"}";
        if (body.Object("tool_choice", Legal) is not { } item)
            return (auto, tools.Functions);
        item.Word("type", true, "function", "custom", "allowed_tools");
        string? name = item.Text("name", required: true);
        if (name is not null && item.Text("namespace") is { } space)
            name = ModelName(space, name);
        if (body.Error is null && !tools.Functions.Any(tool => tool.Name == name))
            body.Fail(PlatformError.Invalid("tool_choice.name", "tools offers no function of this name", "Name one of the functions in tools"));
        return (new WireToolChoice("function", name), tools.Functions);
    }

    /// <summary>The function in the platform's own form.</summary>
    private static JsonElement Written(JsonElement element, string name, FieldReader? custom)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "function"u8);
            json.WriteStartObject("function"u8);
            json.WriteString("name"u8, name);
            if (custom is { } text)
                CustomTool.Write(json, text);
            foreach (string member in custom is null ? ["description", "parameters", "strict"] : Array.Empty<string>())
            {
                if (element.TryGetProperty(member, out JsonElement value) && value.ValueKind != JsonValueKind.Null)
                {
                    json.WritePropertyName(member);
                    value.WriteTo(json);
                }
            }

            json.WriteEndObject();
            json.WriteEndObject();
        }

        return JsonDocument.Parse(buffer.WrittenMemory, WireJson.ReaderOptions).RootElement;
    }
}
