using System.Collections.Concurrent;
using Glimmer.Dialogue.Constraints.Automata;

namespace Glimmer.Dialogue.Constraints.Grammars;

/// <summary>Grammar pieces around tags that may be single tokens or plain text.</summary>
internal static class TagGrammar
{
    private static readonly ConcurrentDictionary<string, TextTerminal> UpToTerminals = new(StringComparer.Ordinal);
    private static readonly ConcurrentDictionary<string, TextTerminal> WithoutTerminals = new(StringComparer.Ordinal);

    /// <summary>The tag itself.</summary>
    public static Expression Tag(GrammarTag tag) =>
        tag.Token is { } token ? new ControlExpression([token]) : Expression.Literal(tag.Text);

    /// <summary>Any text, and the tag that ends it. The text never spells the tag itself.</summary>
    public static Expression TextUpTo(GrammarTag tag) =>
        tag.Token is { } token
            ? Expression.Sequence(Expression.Of(Without(tag.Text)), new ControlExpression([token]))
            : Expression.Of(UpToTerminals.GetOrAdd(tag.Text, static t => new TextTerminal(ForbiddenText.UpTo(t), TextEncoding.Raw) { IsShared = true }));

    /// <summary>The terminal of texts that do not contain another; one object per text, so that its masks are shared.</summary>
    public static TextTerminal Without(string text) =>
        WithoutTerminals.GetOrAdd(text, static t => new TextTerminal(ForbiddenText.Without(t), TextEncoding.Raw) { IsShared = true });

    /// <summary>Puts what a preamble allows before an answer.</summary>
    public static Expression After(AnswerPreamble preamble, Expression answer)
    {
        Expression reasoning = TextUpTo(preamble.Close);
        return preamble.Start switch
        {
            AnswerStart.Reasoning => Expression.Sequence(reasoning, answer),
            AnswerStart.ThinkPending => Expression.Choice(
                answer,
                Expression.Sequence(JsonGrammar.SpaceBefore, Tag(preamble.Open), reasoning, answer)),
            _ => answer,
        };
    }
}
