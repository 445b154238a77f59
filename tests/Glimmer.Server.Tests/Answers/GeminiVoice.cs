using System.Text.Json;
using System.Text.Json.Nodes;

namespace Glimmer.Server.Tests.Answers;

/// <summary>Google's Gemini API, whose paths name the model and say whether to stream.</summary>
/// <param name="alt">Form of its streams: <c>sse</c>, or <c>json</c> for one array.</param>
internal sealed class GeminiVoice(string alt) : DialectVoice
{
    public override string Path => "/v1beta/models/glm-4.7:generateContent";

    public override (string Path, string Body) Form(JsonObject body, bool stream)
    {
        JsonObject sent = body.DeepClone().AsObject();
        string model = (string?)sent["model"] ?? "glm-4.7";
        sent.Remove("model");
        return (stream ? $"/v1beta/models/{model}:streamGenerateContent?alt={alt}" : $"/v1beta/models/{model}:generateContent", sent.ToJsonString());
    }

    public override JsonObject Ask(string question, bool thinking, int? limit = null, string? stop = null)
    {
        JsonObject body = new() { ["contents"] = new JsonArray(new JsonObject { ["role"] = "user", ["parts"] = new JsonArray(new JsonObject { ["text"] = question }) }) };
        Configure(body, "thinkingConfig", thinking ? new JsonObject { ["includeThoughts"] = true } : new JsonObject { ["thinkingBudget"] = 0 });
        if (limit is not null)
            Configure(body, "maxOutputTokens", limit);
        if (stop is not null)
            Configure(body, "stopSequences", new JsonArray(stop));
        return body;
    }

    public override JsonObject Continue() => JsonNode.Parse("""
        {"systemInstruction":{"parts":[{"text":"Be brief"}]},"contents":[{"role":"user","parts":[{"text":"Read both ä"}]},
        {"role":"model","parts":[{"text":"hm","thought":true},{"text":"Reading."},{"functionCall":{"name":"read","args":{"path":"a"}}}]},{"role":"model","parts":[{"functionCall":{"id":"2","name":"list","args":{}}}]},
        {"role":"user","parts":[{"functionResponse":{"name":"read","response":{"output":"one"}}},{"functionResponse":{"id":"2","name":"list","response":{"output":"two"}}}]}]}
        """)!.AsObject().With("tools", new JsonArray(new JsonObject { ["functionDeclarations"] = new JsonArray(Declare(Tool("read")["function"]!), Declare(Tool("list")["function"]!)) }));

    public override Heard ReadWhole(JsonElement body) => Read([body]);

    public override Heard ReadStream(string text) => Read(alt == "sse" ? Events(text) : [.. JsonDocument.Parse(text).RootElement.EnumerateArray()]);

    /// <summary>Sets members of the configuration, given as names and values in turn.</summary>
    public static JsonObject Configure(JsonObject body, params object[] members)
    {
        if (body["generationConfig"] is not JsonObject config)
            body["generationConfig"] = config = [];
        for (int i = 0; i < members.Length; i += 2)
            config[(string)members[i]] = members[i + 1] as JsonNode ?? JsonSerializer.SerializeToNode(members[i + 1]);
        return body;
    }

    /// <summary>A function in that API's form, with types in capitals.</summary>
    public static JsonObject Declare(JsonNode function)
    {
        JsonObject declared = function.DeepClone().AsObject();
        if (declared["parameters"] is { } parameters)
            Raise(parameters);
        return declared;
    }

    private static void Raise(JsonNode schema)
    {
        if (schema["type"] is JsonValue type)
            schema["type"] = ((string)type!).ToUpperInvariant();
        foreach ((_, JsonNode? property) in schema["properties"]?.AsObject() ?? [])
            Raise(property!);
        if (schema["items"] is JsonObject items)
            Raise(items);
    }

    private static Heard Read(IReadOnlyList<JsonElement> pieces)
    {
        string content = "", reasoning = "", calls = "", finish = "";
        (int prompt, int completion) = (-1, -1);
        foreach (JsonElement piece in pieces)
        {
            if (piece.TryGetProperty("error", out _))
            {
                finish = "fault";
                continue;
            }

            JsonElement candidate = piece.GetProperty("candidates")[0];
            foreach (JsonElement part in candidate.GetProperty("content").GetProperty("parts").EnumerateArray())
            {
                if (part.TryGetProperty("functionCall", out JsonElement call))
                    calls += Call(Text(call, "name"), call.GetProperty("args").GetRawText());
                else if (part.TryGetProperty("thought", out JsonElement thought) && thought.GetBoolean())
                    reasoning += Text(part, "text");
                else
                    content += Text(part, "text");
            }

            if (Text(candidate, "finishReason") is not { Length: > 0 } word)
                continue;
            finish = word switch
            {
                "STOP" => calls.Length > 0 ? "calls" : "stop",
                "MAX_TOKENS" => "length",
                "SAFETY" => "sensitive",
                _ => "unknown " + word,
            };
            JsonElement usage = piece.GetProperty("usageMetadata");
            prompt = usage.GetProperty("promptTokenCount").GetInt32();
            completion = usage.GetProperty("totalTokenCount").GetInt32() - prompt;
            int thoughts = usage.TryGetProperty("thoughtsTokenCount", out JsonElement told) ? told.GetInt32() : 0;
            Assert.Equal(completion, usage.GetProperty("candidatesTokenCount").GetInt32() + thoughts);
        }

        return new Heard(content, reasoning, calls, finish, prompt, completion);
    }
}
