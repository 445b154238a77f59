using Glimmer.Dialogue.Conversations;

namespace Glimmer.Inference.Relay.Answers;

/// <summary>
/// The most that a request can have cost. A service's counts are the bill of record, but whoever sends counts beyond these is at fault or lies, and accounts must not
/// be emptied by it. The bounds are wide: no tokenizer makes more tokens than bytes, and what templates put around a text is smaller than a second one.
/// </summary>
internal static class UsageBound
{
    /// <summary>Counts up to here are believed unseen: a service may have instructions of its own before every prompt.</summary>
    public const int Always = 4_096;

    /// <summary>A picture's tokens at most.</summary>
    public const int PerPicture = 32_768;

    /// <summary>The context of a model of which nobody has said one.</summary>
    public const int UnknownContext = 1 << 20;

    private const int Slack = 1_024;

    /// <summary>Tokens of a prompt at most.</summary>
    /// <param name="request">What was asked.</param>
    /// <param name="context">The model's context in tokens; null where nobody has said.</param>
    public static int OfPrompt(ChatRequest request, int? context)
    {
        long format = TokenEstimate.Bytes(request.Format.Source) + TokenEstimate.Bytes(request.Format.Schema?.GetRawText());
        long tokens = Always + 2 * (TokenEstimate.BytesOfPrompt(request) + format);
        foreach (MediaPart media in request.Conversation.Messages.SelectMany(static message => message.Content).OfType<MediaPart>())
            tokens += media.Kind == MediaKind.Image ? PerPicture : context ?? UnknownContext;
        return Within(tokens, context);
    }

    /// <summary>Tokens of an answer at most: what was heard, and as much again unheard as the limit lets a model reason.</summary>
    /// <param name="request">What was asked.</param>
    /// <param name="bytes">Bytes of UTF-8 of what was heard.</param>
    /// <param name="context">The model's context in tokens; null where nobody has said.</param>
    public static int OfAnswer(ChatRequest request, long bytes, int? context) =>
        Within(bytes + (request.MaxTokens ?? context ?? UnknownContext) + Slack, context);

    /// <summary>Tokens of texts to be embedded at most.</summary>
    public static int OfTexts(IReadOnlyList<string> texts) =>
        Within(Always + texts.Sum(static text => 2 * TokenEstimate.Bytes(text) + 64), null);

    // Twice the context: what the catalogue says of a service's model may be old.
    private static int Within(long tokens, int? context) => (int)Math.Min(tokens, 2L * (context ?? UnknownContext));
}
