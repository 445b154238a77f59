using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Prompting;

/// <summary>Requests as prompts of one model, and what its automaton must know of them; the same for every backend that renders itself.</summary>
/// <param name="code">Code of the model, for errors.</param>
/// <param name="generation">How the model is written to.</param>
/// <param name="tokenizer">Its vocabulary.</param>
/// <param name="rememberedTokens">Tokens of earlier prompts kept to save encoding them again.</param>
internal sealed class ChatPrompts(string code, Generation generation, ITokenizer tokenizer, int rememberedTokens)
{
    private readonly PromptCache _cache = new(tokenizer, rememberedTokens);

    /// <summary>Writes a request's prompt.</summary>
    /// <param name="request">The request.</param>
    /// <param name="conversation">Its conversation with the tools that are really offered.</param>
    /// <param name="error">Why it can't be written.</param>
    public RenderedPrompt? Render(ChatRequest request, out Conversation conversation, out PlatformError? error)
    {
        conversation = request.ToolChoice.Mode == ToolChoiceMode.None ? request.Conversation with { Tools = [] } : request.Conversation;
        if (request.Raw is { } raw)
        {
            conversation = conversation with { Tools = [] };
            return RawPrompts.Encode(raw, tokenizer, code, out error);
        }

        RenderResult result = generation.Render(conversation, tokenizer, _cache);
        error = null;
        if (result.Fault is not { } fault)
            return result.Prompt;
        string field = fault.MessageIndex < 0 ? fault.Field : $"messages[{fault.MessageIndex}].{fault.Field}";
        error = new PlatformError(BusinessCode.ParameterInvalid, fault.ToString(), field.TrimEnd('.'));
        return null;
    }

    /// <summary>The same for models that read text only.</summary>
    /// <inheritdoc cref="Render"/>
    public RenderedPrompt? RenderText(ChatRequest request, out Conversation conversation, out PlatformError? error)
    {
        if (Render(request, out conversation, out error) is not { } prompt)
            return null;
        if (prompt.Media.Count == 0)
            return prompt;
        error = new PlatformError(BusinessCode.ModelUnsupported, $"The model {code} reads text only; leave out images, videos and sound.", "messages");
        return null;
    }

    /// <summary>1261: the prompt leaves no room for an answer.</summary>
    /// <param name="request">The request.</param>
    /// <param name="tokens">Tokens of the prompt.</param>
    /// <param name="context">Most tokens of prompt and answer.</param>
    public PlatformError TooLong(ChatRequest request, int tokens, int context) => TooLong(request, code, tokens, context);

    /// <summary>The same for a model of another code.</summary>
    /// <inheritdoc cref="TooLong(ChatRequest, int, int)"/>
    public static PlatformError TooLong(ChatRequest request, string model, int tokens, int context) => new(
        BusinessCode.PromptTooLong,
        $"The prompt has {tokens} tokens; with the model {model} prompt and answer together may have {context}.",
        request.Raw is null ? "messages" : "prompt")
    {
        ContextTokens = context,
    };

    /// <summary>What the automaton must know of a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="start">What the rendered prompt says of the first token.</param>
    public static OutputOptions OutputOf(ChatRequest request, OutputStart start) => new()
    {
        Start = start,
        IsPlain = request.Raw is not null,
        Tools = request.Raw is not null || request.ToolChoice.Mode == ToolChoiceMode.None ? [] : request.Conversation.Tools,
        Stop = request.Stop,
        ParallelToolCalls = request.ParallelToolCalls,
        ThinkingBudget = request.ThinkingBudget,
    };
}
