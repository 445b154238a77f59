using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Anthropic;

/// <summary>
/// Reads the body of <c>POST /v1/messages</c> and <c>/v1/messages/count_tokens</c> (spec: api.md §23.1) as the request that every dialect becomes.
/// </summary>
public static class MessagesRequestReader
{
    private const int MaxStops = 64;
    private const string ConfigLegal = "Send an object such as {\"effort\":\"high\"}";
    private const string FormatLegal = "Send an object such as {\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}";

    /// <summary>Reads a request for an answer.</summary>
    public static (ChatCompletionRequest? Request, PlatformError? Error) Read(FieldReader body) => Read(body, needsLimit: true);

    /// <summary>Reads a request for a count, which has no <c>max_tokens</c>.</summary>
    public static (ChatCompletionRequest? Request, PlatformError? Error) ReadForCount(FieldReader body) => Read(body, needsLimit: false);

    private static (ChatCompletionRequest? Request, PlatformError? Error) Read(FieldReader body, bool needsLimit)
    {
        string? model = body.Text("model", required: true, min: 1, max: 256);
        if (needsLimit && !body.Has("max_tokens"))
            body.Fail(PlatformError.Missing("max_tokens", "Send the most tokens that the answer may have"));
        long? limit = body.Whole("max_tokens", 1, int.MaxValue);
        RefuseHosted(body);
        (bool thinks, int? budget) = ReadThinking(body);
        WireResponseFormat format = ReadFormat(body);
        IReadOnlyList<WireTool> tools = MessagesToolReader.ReadTools(body);
        (WireToolChoice choice, bool parallel) = MessagesToolReader.ReadChoice(body, tools);
        List<WireMessage> messages = [];
        ReadSystem(body, messages);
        bool continues = MessagesBlockReader.ReadMessages(body, messages);
        if (continues && format.Type != "text")
            body.Fail(PlatformError.Invalid("messages", "the last message is the assistant's, and an answer of a given form begins anew", "End with a message of the user, or leave the format out"));
        var request = new ChatCompletionRequest
        {
            Dialect = WireDialect.Anthropic,
            Model = model ?? "",
            UserId = ReadUser(body),
            Stream = body.Flag("stream") ?? false,
            Thinking = thinks,
            ClearThinking = false, // what the client returns of its thinking stays: it decides itself what to return
            ThinkingBudget = budget,
            ReasoningEffort = body.Object("output_config", ConfigLegal)?.Word("effort", false, [.. ChatCompletionRequest.ReasoningEfforts]),
            ResponseFormat = format,
            Temperature = body.Number("temperature", 0, 1),
            TopP = body.Number("top_p", 0, 1) is { } topP ? Math.Max(topP, 0.01) : null,
            TopK = (int?)body.Whole("top_k", 0, int.MaxValue),
            MaxTokens = limit is { } most ? (int)Math.Min(most, ChatRequestReader.MaxMaxTokens) : null,
            Stop = body.Texts("stop_sequences", MaxStops, minLength: 1, maxLength: 4096) ?? [],
            Tools = tools,
            ToolChoice = choice,
            ParallelToolCalls = parallel,
            ToolStream = true,
            Messages = messages,
            ContinueLast = continues,
        };
        return body.Error is { } error ? (null, error) : (request, null);
    }

    private static (bool Thinks, int? Budget) ReadThinking(FieldReader body)
    {
        if (body.Object("thinking", "Send an object such as {\"type\":\"enabled\",\"budget_tokens\":4096}") is not { } thinking)
            return (false, null);
        string? type = thinking.Word("type", true, "enabled", "disabled", "adaptive");
        long? budget = thinking.Whole("budget_tokens", 1, int.MaxValue);
        if (type == "enabled" && budget is null && thinking.Error is null)
            thinking.Fail(PlatformError.Missing(thinking.PathOf("budget_tokens"), "Send the most tokens that the model may think, or the type \"adaptive\""));
        return (type is "enabled" or "adaptive", budget is { } most ? (int)Math.Min(most, ChatRequestReader.MaxMaxTokens) : null);
    }

    /// <summary>Refuses what Anthropic's own machines would do: an answer without it would be another than was asked for.</summary>
    private static void RefuseHosted(FieldReader body)
    {
        const string Advice = "this server runs nothing for its clients; leave it out";
        if (body.Objects("mcp_servers", "Send a list of objects") is { Count: > 0 })
            body.Fail(PlatformError.Unsupported("mcp_servers", "MCP connector", Advice));
        foreach (string field in (string[])["container", "thread"])
        {
            if (body.Has(field))
                body.Fail(PlatformError.Unsupported(field, field, Advice));
        }
    }

    /// <summary><c>output_config.format</c>, or <c>output_format</c> as the beta had it. A keyword of the schema that cannot be enforced is an error, as it is there.</summary>
    private static WireResponseFormat ReadFormat(FieldReader body)
    {
        FieldReader? format = body.Object("output_config", ConfigLegal)?.Object("format", FormatLegal);
        if (body.Object("output_format", FormatLegal) is { } older)
        {
            if (format is not null)
                body.Fail(PlatformError.Of(BusinessCode.ParametersConflict, "output_format", "output_config.format") with { Field = "output_format" });
            format = older;
        }

        var text = new WireResponseFormat("text", null, false);
        if (format is not { } asked || asked.Word("type", true, "json_schema") is null || asked.Object("schema", "Send a JSON schema as an object", required: true) is not { } schema)
            return text;
        return new WireResponseFormat("json_schema", schema.Element.Clone(), true);
    }

    private static string? ReadUser(FieldReader body) => body.Object("metadata", "Send an object such as {\"user_id\":\"…\"}")?.Text("user_id", max: 4096);

    private static void ReadSystem(FieldReader body, List<WireMessage> messages)
    {
        if (!body.TryGet("system", out JsonElement system))
            return;
        List<WirePart> parts = [];
        if (system.ValueKind == JsonValueKind.String)
        {
            parts.Add(new WirePart(WirePartKind.Text, system.GetString()!));
        }
        else
        {
            foreach (FieldReader block in body.Objects("system", "Send a string or a list of text blocks") ?? [])
            {
                block.Word("type", true, "text");
                if (block.Text("text", required: true) is not { } text)
                    return;
                parts.Add(new WirePart(WirePartKind.Text, parts.Count > 0 ? "\n" + text : text));
            }
        }

        if (parts.Exists(part => part.Value.Length > 0))
            messages.Add(new WireMessage(WireRole.System, parts));
    }
}
