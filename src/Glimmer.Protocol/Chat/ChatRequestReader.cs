using System.Globalization;
using System.Text.Json;
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

    /// <summary>Most answers to one request.</summary>
    public const int MaxChoices = 16;

    /// <summary>Most likely tokens that are told with each token.</summary>
    public const int MaxTopLogProbs = 20;

    private const int MaxBiases = 1024;
    private const string ThinkingLegal = "Send an object such as {\"type\":\"enabled\"}";

    /// <summary>Reads and checks every field; the first fault is the error.</summary>
    public static (ChatCompletionRequest? Request, PlatformError? Error) Read(FieldReader body) =>
        Read(body, WireDialect.Native, ToolReader.ReadTools, ToolReader.ReadChoice);

    /// <summary>Reads the fields that both dialects of completions have.</summary>
    internal static (ChatCompletionRequest? Request, PlatformError? Error) Read(
        FieldReader body, WireDialect dialect, Func<FieldReader, IReadOnlyList<WireTool>> readTools, Func<FieldReader, IReadOnlyList<WireTool>, WireToolChoice> readChoice)
    {
        bool native = dialect == WireDialect.Native;
        (string? requestId, string? userId, string? model) = native
            ? ReadIdentity(body)
            : (null, body.Text("safety_identifier", max: 512) ?? body.Text("user", max: 512), body.Text("model", required: true, min: 1, max: 256));
        (bool? thinking, bool? clearThinking) = ReadThinking(body);
        CheckModeration(body);
        body.Flag("watermark_enabled");
        bool? usage = body.Object("stream_options", "Send an object such as {\"include_usage\":true}")?.Flag("include_usage");

        IReadOnlyList<WireTool> tools = readTools(body);
        var request = new ChatCompletionRequest
        {
            Dialect = dialect,
            IncludeUsage = usage ?? false,
            Model = model ?? "",
            RequestId = requestId,
            UserId = userId,
            Stream = body.Flag("stream") ?? false,
            Thinking = thinking,
            ClearThinking = clearThinking,
            ThinkingBudget = (int?)body.Object("thinking", ThinkingLegal)?.Whole("budget_tokens", 0, MaxMaxTokens),
            ReasoningEffort = ReadEffort(body),
            DoSample = body.Flag("do_sample") ?? true,
            Temperature = body.Number("temperature", 0, 2) is { } temperature ? Math.Min(temperature, native ? 1 : 2) : null,
            TopP = body.Number("top_p", 0, 1) is { } topP ? Math.Max(topP, 0.01) : null,
            MaxTokens = ReadMaxTokens(body, native),
            Choices = (int)(body.Whole("n", 1, MaxChoices) ?? 1),
            PresencePenalty = body.Number("presence_penalty", -2, 2),
            FrequencyPenalty = body.Number("frequency_penalty", -2, 2),
            LogitBias = ReadBias(body),
            TopLogProbs = ReadLogProbs(body),
            Seed = body.Whole("seed", long.MinValue, long.MaxValue),
            Stop = body.Texts("stop", maxCount: 4, minLength: 1, maxLength: 4096) ?? [],
            Tools = tools,
            ToolChoice = readChoice(body, tools),
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
            return (ReadTemplateThinking(body), null);
        string? type = thinking.Word("type", false, "enabled", "disabled");
        return (type is null ? ReadTemplateThinking(body) : type == "enabled", thinking.Flag("clear_thinking"));
    }

    // What tools written for servers of open weights send instead. It is no field of the platform: anything but true and false is passed over, as any unknown field is.
    private static bool? ReadTemplateThinking(FieldReader body)
    {
        if (Switch(body.Element) is { } direct)
            return direct;
        return body.Element.TryGetProperty("chat_template_kwargs"u8, out JsonElement variables) && variables.ValueKind == JsonValueKind.Object ? Switch(variables) : null;

        static bool? Switch(JsonElement from) => from.TryGetProperty("enable_thinking"u8, out JsonElement value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.ValueKind == JsonValueKind.True
            : null;
    }

    private static void CheckModeration(FieldReader body)
    {
        if (body.Object("sensitive_word_check", "Send an object such as {\"type\":\"ALL\",\"status\":\"ENABLE\"}") is { } check)
        {
            check.Word("type", false, "ALL");
            check.Word("status", false, "ENABLE", "DISABLE");
        }
    }

    private static int? ReadMaxTokens(FieldReader body, bool native)
    {
        // Clients of other platforms send the limits of other models: theirs are lowered, not refused.
        int most = native ? MaxMaxTokens : int.MaxValue;
        long? first = body.Whole("max_tokens", 1, most);
        long? second = body.Whole("max_completion_tokens", 1, most);
        long? limit = first is null || second is null ? first ?? second : Math.Min(first.Value, second.Value);
        return limit is { } tokens ? (int)Math.Min(tokens, MaxMaxTokens) : null;
    }

    internal static Dictionary<int, float>? ReadBias(FieldReader body)
    {
        const string Legal = "Send an object of token ids and numbers from -100 to 100, such as {\"1234\":-100}";
        if (body.Object("logit_bias", Legal) is not { } bias)
            return null;
        var read = new Dictionary<int, float>();
        foreach (JsonProperty entry in bias.Element.EnumerateObject())
        {
            if (read.Count == MaxBiases)
                body.Fail(PlatformError.Invalid("logit_bias", $"it names more than {MaxBiases} tokens", $"Send at most {MaxBiases}"));
            else if (!int.TryParse(entry.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int token))
                body.Fail(PlatformError.Invalid("logit_bias", "a name in it is no token id", Legal));
            else if (bias.Number(entry.Name, -100, 100) is { } amount)
                read[token] = (float)amount;
            if (body.Error is not null)
                return null;
        }

        return read.Count == 0 ? null : read;
    }

    private static int? ReadLogProbs(FieldReader body)
    {
        bool asked = body.Flag("logprobs") ?? false;
        long? top = body.Whole("top_logprobs", 0, MaxTopLogProbs);
        if (top is > 0 && !asked)
            body.Fail(PlatformError.Invalid("top_logprobs", "it is given without logprobs", "Send \"logprobs\":true with it"));
        return asked ? (int)(top ?? 0) : null;
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
