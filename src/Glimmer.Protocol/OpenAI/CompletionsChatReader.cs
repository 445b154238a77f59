using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.OpenAI;

/// <summary>
/// Reads the body of OpenAI's <c>POST /v1/chat/completions</c> as the request that every dialect becomes. The table in docs/dialects.md says of each
/// field whether it is honoured, accepted without effect or refused.
/// </summary>
public static class CompletionsChatReader
{
    private const string FunctionLegal = "Send an object such as {\"name\":\"get_weather\",\"parameters\":{\"type\":\"object\"}}";

    /// <summary>Reads and checks every field; the first fault is the error.</summary>
    public static (ChatCompletionRequest? Request, PlatformError? Error) Read(FieldReader body)
    {
        CheckAccepted(body);
        bool legacy = body.Has("functions") && !body.Has("tools");
        WireToolChoice? allowed = null;
        (ChatCompletionRequest? request, PlatformError? error) = ChatRequestReader.Read(
            body,
            WireDialect.OpenAI,
            reader =>
            {
                IReadOnlyList<WireTool> tools = legacy ? ReadFunctions(reader) : ToolReader.ReadTools(reader);
                (allowed, tools) = AllowedTools.Read(reader, tools, nested: true);
                return tools;
            },
            (reader, tools) => allowed ?? (legacy ? ReadFunctionCall(reader, tools) : ToolReader.ReadChoice(reader, tools)));
        return request is null
            ? (null, error)
            : (request with { ToolStream = true, LegacyFunctions = legacy, ParallelToolCalls = request.ParallelToolCalls && !legacy }, null);
    }

    /// <summary>Refuses what cannot be honoured, and checks the form of what is accepted without effect.</summary>
    private static void CheckAccepted(FieldReader body)
    {
        if (body.Has("audio"))
            body.Fail(PlatformError.Unsupported("audio", "audio output", "answers are text; leave it out"));
        if (body.Texts("modalities", 8, 1, 32) is { } modalities && modalities.Any(static kind => kind != "text"))
            body.Fail(PlatformError.Unsupported("modalities", "audio output", "answers are text; send [\"text\"] or leave it out"));
        if (body.Has("web_search_options"))
            body.Fail(PlatformError.Unsupported("web_search_options", "web search", "this server has no such tool; leave it out"));
        if (body.Has("moderation"))
            body.Fail(PlatformError.Unsupported("moderation", "moderation", "this server has no such model; leave it out"));
        body.Flag("store");
        body.Text("service_tier", max: 64);
        body.Text("prompt_cache_key", max: 512);
        body.Word("verbosity", false, "low", "medium", "high");
        RequestMetadata.Check(body);
    }

    private static List<WireTool> ReadFunctions(FieldReader body)
    {
        var tools = new List<WireTool>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (FieldReader function in body.Objects("functions", FunctionLegal, max: 128) ?? [])
        {
            if (FunctionTool.Read(function, WrittenFunction(function.Element)) is not { } tool)
                return [];
            if (!names.Add(tool.Name))
                function.Fail(PlatformError.Invalid(function.PathOf("name"), $"the name \"{tool.Name}\" comes twice", "Give every function a name of its own"));
            tools.Add(tool);
        }

        return tools;
    }

    private static WireToolChoice ReadFunctionCall(FieldReader body, IReadOnlyList<WireTool> tools)
    {
        if (!body.TryGet("function_call", out JsonElement value))
            return new WireToolChoice("auto", null);
        if (value.ValueKind == JsonValueKind.String)
            return new WireToolChoice(body.Word("function_call", false, "auto", "none") ?? "auto", null);
        string? name = body.Object("function_call", "Use auto, none or {\"name\":\"…\"}")?.Text("name", required: true);
        if (body.Error is null && !tools.Any(tool => tool.Name == name))
            body.Fail(PlatformError.Invalid("function_call.name", "functions offers no function of this name", "Name one of the functions"));
        return new WireToolChoice("function", name);
    }

    private static JsonElement WrittenFunction(JsonElement function)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(buffer, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("type"u8, "function"u8);
            json.WritePropertyName("function"u8);
            function.WriteTo(json);
            json.WriteEndObject();
        }

        return JsonDocument.Parse(buffer.WrittenMemory, WireJson.ReaderOptions).RootElement;
    }
}
