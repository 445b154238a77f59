using System.Globalization;
using Glimmer.Dialogue.Conversations;
using Glimmer.Engine;
using Glimmer.Inference;
using Glimmer.Platform.Catalog;
using Glimmer.Protocol.Chat;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Models;

namespace Glimmer.Server.Chat;

/// <summary>
/// Turns a native request and what the catalogue says of its model into the one <see cref="ChatRequest"/> that backends
/// know. What the model cannot do is refused here, with the path of the field that asks for it.
/// </summary>
internal static class ChatRequestMapper
{
    /// <summary>Maps a request.</summary>
    /// <param name="wire">The request as read.</param>
    /// <param name="offer">The model and its backend.</param>
    /// <param name="preserveThinking">Whether reasoning of earlier turns stays when the request does not say: true on the coding base.</param>
    /// <param name="tenant">Whose request it is.</param>
    public static (ChatRequest? Request, PlatformError? Error) Map(
        ChatCompletionRequest wire, in ModelOffer offer, bool preserveThinking, string tenant)
    {
        CatalogModel model = offer.Model;
        if (CheckTools(wire, model) is { } toolError)
            return (null, toolError);
        if (wire.Dialect == WireDialect.Native && wire.Stop.Count > model.MaxStops)
            return (null, PlatformError.Invalid("stop", string.Create(CultureInfo.InvariantCulture, $"{model.Code} takes {model.MaxStops}, not {wire.Stop.Count}"), "Send one string"));
        if (model.PersonaRequired && wire is { Meta: null, Raw: null })
            return (null, PlatformError.Missing("meta", $"{model.Code} needs an object with user_info, bot_info, bot_name and user_name"));
        if (wire.Raw is { } asked && !offer.Route.Backend.TakesRawPrompts)
            return (null, PlatformError.Unsupported(asked.Field, "completions", $"the backend of {model.Code} takes conversations only; use chat completions"));
        if (MediaCheck.Check(wire, offer) is { } mediaError)
            return (null, mediaError);

        bool thinking = IsThinking(wire, model);
        var options = new RenderOptions
        {
            EnableThinking = thinking,
            ClearThinking = wire.ClearThinking ?? !preserveThinking,
            ReasoningEffort = thinking && model.Effort ? Effort(wire.ReasoningEffort, model) : null,
            ContinueFinalMessage = wire.ContinueLast,
        };
        IReadOnlyList<ToolDefinition> tools = [.. wire.Tools.Select(tool => new ToolDefinition(tool.Name, tool.Json))];
        return (new ChatRequest
        {
            Model = offer.Route.Model,
            Conversation = new Conversation(wire.Raw is { } text ? [ChatMessage.OfText(ChatRole.User, text.Text)] : MessageMapper.Map(wire, model), tools, options),
            Raw = wire.Raw is { } raw ? new RawPrompt(raw.Text, raw.Tokens, raw.Suffix) : null,
            Sampling = Sampling(wire, model),
            MaxTokens = MaxTokens(wire, model),
            ContextLength = model.Context > 0 ? model.Context : null,
            Stop = wire.Stop,
            ToolChoice = wire.ToolChoice.Mode switch
            {
                "none" => ToolChoice.None,
                "required" => ToolChoice.Required,
                "function" => new ToolChoice(ToolChoiceMode.Named, wire.ToolChoice.Name),
                _ => ToolChoice.Auto,
            },
            ParallelToolCalls = wire.ParallelToolCalls,
            Format = wire.ResponseFormat.Type switch
            {
                "json_object" => AnswerFormat.JsonObject,
                "json_schema" => new AnswerFormat(AnswerFormatKind.JsonSchema, wire.ResponseFormat.Schema, wire.ResponseFormat.Strict),
                "regex" => new AnswerFormat(AnswerFormatKind.Regex, Source: wire.ResponseFormat.Source),
                "grammar" => new AnswerFormat(AnswerFormatKind.Grammar, Source: wire.ResponseFormat.Source),
                _ => AnswerFormat.Text,
            },
            ThinkingBudget = thinking ? wire.ThinkingBudget : null,
            TopLogProbs = wire.TopLogProbs,
            Tenant = tenant,
        }, null);
    }

    /// <summary>Whether the model thinks: where it can, unless switched off by <c>thinking</c> or by the least efforts.</summary>
    private static bool IsThinking(ChatCompletionRequest wire, CatalogModel model) =>
        model.Thinking != ThinkingRule.None && (wire.Thinking ?? true) && wire.ReasoningEffort is not ("none" or "minimal");

    private static string? Effort(string? effort, CatalogModel model) => effort switch
    {
        "low" when model.LowEffort => "low",
        "low" or "medium" or "high" => "high",
        "xhigh" or "max" => "max",
        _ => null,
    };

    private static SamplingOptions Sampling(ChatCompletionRequest wire, CatalogModel model)
    {
        double temperature = wire.Temperature ?? model.Temperature;
        return new SamplingOptions
        {
            Greedy = !wire.DoSample || temperature <= 0,
            Temperature = temperature <= 0 ? 1 : (float)temperature,
            TopP = (float)(wire.TopP ?? model.TopP),
            TopK = wire.TopK ?? 0,
            MinP = (float)(wire.MinP ?? 0),
            RepetitionPenalty = (float)(wire.RepetitionPenalty ?? 1),
            PresencePenalty = (float)(wire.PresencePenalty ?? 0),
            FrequencyPenalty = (float)(wire.FrequencyPenalty ?? 0),
            LogitBias = wire.LogitBias,
            Seed = wire.Seed is { } seed ? unchecked((ulong)seed) : null,
        };
    }

    /// <summary>A limit above the model's is the model's; without one the model's default holds.</summary>
    private static int? MaxTokens(ChatCompletionRequest wire, CatalogModel model)
    {
        if (model.MaxOutput == 0)
            return wire.MaxTokens;
        return Math.Min(wire.MaxTokens ?? model.DefaultOutput, model.MaxOutput);
    }

    private static PlatformError? CheckTools(ChatCompletionRequest wire, CatalogModel model)
    {
        foreach (WireTool tool in wire.Tools)
        {
            if (tool.Type != "function")
                return PlatformError.Unsupported($"{tool.Field}.type", tool.Type, "this server has no such tool; offer functions, or leave it out");
        }

        return wire.Tools.Count > 0 && !model.Tools
            ? PlatformError.Unsupported("tools", "function", $"{model.Code} takes no tools; leave tools out")
            : null;
    }
}
