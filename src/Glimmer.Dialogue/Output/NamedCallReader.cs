using System.Text;

namespace Glimmer.Dialogue.Output;

/// <summary>
/// Finds calls of the older form in the content: a first line that is an offered name, then a JSON object, perhaps in a
/// code fence. Everything else is content. Each character is looked at once.
/// </summary>
internal sealed class NamedCallReader(ToolCatalog tools, CallWriter writer, RepairLog repairs)
{
    // A longer call than this is content; it bounds what is held back.
    private const int LongestCall = 1 << 20;
    private const string Fence = "```";

    private readonly StringBuilder _held = new();
    private readonly StringBuilder _line = new();
    private readonly StringBuilder _object = new();
    private State _state;
    private string _name = "";
    private int _depth;
    private bool _inString;
    private bool _escaped;
    private bool _fenced;

    private enum State
    {
        Name,
        Gap,
        FenceLine,
        Object,
        FenceEnd,
        Content,
    }

    /// <summary>A new part of the answer begins, which may be a call.</summary>
    public void Begin()
    {
        _held.Clear();
        _line.Clear();
        _object.Clear();
        (_state, _name, _depth, _inString, _escaped, _fenced) = (State.Name, "", 0, false, false, false);
    }

    /// <summary>Reads on, at most to the end of a call; what is no call goes to the content. Returns how much was read.</summary>
    public int Write(ReadOnlySpan<char> text, ContentFilter content)
    {
        int calls = writer.Count;
        for (int i = 0; i < text.Length; i++)
        {
            if (_state == State.Content)
            {
                content.Write(text[i..]);
                break;
            }

            _held.Append(text[i]);
            if (!Step(text[i], content) || _held.Length > LongestCall)
                GiveUp(content);
            if (writer.Count != calls)
                return i + 1;
        }

        return text.Length;
    }

    /// <summary>This part of the answer is over.</summary>
    public void End(ContentFilter content, bool truncated)
    {
        // A name and its line break are a call without arguments when the model ended its turn there.
        if (!truncated && _state == State.Gap && _line.Length == 0)
            Call("{}", content);
        else if (_state == State.FenceEnd)
            _held.Clear();
        else
            GiveUp(content);
        _held.Clear();
        _state = State.Content;
    }

    // Whether the text may still become, or is, a call.
    private bool Step(char c, ContentFilter content)
    {
        switch (_state)
        {
            case State.Name:
                return StepName(c);
            case State.Gap:
                return StepGap(c, content);
            case State.FenceLine:
                _state = c == '\n' ? State.Gap : State.FenceLine;
                return _line.Append(c).Length < 32;
            case State.Object:
                return StepObject(c, content);
            default:
                // Behind a fenced call its closing fence is passed over.
                if (char.IsWhiteSpace(c) || c == '`')
                    return true;
                _held.Clear().Append(c);
                return false;
        }
    }

    private bool StepName(char c)
    {
        if (_line.Length == 0 && char.IsWhiteSpace(c))
            return true;
        if (c != '\n')
        {
            _line.Append(c);
            return tools.MayBecomeName(_line.ToString().TrimEnd());
        }

        _name = _line.ToString().TrimEnd();
        _line.Clear();
        _state = State.Gap;
        return tools.Offers(_name);
    }

    private bool StepGap(char c, ContentFilter content)
    {
        if (c == '{' && (_line.Length == 0 || _fenced))
        {
            _state = State.Object;
            return StepObject(c, content);
        }

        if (char.IsWhiteSpace(c) && (_line.Length == 0 || _fenced))
            return true;
        if (c != '`' || _fenced || !repairs.Allows(Repairs.CodeFence))
            return false;
        if (_line.Append(c).Length == Fence.Length)
        {
            _fenced = true;
            _state = State.FenceLine;
        }

        return true;
    }

    private bool StepObject(char c, ContentFilter content)
    {
        _object.Append(c);
        if (_escaped)
            _escaped = false;
        else if (_inString)
            (_escaped, _inString) = (c == '\\', c != '"');
        else if (c == '"')
            _inString = true;
        else if (c is '{' or '[')
            _depth++;
        else if (c is ('}' or ']') && --_depth == 0)
            return EndObject(content);
        return true;
    }

    private bool EndObject(ContentFilter content)
    {
        string json = _object.ToString();
        if (!JsonValue.TryGetType(json, out JsonTypes type) || type != JsonTypes.Object)
            return false;
        if (_fenced)
            repairs.Make(Repairs.CodeFence);
        Call(json, content);
        _held.Clear();
        _state = _fenced ? State.FenceEnd : State.Content;
        return true;
    }

    private void Call(string arguments, ContentFilter content)
    {
        content.Settle();
        content.BreakForCall();
        writer.Start(_name);
        writer.EndWith(arguments);
    }

    private void GiveUp(ContentFilter content)
    {
        string held = _held.ToString();
        _held.Clear();
        _state = State.Content;
        content.Write(held);
    }
}
