using System.Collections.Frozen;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Gemini;

/// <summary>Reads bodies of <c>:generateContent</c>, <c>:streamGenerateContent</c> and <c>:countTokens</c> as the request that every dialect becomes.</summary>
public static class GeminiRequestReader
{
    private static readonly FrozenSet<string> _names = FrozenSet.Create(
        StringComparer.Ordinal,
        "model", "contents", "tools", "toolConfig", "safetySettings", "systemInstruction", "generationConfig", "cachedContent", "labels", "serviceTier", "store", "continuationToken");

    private static readonly FrozenSet<string> _countNames = FrozenSet.Create(StringComparer.Ordinal, "model", "contents", "generateContentRequest");

    /// <summary>Reads a request for an answer.</summary>
    /// <param name="body">The body.</param>
    /// <param name="model">The model of the path.</param>
    /// <param name="stream">Whether the path asks for a stream.</param>
    public static (GeminiRequest? Request, PlatformError? Error) Read(FieldReader body, string model, bool stream) => Read(body, model, stream, needsUser: true);

    /// <summary>Reads a request for a count: contents alone, or a whole request under <c>generateContentRequest</c>.</summary>
    /// <param name="body">The body.</param>
    /// <param name="model">The model of the path.</param>
    public static (GeminiRequest? Request, PlatformError? Error) ReadForCount(FieldReader body, string model)
    {
        string name = body.Spelt("generateContentRequest");
        if (body.Object(name, "Send an object such as {\"contents\":[{\"parts\":[{\"text\":\"…\"}]}]}") is not { } whole)
            return body.Error is { } wrong ? (null, wrong) : Read(body, model, stream: false, needsUser: false);
        body.Know(_countNames);
        if (body.Has("contents"))
            body.Fail(PlatformError.Of(BusinessCode.ParametersConflict, "contents", name) with { Field = name });
        return Read(whole, model, stream: false, needsUser: false);
    }

    private static (GeminiRequest? Request, PlatformError? Error) Read(FieldReader body, string model, bool stream, bool needsUser)
    {
        body.Know(_names);
        body.Text("model", max: 256);
        foreach (string field in (string[])["cachedContent", "continuationToken"])
        {
            string spelt = body.Spelt(field);
            if (body.Text(spelt) is { Length: > 0 })
                body.Fail(PlatformError.Unsupported(body.PathOf(spelt), field, "nothing is kept under such a name here; send the contents themselves, whose prefix is cached without being asked"));
        }

        // Whatever they say, the platform's own rules decide.
        body.ObjectsOrOne("safetySettings", "Send objects such as {\"category\":\"HARM_CATEGORY_HARASSMENT\",\"threshold\":\"BLOCK_NONE\"}");
        body.Object("labels", "Send an object of strings");
        IReadOnlyList<WireTool> tools = GeminiToolReader.ReadTools(body);
        (WireToolChoice choice, tools) = GeminiToolReader.ReadChoice(body, tools);
        List<WireMessage> messages = [];
        if (body.Object(body.Spelt("systemInstruction"), "Send an object such as {\"parts\":[{\"text\":\"…\"}]}") is { } system
            && GeminiContentReader.ReadText(system) is { Length: > 0 } instructions)
        {
            messages.Add(new WireMessage(WireRole.System, [new WirePart(WirePartKind.Text, instructions)]));
        }

        bool continues = GeminiContentReader.Read(body, messages, needsUser);
        GeminiRequest request = GenerationConfigReader.Read(body, new ChatCompletionRequest
        {
            Dialect = WireDialect.Gemini,
            Model = model,
            Stream = stream,
            ClearThinking = false, // what the client returns of its thinking stays
            Tools = tools,
            ToolChoice = choice,
            ToolStream = true,
            Messages = messages,
            ContinueLast = continues,
        });
        if (continues && needsUser && request.Chat.ResponseFormat.Type != "text")
            body.Fail(PlatformError.Invalid("contents", "the last content is the model's, and an answer of a given form begins anew", "End with a content of the user, or leave the form out"));
        return body.Error is { } error ? (null, error) : (request, null);
    }
}
