namespace Glimmer.Dialogue.Output;

/// <summary>What kind of thing the model said.</summary>
public enum ChatEventKind
{
    /// <summary>A piece of the reasoning (<see cref="ChatEvent.Text"/>).</summary>
    Reasoning,

    /// <summary>A piece of the answer (<see cref="ChatEvent.Text"/>).</summary>
    Content,

    /// <summary>A tool call begins: <see cref="ChatEvent.ToolIndex"/> and its name in <see cref="ChatEvent.Text"/>.</summary>
    ToolCallStart,

    /// <summary>A piece of the JSON text of the call's arguments.</summary>
    ToolCallArguments,

    /// <summary>The call is complete.</summary>
    ToolCallEnd,

    /// <summary>
    /// The call of this index, although begun, is none: the output ended inside it. Its raw text follows as content. A
    /// plain answer leaves the call out; a stream, which cannot take it back, ends with it incomplete.
    /// </summary>
    ToolCallAbandoned,

    /// <summary>
    /// The reasoning so far was the answer: the model ended its turn without closing the reasoning that the prompt had
    /// opened. The text follows as content. A plain answer leaves the reasoning out.
    /// </summary>
    ReasoningWasAnswer,
}

/// <summary>
/// A piece of meaning in the model's output. Concatenating the pieces of each kind gives the same message whatever the
/// chunking: a stream and a plain answer differ only in where the pieces are cut.
/// </summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Text, name or JSON piece; empty for the kinds that only mark a point.</param>
/// <param name="ToolIndex">Which call it belongs to, from 0; −1 for text.</param>
public readonly record struct ChatEvent(ChatEventKind Kind, string Text, int ToolIndex = -1)
{
    /// <summary>Which of several answers to one request it belongs to, from 0.</summary>
    public int Choice { get; init; }

    /// <summary>The tokens of a piece of content with their probabilities; null when nobody asked for them.</summary>
    public IReadOnlyList<SaidToken>? Tokens { get; init; }
}

/// <summary>A token that was said and how likely it was.</summary>
/// <param name="Bytes">Its bytes, possibly a part of a character.</param>
/// <param name="LogProb">Natural logarithm of its probability, before bias, penalties, temperature and constraints.</param>
/// <param name="Top">The most likely tokens in its place, best first; empty when none were asked for.</param>
public sealed record SaidToken(ReadOnlyMemory<byte> Bytes, float LogProb, IReadOnlyList<TokenChance> Top);

/// <summary>A token that could have been said.</summary>
/// <param name="Bytes">Its bytes.</param>
/// <param name="LogProb">Natural logarithm of its probability.</param>
public readonly record struct TokenChance(ReadOnlyMemory<byte> Bytes, float LogProb);
