using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Anthropic;

/// <summary>Reads <c>tools</c> and <c>tool_choice</c> of the Messages API.</summary>
internal static class MessagesToolReader
{
    private const int MaxTools = 512;
    private const int MaxName = 128;
    private const string ToolLegal = "Send an object such as {\"name\":\"get_weather\",\"input_schema\":{\"type\":\"object\"}}";

    private static readonly SearchValues<char> NameCharacters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

    public static IReadOnlyList<WireTool> ReadTools(FieldReader body)
    {
        if (body.Objects("tools", ToolLegal, max: MaxTools) is not { Count: > 0 } items)
            return [];
        var tools = new List<WireTool>(items.Count);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (FieldReader item in items)
        {
            string type = item.Text("type") ?? "custom";
            if (type != "custom")
            {
                // web_search_20250305, bash_20250124 …: run by Anthropic, or known to its models without a schema.
                item.Fail(PlatformError.Unsupported(item.PathOf("type"), type.Length > 60 ? type[..60] : type, "this server offers no server tools and no tools without a schema; describe a tool of your own with input_schema, or leave it out"));
                return [];
            }

            string? name = item.Text("name", required: true, min: 1, max: MaxName);
            if (name is not null && name.AsSpan().ContainsAnyExcept(NameCharacters))
                item.Fail(PlatformError.Invalid(item.PathOf("name"), "it holds other characters than letters, digits, _ and -", $"Use 1 to {MaxName} of those"));
            if (name is not null && !names.Add(name))
                item.Fail(PlatformError.Invalid(item.PathOf("name"), $"the name \"{name}\" comes twice", "Give every tool a name of its own"));
            string? description = item.Text("description");
            FieldReader? schema = item.Object("input_schema", "Send a JSON schema as an object", required: true);
            if (item.Error is not null)
                return [];
            tools.Add(new WireTool("function", name!, FunctionDefinition.Of(name!, description, schema!.Value.Element, item.Flag("strict") ?? false), item.Path));
        }

        return tools;
    }

    public static (WireToolChoice Choice, bool Parallel) ReadChoice(FieldReader body, IReadOnlyList<WireTool> tools)
    {
        var auto = new WireToolChoice("auto", null);
        if (body.Object("tool_choice", "Send an object such as {\"type\":\"auto\"}") is not { } choice)
            return (auto, true);
        string? type = choice.Word("type", true, "auto", "any", "tool", "none");
        bool parallel = !(choice.Flag("disable_parallel_tool_use") ?? false);
        string? name = type == "tool" ? choice.Text("name", required: true, min: 1) : null;
        if (choice.Error is not null)
            return (auto, parallel);
        if (type is "any" or "tool" && tools.Count == 0)
            choice.Fail(PlatformError.Invalid(choice.PathOf("type"), $"it is \"{type}\", but there are no tools", "Send tools, or use auto or none"));
        else if (name is not null && !tools.Any(tool => string.Equals(tool.Name, name, StringComparison.Ordinal)))
            choice.Fail(PlatformError.Invalid(choice.PathOf("name"), $"there is no tool \"{(name.Length > 60 ? name[..60] : name)}\"", "Name one of the tools"));
        return (type switch
        {
            "any" => new WireToolChoice("required", null),
            "tool" => new WireToolChoice("function", name),
            "none" => new WireToolChoice("none", null),
            _ => auto,
        }, parallel);
    }
}
