namespace Glimmer.Dialogue.Constraints;

/// <summary>Where the generation begins, as read off the rendered prompt.</summary>
public enum AnswerStart
{
    /// <summary>At the answer itself: thinking is off, or was closed by the prompt.</summary>
    Content,

    /// <summary>Inside an open block of reasoning.</summary>
    Reasoning,

    /// <summary>Before the answer; the model may open a block of reasoning first.</summary>
    ThinkPending,
}

/// <summary>
/// What may come before the constrained answer. Reasoning is any text; it ends with its closing tag, and no end-of-turn is
/// allowed inside it, since the answer would then be missing.
/// </summary>
/// <param name="Start">Where the generation begins.</param>
/// <param name="Open">The tag that opens reasoning.</param>
/// <param name="Close">The tag that closes it.</param>
public sealed record AnswerPreamble(AnswerStart Start, GrammarTag Open, GrammarTag Close)
{
    /// <summary>Nothing comes before the answer.</summary>
    public static AnswerPreamble None { get; } = new(AnswerStart.Content, new("<think>", null), new("</think>", null));
}

/// <summary>A tag of the output: one token where the vocabulary has it, else its spelling in ordinary pieces.</summary>
/// <param name="Text">Spelling.</param>
/// <param name="Token">Id of the added token; null when the vocabulary lacks it.</param>
public sealed record GrammarTag(string Text, int? Token)
{
    /// <summary>Looks the tag up in a vocabulary.</summary>
    public static GrammarTag Find(Tokenization.ITokenizer tokenizer, string text) =>
        new(text, tokenizer.TryGetAdded(text, out int id) ? id : null);
}
