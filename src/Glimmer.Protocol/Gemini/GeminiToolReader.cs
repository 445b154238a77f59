using System.Buffers;
using System.Collections.Frozen;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Gemini;

/// <summary>Reads <c>tools</c> and <c>toolConfig</c>.</summary>
internal static class GeminiToolReader
{
    private const int MaxTools = 512;
    private const int MaxName = 128;
    private const string ToolLegal = "Send an object such as {\"functionDeclarations\":[{\"name\":\"get_weather\",\"parameters\":{\"type\":\"OBJECT\"}}]}";

    private static readonly SearchValues<char> _nameCharacters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:");

    private static readonly string[] _serverTools =
    [
        "googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext", "googleMaps", "fileSearch", "computerUse", "mcpServers", "retrieval", "enterpriseWebSearch",
    ];

    private static readonly FrozenSet<string> _toolNames = _serverTools.Append("functionDeclarations").ToFrozenSet(StringComparer.Ordinal);

    private static readonly FrozenSet<string> _functionNames = FrozenSet.Create(
        StringComparer.Ordinal, "name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "behavior");

    private static readonly FrozenSet<string> _configNames = FrozenSet.Create(
        StringComparer.Ordinal, "functionCallingConfig", "retrievalConfig", "includeServerSideToolInvocations");

    private static readonly FrozenSet<string> _callingNames = FrozenSet.Create(
        StringComparer.Ordinal, "mode", "allowedFunctionNames", "streamFunctionCallArguments");

    private static readonly JsonElement _noParameters = JsonDocument.Parse("""{"type":"object","properties":{}}""").RootElement.Clone();

    /// <summary>The functions of all tools.</summary>
    public static IReadOnlyList<WireTool> ReadTools(FieldReader body)
    {
        List<WireTool> tools = [];
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (FieldReader item in body.ObjectsOrOne("tools", ToolLegal, max: MaxTools) ?? [])
        {
            item.Know(_toolNames);
            foreach (string other in _serverTools)
            {
                string spelt = item.Spelt(other);
                if (item.Has(spelt))
                    item.Fail(PlatformError.Unsupported(item.PathOf(spelt), other, "this server runs no tools of its own; describe a function with functionDeclarations, or leave it out"));
            }

            foreach (FieldReader function in item.ObjectsOrOne("functionDeclarations", "Send an object such as {\"name\":\"get_weather\"}", max: MaxTools) ?? [])
            {
                if (ReadFunction(function) is not { } tool)
                    return [];
                if (!names.Add(tool.Name))
                    function.Fail(PlatformError.Invalid(function.PathOf("name"), $"the name \"{tool.Name}\" comes twice", "Give every function a name of its own"));
                tools.Add(tool);
            }
        }

        if (tools.Count > MaxTools)
            body.Fail(PlatformError.Invalid("tools", $"there are {tools.Count} functions", $"Send at most {MaxTools}"));
        return tools;
    }

    /// <summary>Whether and which functions must be called, and those that may be.</summary>
    public static (WireToolChoice Choice, IReadOnlyList<WireTool> Tools) ReadChoice(FieldReader body, IReadOnlyList<WireTool> tools)
    {
        var auto = new WireToolChoice("auto", null);
        if (body.Object(body.Spelt("toolConfig"), "Send an object such as {\"functionCallingConfig\":{\"mode\":\"AUTO\"}}") is not { } config)
            return (auto, tools);
        config.Know(_configNames);
        if (config.Object(config.Spelt("functionCallingConfig"), "Send an object such as {\"mode\":\"AUTO\"}") is not { } calling)
            return (auto, tools);
        calling.Know(_callingNames);
        string mode = calling.Word("mode", false, "MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED") ?? "AUTO";
        string allowed = calling.Spelt("allowedFunctionNames");
        IReadOnlyList<string> names = calling.Texts(allowed, MaxTools, 1, MaxName) ?? [];
        if (calling.Error is not null)
            return (auto, tools);
        if (names.Count > 0 && mode is not ("ANY" or "VALIDATED"))
            calling.Fail(PlatformError.Invalid(calling.PathOf(allowed), $"the mode is {mode}", "Use the mode ANY or VALIDATED with it, or leave it out"));
        if (mode == "ANY" && tools.Count == 0)
            calling.Fail(PlatformError.Invalid(calling.PathOf("mode"), "it is ANY, but there are no functions", "Send functionDeclarations, or use AUTO or NONE"));
        var wanted = names.ToHashSet(StringComparer.Ordinal);
        var known = tools.Select(tool => tool.Name).ToHashSet(StringComparer.Ordinal);
        if (names.FirstOrDefault(name => !known.Contains(name)) is { } unknown)
            calling.Fail(PlatformError.Invalid(calling.PathOf(allowed), $"there is no function \"{unknown}\"", "Name functions of functionDeclarations"));
        if (wanted.Count > 1 || (wanted.Count == 1 && mode == "VALIDATED"))
            tools = [.. tools.Where(tool => wanted.Contains(tool.Name))];
        return (mode switch
        {
            "ANY" when wanted.Count == 1 => new WireToolChoice("function", names[0]),
            "ANY" => new WireToolChoice("required", null),
            "NONE" => new WireToolChoice("none", null),
            _ => auto,
        }, tools);
    }

    private static WireTool? ReadFunction(FieldReader function)
    {
        function.Know(_functionNames);
        string? name = function.Text("name", required: true, min: 1, max: MaxName);
        if (name is not null && name.AsSpan().ContainsAnyExcept(_nameCharacters))
            function.Fail(PlatformError.Invalid(function.PathOf("name"), "it holds other characters than letters, digits, _, -, . and :", $"Use 1 to {MaxName} of those"));
        string? description = function.Text("description");
        string spelt = function.Spelt("parametersJsonSchema");
        FieldReader? open = function.Object("parameters", "Send a schema as an object, such as {\"type\":\"OBJECT\"}"), plain = function.Object(spelt, "Send a JSON schema as an object");
        if (open is not null && plain is not null)
            function.Fail(PlatformError.Of(BusinessCode.ParametersConflict, function.PathOf("parameters"), function.PathOf(spelt)) with { Field = function.PathOf(spelt) });
        if (function.Error is not null)
            return null;
        JsonElement schema = plain is { } json ? json.Element : open is { } api ? GeminiSchema.ToJsonSchema(api.Element) : _noParameters;
        return new WireTool("function", name!, FunctionDefinition.Of(name!, description, schema, false), function.Path);
    }
}
