using System.Text;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Output;

/// <summary>
/// Says one call after the other: its name, its arguments in pieces or in one, its end. Whatever the pieces, their
/// concatenation is the same text.
/// </summary>
internal sealed class CallWriter(EventWriter events, bool streams)
{
    private StringBuilder? _json; // most answers call nothing
    private string? _name;
    private bool _anyArgument;
    private int _index;

    /// <summary>Calls completed.</summary>
    public int Count { get; private set; }

    /// <summary>Whether the call under way has been announced.</summary>
    public bool Announced { get; private set; }

    private StringBuilder Json => _json ??= new();

    /// <summary>Begins a call.</summary>
    public void Start(string name)
    {
        _name = name;
        _anyArgument = false;
        _json?.Clear();
        if (streams)
            Announce();
    }

    /// <summary>Begins an argument.</summary>
    public void Key(string key)
    {
        StringBuilder piece = streams ? new() : Json;
        piece.Append(_anyArgument ? ", " : "{");
        _anyArgument = true;
        PythonJson.WriteString(piece, key);
        piece.Append(": ");
        if (streams)
            Say(piece.ToString());
    }

    /// <summary>JSON text that follows.</summary>
    public void Raw(ReadOnlySpan<char> json)
    {
        if (streams)
            Say(json);
        else
            Json.Append(json);
    }

    /// <summary>Characters of a JSON string that follow.</summary>
    public void Escaped(ReadOnlySpan<char> text)
    {
        if (streams)
            events.AddEscaped(text, _index);
        else
            PythonJson.AppendEscaped(Json, text);
    }

    /// <summary>Ends the call with the arguments written so far.</summary>
    public void End() => EndWith(_anyArgument ? "}" : "{}");

    /// <summary>Ends the call; its arguments are this JSON text.</summary>
    public void EndWith(string json)
    {
        Raw(json);
        if (!streams)
        {
            Announce();
            Say(Json.ToString());
        }

        events.Mark(ChatEventKind.ToolCallEnd, "", _index++);
        Announced = false;
        Count++;
    }

    /// <summary>Takes the call back as far as that is possible.</summary>
    public void Abandon()
    {
        if (Announced)
            events.Mark(ChatEventKind.ToolCallAbandoned, "", _index++);
        Announced = false;
    }

    private void Announce()
    {
        events.Mark(ChatEventKind.ToolCallStart, _name!, _index);
        Announced = true;
    }

    private void Say(ReadOnlySpan<char> json) => events.Add(ChatEventKind.ToolCallArguments, json, _index);
}
