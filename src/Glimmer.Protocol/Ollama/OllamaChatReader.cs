using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Ollama;

/// <summary>Reads the bodies of Ollama's <c>POST /api/chat</c> and <c>POST /api/generate</c> as the request that every dialect becomes.</summary>
public static class OllamaChatReader
{
    private const int MaxStops = 64;

    /// <summary>Reads <c>/api/chat</c>. Without messages it asks only that the model be there: <see cref="ChatCompletionRequest.Messages"/> is empty.</summary>
    public static (ChatCompletionRequest? Request, PlatformError? Error) ReadChat(FieldReader body)
    {
        List<WireMessage> messages = OllamaMessageReader.ReadMessages(body);
        IReadOnlyList<WireTool> tools = ToolReader.ReadTools(body);
        return Read(body, messages, tools);
    }

    /// <summary>Reads <c>/api/generate</c>: a prompt and instructions. Without a prompt it asks only that the model be there.</summary>
    public static (ChatCompletionRequest? Request, PlatformError? Error) ReadGenerate(FieldReader body)
    {
        string? suffix = body.Text("suffix") is { Length: > 0 } after ? after : null;
        if (body.Flag("raw") == true || suffix is not null)
            return ReadRaw(body, suffix);
        if (body.Text("template") is { Length: > 0 })
            body.Fail(PlatformError.Unsupported("template", "templates", "prompts are written by the model's own template; leave template out"));
        List<WireMessage> messages = [];
        if (body.Text("system") is { Length: > 0 } system)
            messages.Add(new WireMessage(WireRole.System, [new WirePart(WirePartKind.Text, system)]));
        List<WirePart> parts = [];
        OllamaMessageReader.ReadImages(body, parts);
        if (body.Text("prompt") is { Length: > 0 } prompt)
            parts.Add(new WirePart(WirePartKind.Text, prompt));
        if (parts.Count > 0)
            messages.Add(new WireMessage(WireRole.User, parts));
        else
            messages.Clear();
        return Read(body, messages, []);
    }

    /// <summary>A prompt that the model goes on with as it stands, or a gap that it fills.</summary>
    private static (ChatCompletionRequest? Request, PlatformError? Error) ReadRaw(FieldReader body, string? suffix)
    {
        foreach (string field in (string[])["system", "template"])
        {
            if (body.Text(field) is { Length: > 0 })
                body.Fail(PlatformError.Invalid(field, "the prompt is raw", $"Leave {field} out, or leave out raw and suffix"));
        }

        if (body.Texts("images", 1, 0, int.MaxValue) is { Count: > 0 })
            body.Fail(PlatformError.Invalid("images", "the prompt is raw", "Leave images out, or leave out raw and suffix"));
        string? prompt = body.Text("prompt");
        (ChatCompletionRequest? request, PlatformError? error) = Read(body, [], []);
        bool asks = prompt is { Length: > 0 } || suffix is not null;
        return request is null ? (null, error) : (request with { Thinking = false, ReasoningEffort = null, Raw = asks ? new WireRawPrompt(prompt ?? "", null, suffix, suffix is null ? "raw" : "suffix") : null }, null);
    }

    private static (ChatCompletionRequest? Request, PlatformError? Error) Read(FieldReader body, List<WireMessage> messages, IReadOnlyList<WireTool> tools)
    {
        string? model = body.Text("model", required: true, min: 1, max: 256);
        (bool? thinks, string? effort) = ReadThink(body);
        CheckKeepAlive(body);
        FieldReader? options = body.Object("options", "Send an object such as {\"temperature\":0.7}");
        var request = new ChatCompletionRequest
        {
            Dialect = WireDialect.Ollama,
            Model = model ?? "",
            Stream = body.Flag("stream") ?? true,
            Thinking = thinks,
            ClearThinking = false, // the client returns what it wants kept
            ReasoningEffort = effort,
            Temperature = options?.Number("temperature", 0, 2),
            TopP = options?.Number("top_p", 0, 1) is { } topP ? Math.Max(topP, 0.01) : null,
            TopK = (int?)options?.Whole("top_k", 0, int.MaxValue),
            MaxTokens = options?.Whole("num_predict", -2, int.MaxValue) is { } limit and > 0 ? (int)Math.Min(limit, ChatRequestReader.MaxMaxTokens) : null,
            Seed = options?.Whole("seed", long.MinValue, long.MaxValue),
            Stop = options?.Texts("stop", MaxStops, minLength: 1, maxLength: 4096) ?? [],
            MinP = options?.Number("min_p", 0, 1),
            RepetitionPenalty = options?.Number("repeat_penalty", 0.01, 10),
            PresencePenalty = options?.Number("presence_penalty", -2, 2),
            FrequencyPenalty = options?.Number("frequency_penalty", -2, 2),
            TopLogProbs = body.Whole("top_logprobs", 0, ChatRequestReader.MaxTopLogProbs) is var top && body.Flag("logprobs") == true ? (int)(top ?? 0) : null,
            ResponseFormat = ReadFormat(body),
            Tools = tools,
            ToolStream = true,
            Messages = messages,
            ContinueLast = messages is [.., { Role: WireRole.Assistant, ToolCalls.Count: 0 }],
        };
        return body.Error is { } error ? (null, error) : (request, null);
    }

    /// <summary><c>think</c>: true, false, or an effort; absent leaves it to the model.</summary>
    private static (bool? Thinks, string? Effort) ReadThink(FieldReader body)
    {
        if (!body.TryGet("think", out JsonElement think))
            return (null, null);
        if (think.ValueKind == JsonValueKind.String && body.Word("think", false, "max", "high", "medium", "low", "true", "false") is { } word)
            return word is "true" or "false" ? (word == "true", null) : (true, word);
        return (body.Flag("think"), null);
    }

    private static WireResponseFormat ReadFormat(FieldReader body)
    {
        var text = new WireResponseFormat("text", null, false);
        if (!body.TryGet("format", out JsonElement format) || (format.ValueKind == JsonValueKind.String && format.ValueEquals("")))
            return text;
        const string Legal = "Send \"json\" or a JSON schema as an object";
        if (format.ValueKind == JsonValueKind.Object)
            return new WireResponseFormat("json_schema", format.Clone(), false);
        if (format.ValueKind == JsonValueKind.String && format.ValueEquals("json"))
            return new WireResponseFormat("json_object", null, false);
        body.Fail(PlatformError.Invalid("format", $"it is {FieldReader.Describe(format)}", Legal));
        return text;
    }

    /// <summary>Whether <c>keep_alive</c> is no time at all.</summary>
    public static bool KeepsNothing(FieldReader body) => body.TryGet("keep_alive", out JsonElement value) && value.ValueKind switch
    {
        JsonValueKind.Number => value.TryGetDouble(out double seconds) && seconds == 0,
        JsonValueKind.String => value.GetString() is "0" or "0s" or "0m" or "0h",
        _ => false,
    };

    /// <summary>How long a model stays loaded is the server's own business; the form is checked.</summary>
    private static void CheckKeepAlive(FieldReader body)
    {
        if (body.TryGet("keep_alive", out JsonElement value) && value.ValueKind is not (JsonValueKind.Number or JsonValueKind.String))
            body.Fail(PlatformError.Invalid("keep_alive", $"it is {FieldReader.Describe(value)}", "Send a duration such as \"5m\" or a number of seconds"));
    }
}
