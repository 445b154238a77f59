using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Server.Tests.Answers;
using Glimmer.Testing;

namespace Glimmer.Server.Tests.Remote;

/// <summary>Questions to the bundled model as each dialect asks them, greedily.</summary>
internal static class EngineQuestions
{
    public const string Model = "glimmer-tiny";

    /// <summary>
    /// Known questions of one turn. Where the two best tokens are nearly as likely, two implementations may choose differently; none of these is such.
    /// </summary>
    public static IReadOnlyList<JsonElement> Rows { get; } =
    [
        .. File.ReadLines(Fixtures.Path("glimmer-tiny", "tasks.jsonl"))
            .Select(static line => JsonDocument.Parse(line).RootElement)
            .Where(static row => row.GetProperty("right").GetBoolean() && row.GetProperty("messages").GetArrayLength() == 1 && row.GetProperty("gaps").EnumerateArray().All(static gap => gap.GetDouble() > 0.3)),
    ];

    /// <summary>The first known question of its sort.</summary>
    public static JsonElement Row(bool thinking, bool calls) =>
        Rows.First(row => row.GetProperty("thinking").GetBoolean() == thinking && HasTools(row) == calls && row.GetProperty("want").GetProperty("tool_calls").GetArrayLength() > 0 == calls);

    public static bool HasTools(JsonElement row) => row.TryGetProperty("tools", out JsonElement tools) && tools.ValueKind == JsonValueKind.Array && tools.GetArrayLength() > 0;

    /// <summary>A row's question with its tools.</summary>
    public static JsonObject Ask(DialectVoice voice, JsonElement row, int? limit = 200, string? stop = null, bool? thinking = null)
    {
        JsonObject body = Greedy(voice, voice.Ask(row.GetProperty("messages")[0].GetProperty("content").GetString()!, thinking ?? row.GetProperty("thinking").GetBoolean(), limit, stop));
        if (HasTools(row))
            body["tools"] = new JsonArray([.. row.GetProperty("tools").EnumerateArray().Select(tool => Tool(voice, tool))]);
        return body;
    }

    /// <summary>Demands a call; null where the dialect cannot.</summary>
    public static JsonObject? Demand(DialectVoice voice, JsonObject body) => voice switch
    {
        OllamaVoice => null,
        MessagesVoice => body.With("tool_choice", new JsonObject { ["type"] = "any" }),
        GeminiVoice => body.With("toolConfig", new JsonObject { ["functionCallingConfig"] = new JsonObject { ["mode"] = "ANY" } }),
        _ => body.With("tool_choice", "required"),
    };

    /// <summary>Demands JSON of a schema; null where the dialect cannot.</summary>
    public static JsonObject? Follow(DialectVoice voice, JsonObject body, string schema)
    {
        JsonNode node = JsonNode.Parse(schema)!;
        return voice switch
        {
            MessagesVoice => null,
            OllamaVoice => body.With("format", node),
            GeminiVoice => GeminiVoice.Configure(body, "responseMimeType", "application/json", "responseJsonSchema", node),
            ResponsesVoice => body.With("text", new JsonObject { ["format"] = new JsonObject { ["type"] = "json_schema", ["name"] = "answer", ["strict"] = true, ["schema"] = node } }),
            _ => body.With("response_format", new JsonObject { ["type"] = "json_schema", ["json_schema"] = new JsonObject { ["name"] = "answer", ["strict"] = true, ["schema"] = node } }),
        };
    }

    private static JsonObject Greedy(DialectVoice voice, JsonObject body)
    {
        body["model"] = Model;
        if (voice is OllamaVoice)
            body["options"]!.AsObject()["temperature"] = 0;
        else if (voice is GeminiVoice)
            GeminiVoice.Configure(body, "temperature", 0);
        else
            body["temperature"] = 0;
        return body;
    }

    private static JsonNode Tool(DialectVoice voice, JsonElement tool)
    {
        JsonObject node = JsonNode.Parse(tool.GetRawText())!.AsObject(), function = node["function"]!.AsObject();
        return voice switch
        {
            MessagesVoice => new JsonObject { ["name"] = function["name"]!.DeepClone(), ["description"] = function["description"]?.DeepClone(), ["input_schema"] = function["parameters"]!.DeepClone() },
            ResponsesVoice => function.DeepClone().AsObject().With("type", "function"),
            GeminiVoice => new JsonObject { ["functionDeclarations"] = new JsonArray(GeminiVoice.Declare(function)) },
            _ => node,
        };
    }
}
