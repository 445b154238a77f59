using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Chat;

/// <summary>Reads the body of <c>POST /chat/completions</c> (spec: api.md §6.1, §2.1, §26.4).</summary>
public static class ChatRequestReader
{
    /// <summary>Largest <c>max_tokens</c> that any model takes.</summary>
    public const int MaxMaxTokens = 131072;

    /// <summary>Longest regular expression or grammar, in characters.</summary>
    public const int MaxGrammarLength = 1 << 16;

    private const string ThinkingLegal = "Send an object such as {\"type\":\"enabled\"}";

    /// <summary>Reads and checks every field; the first fault is the error.</summary>
    public static (ChatCompletionRequest? Request, PlatformError? Error) Read(FieldReader body)
    {
        (string? requestId, string? userId, string? model) = ReadIdentity(body);
        (bool? thinking, bool? clearThinking) = ReadThinking(body);
        CheckModeration(body);
        body.Flag("watermark_enabled");
        body.Object("stream_options", "Send an object such as {\"include_usage\":true}")?.Flag("include_usage");

        IReadOnlyList<WireTool> tools = ToolReader.ReadTools(body);
        var request = new ChatCompletionRequest
        {
            Model = model ?? "",
            RequestId = requestId,
            UserId = userId,
            Stream = body.Flag("stream") ?? false,
            Thinking = thinking,
            ClearThinking = clearThinking,
            ThinkingBudget = (int?)body.Object("thinking", ThinkingLegal)?.Whole("budget_tokens", 0, MaxMaxTokens),
            ReasoningEffort = ReadEffort(body),
            DoSample = body.Flag("do_sample") ?? true,
            Temperature = body.Number("temperature", 0, 2) is { } temperature ? Math.Min(temperature, 1) : null,
            TopP = body.Number("top_p", 0, 1) is { } topP ? Math.Max(topP, 0.01) : null,
            MaxTokens = ReadMaxTokens(body),
            Seed = body.Whole("seed", long.MinValue, long.MaxValue),
            Stop = body.Texts("stop", maxCount: 4, minLength: 1, maxLength: 4096) ?? [],
            Tools = tools,
            ToolChoice = ToolReader.ReadChoice(body, tools),
            ParallelToolCalls = body.Flag("parallel_tool_calls") ?? true,
            ToolStream = body.Flag("tool_stream") ?? false,
            ResponseFormat = ReadFormat(body),
            Meta = ReadMeta(body),
            Extra = ReadExtra(body),
            Messages = MessageReader.ReadMessages(body),
        };
        return body.Error is { } error ? (null, error) : (request, null);
    }

    // Ids come first so that their errors show before those of long contents.
    internal static (string? RequestId, string? UserId, string? Model) ReadIdentity(FieldReader body) => (
        body.Text("request_id", min: 6, max: 64, numbers: true),
        body.Text("user_id", min: 6, max: 128, numbers: true),
        body.Text("model", required: true, min: 1, max: 128));

    internal static string? ReadEffort(FieldReader body) => body.Word("reasoning_effort", false, [.. ChatCompletionRequest.ReasoningEfforts]);

    internal static (bool? Enabled, bool? Clear) ReadThinking(FieldReader body)
    {
        if (body.Object("thinking", ThinkingLegal) is not { } thinking)
            return (null, null);
        string? type = thinking.Word("type", false, "enabled", "disabled");
        return (type is null ? null : type == "enabled", thinking.Flag("clear_thinking"));
    }

    private static void CheckModeration(FieldReader body)
    {
        if (body.Object("sensitive_word_check", "Send an object such as {\"type\":\"ALL\",\"status\":\"ENABLE\"}") is { } check)
        {
            check.Word("type", false, "ALL");
            check.Word("status", false, "ENABLE", "DISABLE");
        }
    }

    private static int? ReadMaxTokens(FieldReader body)
    {
        long? first = body.Whole("max_tokens", 1, MaxMaxTokens);
        long? second = body.Whole("max_completion_tokens", 1, MaxMaxTokens);
        if (first is null || second is null)
            return (int?)(first ?? second);
        return (int)Math.Min(first.Value, second.Value);
    }

    private static WireResponseFormat ReadFormat(FieldReader body)
    {
        var text = new WireResponseFormat("text", null, false);
        if (body.Object("response_format", "Send an object such as {\"type\":\"json_object\"}") is not { } format)
            return text;
        string? type = format.Word("type", true, "text", "json_object", "json_schema", "regex", "grammar");
        if (type is "regex" or "grammar")
            return new WireResponseFormat(type, null, false, format.Text(type, required: true, min: 1, max: MaxGrammarLength));
        if (type != "json_schema")
            return type is null ? text : new WireResponseFormat(type, null, false);
        const string SchemaLegal = "Send an object such as {\"name\":\"answer\",\"schema\":{\"type\":\"object\"}}";
        if (format.Object("json_schema", SchemaLegal, required: true) is not { } outer)
            return text;
        outer.Text("name", max: 64);
        bool strict = outer.Flag("strict") ?? false;
        FieldReader? schema = outer.Object("schema", "Send a JSON schema as an object", required: true);
        return new WireResponseFormat(type, schema?.Element.Clone(), strict);
    }

    internal static WirePersona? ReadMeta(FieldReader body)
    {
        if (body.Object("meta", "Send an object with user_info, bot_info, bot_name and user_name") is not { } meta)
            return null;

        // Other models ignore `meta`, and some clients send a `meta` of their own: only a persona is checked.
        return new WirePersona(
            meta.Text("user_info") ?? "", meta.Text("bot_info") ?? "", meta.Text("bot_name") ?? "", meta.Text("user_name") ?? "");
    }

    internal static WireCodeTarget? ReadExtra(FieldReader body)
    {
        if (body.Object("extra", "Send an object with a target") is not { } extra
            || extra.Object("target", "Send an object with language, code_prefix and code_suffix") is not { } target)
        {
            return null;
        }

        foreach (FieldReader context in extra.Objects("contexts", "Send objects with path and code") ?? [])
        {
            context.Text("path", required: true);
            context.Text("code", required: true);
        }

        return new WireCodeTarget(
            target.Text("path"),
            target.Text("language", required: true) ?? "",
            target.Text("code_prefix", required: true) ?? "",
            target.Text("code_suffix", required: true) ?? "");
    }
}
