using Glimmer.Dialogue.Conversations;
using Glimmer.Inference;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Ledger;

namespace Glimmer.Server.Answers;

/// <summary>Units of chat calls: what one can use at most, and what it used.</summary>
internal static class CallUnits
{
    /// <summary>Output that is set aside for models without a limit of their own.</summary>
    private const int UnknownOutput = 4096;

    /// <summary>Input that one picture or film is reckoned as before it is seen.</summary>
    private const int MediaTokens = 2048;

    /// <summary>Text beside media, whose bytes cannot be told from theirs.</summary>
    private const int TextBesideMedia = 8192;

    /// <summary>
    /// What a request can use at most. Its tokens are not known before it is rendered: two bytes a token is more than text of any language
    /// needs on average, and the context bounds it.
    /// </summary>
    public static UsageUnits WorstCase(HttpRequest http, ChatCall call, CatalogModel model)
    {
        ChatRequest request = call.Request;
        long text = (http.ContentLength ?? 0) / 2;
        long media = request.Conversation.Messages.Sum(message => message.Content.Count(part => part is MediaPart));
        if (media > 0)
            text = Math.Min(text, TextBesideMedia) + (media * MediaTokens);
        return new UsageUnits
        {
            Input = (int)Math.Clamp(text, 1, model.Context > 0 ? model.Context : 1 << 20),
            Output = (int)Math.Min((long)(request.MaxTokens ?? (model.DefaultOutput > 0 ? model.DefaultOutput : UnknownOutput)) * call.Answers, int.MaxValue),
        };
    }

    /// <summary>What an answer used.</summary>
    public static UsageUnits Of(in ChatUsage usage) => new()
    {
        Input = usage.PromptTokens,
        CachedInput = usage.CachedTokens,
        Output = usage.CompletionTokens,
        Reasoning = usage.ReasoningTokens,
    };
}
