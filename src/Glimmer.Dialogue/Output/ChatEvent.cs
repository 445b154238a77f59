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
public readonly record struct ChatEvent(ChatEventKind Kind, string Text, int ToolIndex = -1);
