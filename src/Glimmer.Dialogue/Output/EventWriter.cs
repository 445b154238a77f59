using System.Text;

namespace Glimmer.Dialogue.Output;

/// <summary>Joins what is said within one feeding into as few events as possible.</summary>
internal sealed class EventWriter
{
    private readonly StringBuilder _text = new();
    private ChatEventKind _kind;
    private int _index;

    /// <summary>Where events go during a feeding.</summary>
    public List<ChatEvent> Sink { get; set; } = [];

    /// <summary>Appends text of a kind that comes in pieces.</summary>
    public void Add(ChatEventKind kind, ReadOnlySpan<char> text, int index = -1)
    {
        if (text.IsEmpty)
            return;
        Turn(kind, index);
        _text.Append(text);
    }

    /// <summary>Appends the inside of a JSON string.</summary>
    public void AddEscaped(ReadOnlySpan<char> text, int index)
    {
        Turn(ChatEventKind.ToolCallArguments, index);
        Rendering.PythonJson.AppendEscaped(_text, text);
    }

    /// <summary>Adds an event that stands alone.</summary>
    public void Mark(ChatEventKind kind, string text, int index = -1)
    {
        Flush();
        Sink.Add(new(kind, text, index));
    }

    /// <summary>Hands over what was collected.</summary>
    public void Flush()
    {
        if (_text.Length == 0)
            return;
        Sink.Add(new(_kind, _text.ToString(), _index));
        _text.Clear();
    }

    private void Turn(ChatEventKind kind, int index)
    {
        if (_text.Length > 0 && (kind != _kind || index != _index))
            Flush();
        _kind = kind;
        _index = index;
    }
}
