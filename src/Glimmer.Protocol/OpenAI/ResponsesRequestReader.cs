using System.Text.Json;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.OpenAI;

/// <summary>Reads the body of OpenAI's <c>POST /v1/responses</c>.</summary>
public static class ResponsesRequestReader
{
    private const string ItemLegal = "Send a string, or a list of items such as {\"role\":\"user\",\"content\":\"…\"}";
    private const string FormatLegal = "Send an object such as {\"type\":\"json_schema\",\"name\":\"answer\",\"schema\":{\"type\":\"object\"}}";

    private static readonly string[] Repeated =
        ["metadata", "tools", "tool_choice", "text", "reasoning", "include", "prompt_cache_key", "safety_identifier", "user", "service_tier", "max_tool_calls", "prompt_cache_retention"];

    /// <summary>What may be asked for beside the answer; what belongs to hosted tools never comes.</summary>
    private static readonly string[] _included =
    [
        "reasoning.encrypted_content", "message.output_text.logprobs", "message.input_image.image_url", "file_search_call.results", "web_search_call.results", "web_search_call.action.sources",
        "computer_call_output.output.image_url", "code_interpreter_call.outputs",
    ];

    /// <summary>Reads and checks every field; the first fault is the error.</summary>
    public static (ResponsesRequest? Request, PlatformError? Error) Read(FieldReader body)
    {
        string? model = body.Text("model", required: true, min: 1, max: 256);
        CheckAccepted(body);
        (IReadOnlyList<string> include, bool asSummary, string? effort, bool thisTurnOnly) = ReadReasoning(body);
        var tools = ResponsesToolReader.ReadTools(body);
        (WireToolChoice choice, IReadOnlyList<WireTool> offered) = ResponsesToolReader.ReadChoice(body, tools);
        string? previous = body.Text("previous_response_id", min: 1, max: 256);
        string? conversation = ReadConversation(body);
        if (previous is not null && conversation is not null)
            body.Fail(PlatformError.Of(BusinessCode.ParametersConflict, "previous_response_id", "conversation") with { Field = "conversation" });
        bool background = body.Flag("background") ?? false;
        bool stream = body.Flag("stream") ?? false;
        bool? store = body.Flag("store");
        if (background && store == false)
            body.Fail(PlatformError.Of(BusinessCode.ParametersConflict, "background", "store") with { Field = "store" });
        long? limit = body.Whole("max_output_tokens", 1, int.MaxValue);
        long? top = body.Whole("top_logprobs", 0, ChatRequestReader.MaxTopLogProbs);
        var request = new ResponsesRequest
        {
            Input = ReadInput(body),
            Instructions = body.Text("instructions"),
            PreviousResponseId = previous,
            ConversationId = conversation,
            Store = store,
            Background = background,
            Truncates = body.Word("truncation", false, "disabled", "auto") == "auto",
            ReasoningAsSummary = asSummary,
            SealedReasoning = include.Contains("reasoning.encrypted_content", StringComparer.Ordinal),
            LeftOut = tools.LeftOut,
            Namespaces = tools.Namespaces,
            Custom = tools.Custom,
            Chat = new ChatCompletionRequest
            {
                Dialect = WireDialect.OpenAI,
                Model = model ?? "",
                Messages = [],
                UserId = body.Text("safety_identifier", max: 512) ?? body.Text("user", max: 512),
                Stream = stream,
                ClearThinking = thisTurnOnly, // unless it says otherwise, what the client returns of the reasoning stays: it decides itself what to return
                ReasoningEffort = effort,
                Temperature = body.Number("temperature", 0, 2),
                TopP = body.Number("top_p", 0, 1) is { } topP ? Math.Max(topP, 0.01) : null,
                MaxTokens = limit is { } most ? (int)Math.Min(most, ChatRequestReader.MaxMaxTokens) : null,
                TopLogProbs = top is > 0 || include.Contains("message.output_text.logprobs", StringComparer.Ordinal) ? (int)(top ?? 0) : null,
                Tools = offered,
                ToolChoice = choice,
                ParallelToolCalls = body.Flag("parallel_tool_calls") ?? true,
                ToolStream = true,
                ResponseFormat = ReadFormat(body),
            },
            Echo = ReadEcho(body),
        };
        return body.Error is { } error ? (null, error) : (request, null);
    }

    private static void CheckAccepted(FieldReader body)
    {
        RequestMetadata.Check(body);
        body.Text("prompt_cache_key", max: 512);
        body.Text("service_tier", max: 64);
        body.Whole("max_tool_calls", 1, int.MaxValue);
        if (body.Has("prompt"))
            body.Fail(PlatformError.Unsupported("prompt", "prompt template", "this server keeps no templates; send instructions and input"));
        if (body.Has("moderation"))
            body.Fail(PlatformError.Unsupported("moderation", "moderation", "this server has no such model; leave it out"));
        if (body.Has("context_management"))
            body.Objects("context_management", "Send a list of objects");
    }

    private static (IReadOnlyList<string> Include, bool AsSummary, string? Effort, bool ThisTurnOnly) ReadReasoning(FieldReader body)
    {
        IReadOnlyList<string> include = body.Texts("include", 32, 1, 128) ?? [];
        if (include.FirstOrDefault(static one => !_included.Contains(one)) is { } unknown)
            body.Fail(PlatformError.Invalid("include", $"\"{unknown}\" is not known", $"Use {string.Join(", ", _included)}"));
        if (body.Object("reasoning", "Send an object such as {\"effort\":\"high\",\"summary\":\"auto\"}") is not { } reasoning)
            return (include, false, null, false);
        string? effort = reasoning.Word("effort", false, [.. ChatCompletionRequest.ReasoningEfforts]);
        string? summary = reasoning.Word("summary", false, "auto", "concise", "detailed", "none")
            ?? reasoning.Word("generate_summary", false, "auto", "concise", "detailed", "none");
        if (reasoning.Text("mode", max: 64) is "pro")
            reasoning.Fail(PlatformError.Unsupported(reasoning.PathOf("mode"), "pro", "this server has one mode; send \"standard\" or leave it out"));
        return (include, summary is not null and not "none", effort, reasoning.Word("context", false, "auto", "current_turn", "all_turns") == "current_turn");
    }

    private static string? ReadConversation(FieldReader body)
    {
        if (!body.TryGet("conversation", out JsonElement value))
            return null;
        return value.ValueKind == JsonValueKind.String
            ? body.Text("conversation", min: 1, max: 256)
            : body.Object("conversation", "Send the id of a conversation, or {\"id\":\"…\"}")?.Text("id", required: true, min: 1, max: 256);
    }

    private static WireResponseFormat ReadFormat(FieldReader body)
    {
        var text = new WireResponseFormat("text", null, false);
        if (body.Object("text", "Send an object such as {\"format\":{\"type\":\"text\"}}") is not { } outer)
            return text;
        outer.Word("verbosity", false, "low", "medium", "high");
        if (outer.Object("format", FormatLegal) is not { } format)
            return text;
        string? type = format.Word("type", true, "text", "json_object", "json_schema");
        if (type != "json_schema")
            return type is null ? text : new WireResponseFormat(type, null, false);
        format.Text("name", max: 64);
        bool strict = format.Flag("strict") ?? false;
        return new WireResponseFormat(type, format.Object("schema", "Send a JSON schema as an object", required: true)?.Element.Clone(), strict);
    }

    private static IReadOnlyList<JsonElement> ReadInput(FieldReader body)
    {
        if (!body.TryGet("input", out JsonElement input))
        {
            if (body.Error is null && !body.Has("previous_response_id") && !body.Has("conversation"))
                body.Fail(PlatformError.Missing("input", ItemLegal));
            return [];
        }

        if (input.ValueKind == JsonValueKind.String)
            return [ResponsesItems.UserText(input.GetString()!)];
        if (body.Objects("input", ItemLegal) is not { } items)
            return [];
        if (items.Count == 0 && !body.Has("previous_response_id") && !body.Has("conversation"))
            body.Fail(PlatformError.Invalid("input", "it is an empty list", ItemLegal));

        // Cloned as one: an item that is cloned alone would be copied out of the whole again.
        return [.. input.Clone().EnumerateArray()];
    }

    private static Dictionary<string, JsonElement> ReadEcho(FieldReader body)
    {
        var echo = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (string name in Repeated)
        {
            if (body.TryGet(name, out JsonElement value))
                echo[name] = value.Clone();
        }

        return echo;
    }
}
