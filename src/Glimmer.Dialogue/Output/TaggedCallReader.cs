using System.Text;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Output;

/// <summary>What became of a call.</summary>
internal enum CallOutcome
{
    /// <summary>More text is needed.</summary>
    Unfinished,

    /// <summary>It is complete.</summary>
    Complete,

    /// <summary>It was none: its text is content.</summary>
    NotACall,
}

/// <summary>
/// Reads one call in the tagged form, from behind <c>&lt;tool_call&gt;</c> to behind <c>&lt;/tool_call&gt;</c>. It walks the
/// cycle key-open, key-close, value-open, value-close and supplies what is missing, each such repair by name.
/// </summary>
internal sealed class TaggedCallReader(ToolCatalog tools, CallWriter writer, RepairLog repairs)
{
    private static readonly Tags CallTags = new(
        ControlTokens.ArgKey, ControlTokens.ArgKeyEnd, ControlTokens.ArgValue, ControlTokens.ArgValueEnd,
        ControlTokens.ToolCall, ControlTokens.ToolCallEnd);

    private static readonly Tags ValueTags = new(ControlTokens.ArgValueEnd, ControlTokens.ToolCallEnd);
    private static readonly Tags ValueEnd = new(ControlTokens.ArgValueEnd);

    // A stretch without a tag longer than this is no part of a call. It bounds what is held back, and how often it is searched.
    private const int LongestStretch = 1 << 16;

    private readonly StringBuilder _raw = new();
    private readonly StringBuilder _value = new();
    private readonly StringBuilder _stray = new();
    private State _state;
    private string _name = "";
    private string? _key;
    private JsonTypes _types;
    private bool _started;
    private bool _refused;
    private bool _keyOpenedOddly;
    private bool _anyPair;

    private enum State
    {
        Name,
        Between,
        Key,
        WaitValue,
        Value,
    }

    /// <summary>The text of the call so far, opening tag included.</summary>
    public string RawText => _raw.ToString();

    /// <summary>Text found inside a call that is not part of it.</summary>
    public string StrayText => _stray.ToString();

    /// <summary>Begins behind an opening tag.</summary>
    public void Begin()
    {
        _raw.Clear().Append(ControlTokens.ToolCall);
        _value.Clear();
        _stray.Clear();
        _state = State.Name;
        _name = "";
        _key = null;
        _started = _refused = _keyOpenedOddly = _anyPair = false;
    }

    /// <summary>Reads as far as the text goes.</summary>
    public CallOutcome Read(TextWindow text)
    {
        while (true)
        {
            if (_state == State.Value)
            {
                if (!ReadValue(text))
                    return CallOutcome.Unfinished;
                continue;
            }

            bool found = CallTags.TryFind(text.Span, out int at, out string tag);
            if (at > LongestStretch)
            {
                _raw.Append(text.Span[..LongestStretch]);
                text.Take(LongestStretch);
                return CallOutcome.NotACall;
            }

            if (!found)
                return CallOutcome.Unfinished;
            string before = text.Span[..at].ToString();
            bool next = tag == ControlTokens.ToolCall;
            if (next && !CanClose(before))
            {
                _raw.Append(before);
                text.Take(at);
                return CallOutcome.NotACall;
            }

            _raw.Append(before).Append(next ? "" : tag);
            text.Take(at + (next ? 0 : tag.Length));
            Step(before, tag);
            if (next || tag == ControlTokens.ToolCallEnd)
                return Close(missingTag: next);
        }
    }

    /// <summary>The output ended inside the call.</summary>
    /// <param name="text">What has not been read.</param>
    /// <param name="truncated">Whether it was cut off, rather than ended by the model.</param>
    public CallOutcome End(TextWindow text, bool truncated)
    {
        if (truncated)
            return GiveUp(text);
        if (_state == State.Value)
        {
            if (EndValue(text))
                return Close(missingTag: false);
        }
        else if (!repairs.Allows(Repairs.CallClose))
        {
            return GiveUp(text);
        }
        else if (WithoutPartialTag(text.Span) is var rest && _state == State.Name)
        {
            // A name that may not be whole counts only when it is one of those offered, as does one that nothing follows.
            if (!tools.Offers(CallText.FirstLine(rest, out _)) && !CallText.TryReadJsonCall(rest.Trim(), out _, out _))
                return GiveUp(text);
            Step(rest, ControlTokens.ToolCallEnd);
        }
        else if (!_anyPair && !tools.Offers(_name))
        {
            return GiveUp(text);
        }
        else
        {
            // A name without a value is dropped, and so is text that was going to be a name.
            if (_state == State.WaitValue && CallText.TrimGap(rest).Length > 0)
                Step(rest, ControlTokens.ToolCallEnd);
            else if (_state is State.Key or State.WaitValue)
                Allow(Repairs.KeyWithoutValue);
            else
                Step(rest, ControlTokens.ToolCallEnd);
        }

        _raw.Append(text.Span);
        text.Take(text.Span.Length);
        return Close(missingTag: true);
    }

    private CallOutcome GiveUp(TextWindow text)
    {
        _raw.Append(text.Span);
        text.Take(text.Span.Length);
        return CallOutcome.NotACall;
    }

    private CallOutcome Close(bool missingTag)
    {
        if (missingTag)
            Allow(Repairs.CallClose);
        if (_refused || _name.Length == 0)
            return CallOutcome.NotACall;
        if (_started)
            writer.End();
        return CallOutcome.Complete;
    }

    // Whether a call that another one follows without a closing tag is a call.
    private bool CanClose(string before) =>
        repairs.Allows(Repairs.CallClose) && (_anyPair || tools.Offers(_state == State.Name ? CallText.FirstLine(before, out _) : _name));

    private void Step(string before, string tag)
    {
        switch (_state)
        {
            case State.Name:
                ReadName(before, tag);
                break;
            case State.Between:
                StepBetween(CallText.TrimGap(before), tag);
                break;
            case State.Key:
                StepKey(before, tag);
                break;
            default:
                StepWaitValue(before, tag);
                break;
        }
    }

    private void ReadName(string before, string tag)
    {
        string name = CallText.FirstLine(before, out string rest);
        if (!tools.Offers(name) && tools.Offers(CallText.TrimGap(name)))
            name = CallText.TrimGap(name);
        rest = CallText.TrimGap(rest);
        if (tag == ControlTokens.ToolCallEnd && TryReadJsonCall(before, name, rest))
            return;
        if (tag == ControlTokens.ArgKeyEnd && rest.Length == 0 && tools.LongestPrefix(name) is { } offered && offered.Length < name.Length)
        {
            rest = name[offered.Length..];
            name = offered;
        }

        _name = name;
        _state = State.Between;
        if (name.Length == 0 || name[0] == '<')
            _refused = true;
        else
            StartCall();
        StepBetween(rest, tag);
    }

    private void StartCall()
    {
        writer.Start(_name);
        _started = true;
    }

    private void StepBetween(string text, string tag)
    {
        switch (tag)
        {
            case ControlTokens.ArgKey:
                Stray(text);
                _keyOpenedOddly = false;
                _state = State.Key;
                break;
            case ControlTokens.ArgKeyEnd when text.Length > 0:
                Allow(Repairs.KeyOpen);
                SetKey(text);
                break;
            case ControlTokens.ArgValue when text.Length > 0:
                Allow(Repairs.KeyOpen | Repairs.KeyClose);
                SetKey(text);
                OpenValue();
                break;
            case ControlTokens.ArgValue:
                Allow(Repairs.KeyOpen);
                _keyOpenedOddly = true;
                _state = State.Key;
                break;
            default:
                Stray(text);
                break;
        }
    }

    private void StepKey(string text, string tag)
    {
        string key = text.Trim();
        switch (tag)
        {
            case ControlTokens.ArgKeyEnd:
                if (_key is not null)
                    Allow(Repairs.KeyWithoutValue);
                SetKey(key);
                break;
            case ControlTokens.ArgValue when !_keyOpenedOddly:
                Allow(Repairs.KeyClose);
                SetKey(key);
                OpenValue();
                break;
            case ControlTokens.ArgValueEnd when _key is not null:
                // <arg_key>k</arg_key><arg_key>v</arg_value>: the second opening tag was to open the value.
                Allow(Repairs.ValueOpen);
                WriteWhole(text);
                break;
            case ControlTokens.ArgValueEnd:
                Allow(Repairs.KeyClose);
                SetKey(key);
                break;
            default:
                Allow(Repairs.KeyWithoutValue);
                _key = null;
                _keyOpenedOddly = false;
                _state = tag == ControlTokens.ArgKey ? State.Key : State.Between;
                break;
        }
    }

    private void StepWaitValue(string text, string tag)
    {
        string gap = CallText.TrimGap(text);
        switch (tag)
        {
            case ControlTokens.ArgValue:
                Stray(gap);
                OpenValue();
                break;
            case ControlTokens.ArgValueEnd:
                Allow(Repairs.ValueOpen);
                WriteWhole(text.Trim('\n'));
                break;
            case ControlTokens.ArgKeyEnd:
                Stray(gap);
                break;
            default:
                if (gap.Length > 0)
                {
                    Allow(Repairs.ValueOpen | Repairs.ValueClose);
                    WriteWhole(gap);
                }
                else if (tag != ControlTokens.ArgKey)
                {
                    Allow(Repairs.KeyWithoutValue);
                    _key = null;
                }

                _keyOpenedOddly = false;
                _state = tag == ControlTokens.ArgKey ? State.Key : State.Between;
                break;
        }
    }

    private void SetKey(string key)
    {
        _key = key;
        _state = State.WaitValue;
    }

    private void OpenValue()
    {
        _types = tools.TypesOf(_name, _key!);
        _value.Clear();
        _state = State.Value;
        _anyPair = true;
        if (!_started)
            return;
        writer.Key(_key!);
        if (_types == JsonTypes.String)
            writer.Raw("\"");
    }

    private void WriteWhole(string text)
    {
        OpenValue();
        AddToValue(text);
        CloseValue();
    }

    // Reads a value; false when its end has not come.
    private bool ReadValue(TextWindow text)
    {
        bool found = ValueEnd.TryFind(text.Span, out int at, out string tag);
        bool closed = ValueTags.TryFind(text.Span, out int callEnd, out string first) && first == ControlTokens.ToolCallEnd;
        if (closed && at - callEnd > LongestStretch)
        {
            Allow(Repairs.ValueClose);
            AddToValue(text.Span[..callEnd]);
            _raw.Append(text.Span[..callEnd]);
            text.Take(callEnd);
            CloseValue();
            return true;
        }

        if (found)
        {
            AddToValue(text.Span[..at]);
            _raw.Append(text.Span[..at]).Append(tag);
            text.Take(at + tag.Length);
            CloseValue();
            return true;
        }

        // From a closing call tag on the value is held back: without a closing value tag it ended there.
        AddToValue(text.Span[..callEnd]);
        _raw.Append(text.Span[..callEnd]);
        text.Take(callEnd);
        return false;
    }

    // Ends a value that has no closing tag; true when a closing call tag stands behind it.
    private bool EndValue(TextWindow text)
    {
        Allow(Repairs.ValueClose);
        bool closed = ValueTags.TryFind(text.Span, out int at, out string tag);
        // "a <" may well be the value's end; "</arg_" is not.
        string rest = closed || text.Span.Length - at < 3 ? text.Span[..(closed ? at : text.Span.Length)].ToString() : WithoutPartialTag(text.Span);
        AddToValue(rest);
        CloseValue();
        if (!closed)
            return false;
        _raw.Append(text.Span[..at]).Append(tag);
        text.Take(at + tag.Length);
        return true;
    }

    private void AddToValue(ReadOnlySpan<char> text)
    {
        if (_types != JsonTypes.String)
            _value.Append(text);
        else if (_started)
            writer.Escaped(text);
    }

    private void CloseValue()
    {
        _state = State.Between;
        _key = null;
        if (!_started)
            return;
        if (_types == JsonTypes.String)
        {
            writer.Raw("\"");
            return;
        }

        StringBuilder json = new();
        ArgumentValue.Write(json, _value.ToString().AsMemory(), _types);
        writer.Raw(json.ToString());
        _value.Clear();
    }

    // <tool_call>{"name": …, "arguments": {…}}</tool_call> and <tool_call>NAME {…}</tool_call>.
    private bool TryReadJsonCall(string before, string name, string rest)
    {
        string text = before.Trim();
        int brace = name.IndexOf('{', StringComparison.Ordinal);
        if (brace > 0 && tools.Offers(name[..brace].TrimEnd()))
        {
            rest = text[text.IndexOf('{', StringComparison.Ordinal)..];
            name = name[..brace].TrimEnd();
        }

        if (CallText.TryReadJsonCall(text, out string? jsonName, out string? arguments))
            name = jsonName;
        else if (JsonValue.TryGetType(rest, out JsonTypes type) && type == JsonTypes.Object && name.Length > 0)
            arguments = rest;
        else
            return false;
        Allow(Repairs.JsonCall);
        if (_refused)
            return true;
        _name = name;
        writer.Start(name);
        writer.EndWith(arguments);
        return true;
    }

    private void Stray(string text)
    {
        if (text.Length == 0)
            return;
        Allow(Repairs.StrayText);
        _stray.Append(text);
    }

    private void Allow(Repairs kinds) => _refused |= !repairs.Make(kinds);

    // A tag of which only the beginning came says nothing.
    private static string WithoutPartialTag(ReadOnlySpan<char> text)
    {
        CallTags.TryFind(text, out int length, out _);
        return text[..length].ToString();
    }
}
