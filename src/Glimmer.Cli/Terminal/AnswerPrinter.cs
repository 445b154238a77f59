using Glimmer.Dialogue.Output;

namespace Glimmer.Cli.Terminal;

/// <summary>Shows an answer as it comes: thinking dimmed, text plain, tool calls on lines of their own.</summary>
/// <param name="output">Where it is written.</param>
/// <param name="styled">Whether control sequences are understood there; without them thinking is set off by marks.</param>
/// <param name="showThinking">Whether thinking is shown at all.</param>
internal sealed class AnswerPrinter(TextWriter output, bool styled, bool showThinking)
{
    private const string Dim = "\u001b[2m", Cyan = "\u001b[36m", Plain = "\u001b[0m";
    private ChatEventKind? _last;
    private bool _atLineStart = true;

    /// <summary>Shows one event.</summary>
    public void Print(in ChatEvent said)
    {
        if (said.Kind == ChatEventKind.Reasoning && !showThinking)
            return;
        if (_last != said.Kind && !(_last == ChatEventKind.ToolCallStart && said.Kind == ChatEventKind.ToolCallArguments))
            Switch(said.Kind);
        _last = said.Kind;
        switch (said.Kind)
        {
            case ChatEventKind.ToolCallStart:
                Write($"{said.Text}(");
                break;
            case ChatEventKind.ToolCallEnd:
                Write(")");
                break;
            default:
                Write(said.Text);
                break;
        }

        output.Flush();
    }

    /// <summary>Ends the answer: styles off, the cursor on a fresh line.</summary>
    public void End()
    {
        if (styled && _last is not (null or ChatEventKind.Content))
            output.Write(Plain);
        if (!_atLineStart)
            output.WriteLine();
        output.Flush();
        _last = null;
        _atLineStart = true;
    }

    private void Switch(ChatEventKind kind)
    {
        if (styled && _last is not (null or ChatEventKind.Content) && kind != ChatEventKind.ToolCallEnd)
            output.Write(Plain);
        if (!_atLineStart && kind is not (ChatEventKind.ToolCallArguments or ChatEventKind.ToolCallEnd))
            Write("\n");
        string before = kind switch
        {
            ChatEventKind.Reasoning => styled ? Dim : "[thinking] ",
            ChatEventKind.ToolCallStart => styled ? Cyan + "⚙ " : "[tool] ",
            _ => "",
        };
        output.Write(before);
    }

    private void Write(string text)
    {
        if (text.Length == 0)
            return;
        output.Write(text);
        _atLineStart = text[^1] == '\n';
    }
}
