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
}

/// <summary>
/// A piece of meaning in the model's output. Concatenating the pieces of each kind gives the same message whatever the
/// chunking: a stream and a plain answer differ only in where the pieces are cut.
/// </summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Text, name or JSON piece; empty for <see cref="ChatEventKind.ToolCallEnd"/>.</param>
/// <param name="ToolIndex">Which call it belongs to, from 0; −1 for text.</param>
public readonly record struct ChatEvent(ChatEventKind Kind, string Text, int ToolIndex = -1);
