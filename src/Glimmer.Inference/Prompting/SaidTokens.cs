using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Inference.Prompting;

/// <summary>Brings the probabilities of an answer's tokens to the events that show their text. Belongs to one answer.</summary>
/// <param name="tokenizer">The vocabulary.</param>
/// <param name="automaton">Reads the answer.</param>
internal sealed class SaidTokens(ITokenizer tokenizer, OutputAutomaton automaton)
{
    private List<SaidToken> _waiting = [];

    /// <summary>Whether a token that is about to be fed belongs to the answer, or may: what is neither reasoning nor a tag does, or turns out to belong to a call.</summary>
    public bool Wants(int token) => !automaton.IsReasoning && !automaton.IsThinkPending && tokenizer.KindOf(token) == TokenKind.Text;

    /// <summary>A token that could have been said.</summary>
    public TokenChance ChanceOf(int token, float logProb) => new(tokenizer.BytesOf(token).ToArray(), logProb);

    /// <summary>Notes a token that <see cref="Wants"/> is true of.</summary>
    public void Add(int token, float logProb, IReadOnlyList<TokenChance> top) =>
        _waiting.Add(new SaidToken(tokenizer.BytesOf(token).ToArray(), logProb, top));

    /// <summary>
    /// Gives the tokens since the last piece to the next piece of content: one that ends inside a character, or that may begin a tag, shows its text with a later one.
    /// </summary>
    /// <param name="events">What was just said.</param>
    public void Give(List<ChatEvent> events)
    {
        if (_waiting.Count == 0 || events.Count == 0)
            return;
        int content = events.FindLastIndex(static said => said.Kind == ChatEventKind.Content);
        if (content >= 0)
            events[content] = events[content] with { Tokens = _waiting };
        _waiting = [];
    }
}
