using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.OpenAI;

/// <summary>Reads <c>tool_choice</c> of type <c>allowed_tools</c>: a list of the tools that may be used this time, of all that are offered.</summary>
internal static class AllowedTools
{
    private const string Legal = "Send an object such as {\"mode\":\"auto\",\"tools\":[{\"type\":\"function\",\"name\":\"get_weather\"}]}";

    /// <summary>The choice and the tools that are left; no choice and all tools when <c>tool_choice</c> has another type.</summary>
    /// <param name="body">The request.</param>
    /// <param name="tools">All tools.</param>
    /// <param name="nested">Whether mode and names stand one level deeper, as in chat completions.</param>
    public static (WireToolChoice? Choice, IReadOnlyList<WireTool> Tools) Read(FieldReader body, IReadOnlyList<WireTool> tools, bool nested)
    {
        if (!body.TryGet("tool_choice", out JsonElement value) || value.ValueKind != JsonValueKind.Object
            || !value.TryGetProperty("type", out JsonElement type) || type.ValueKind != JsonValueKind.String || !type.ValueEquals("allowed_tools"u8)
            || body.Object("tool_choice", Legal) is not { } outer
            || (nested ? outer.Object("allowed_tools", Legal, required: true) : outer) is not { } choice)
        {
            return (null, tools);
        }

        string mode = choice.Word("mode", true, "auto", "required") ?? "auto";
        var allowed = new List<WireTool>();
        foreach (FieldReader item in choice.Objects("tools", Legal, required: true) ?? [])
        {
            item.Word("type", false, nested ? ["function"] : ["function", "custom"]);
            FieldReader named = nested && item.Object("function", Legal) is { } function ? function : item;
            string? name = named.Text("name", required: true);
            if (body.Error is not null)
                break;
            if (name is not null && !nested && item.Text("namespace") is { } space)
                name = ResponsesToolReader.ModelName(space, name);
            if (tools.FirstOrDefault(tool => tool.Type == "function" && tool.Name == name) is not { } tool)
                named.Fail(PlatformError.Invalid(named.PathOf("name"), "tools offers no function of this name", "Name one of the functions in tools"));
            else if (!allowed.Contains(tool))
                allowed.Add(tool);
        }

        if (body.Error is null && mode == "required" && allowed.Count == 0)
            body.Fail(PlatformError.Invalid(choice.PathOf("tools"), "a call is required, but no tool is allowed", "Name at least one of the functions in tools"));
        return (new WireToolChoice(mode, null), allowed);
    }
}
