using System.Globalization;
using System.Text;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Output;

/// <summary>
/// Reads the Python literals that models write where JSON belongs: <c>True</c>, <c>False</c>, <c>None</c>, lists,
/// dictionaries with text keys, and numbers and strings inside them. A string alone is no such literal: its quotes may be
/// meant.
/// </summary>
internal ref struct PythonLiteral
{
    private const int MaxDepth = 64;

    private readonly ReadOnlySpan<char> _text;
    private readonly StringBuilder _json;
    private int _at;

    private PythonLiteral(ReadOnlySpan<char> text, StringBuilder json)
    {
        _text = text;
        _json = json;
    }

    /// <summary>Appends the literal as JSON; appends nothing when the text is none.</summary>
    public static bool TryWriteJson(ReadOnlySpan<char> text, StringBuilder json)
    {
        if (text is "True" or "False" or "None")
        {
            json.Append(text switch { "True" => "true", "False" => "false", _ => "null" });
            return true;
        }

        if (text.IsEmpty || text[0] is not ('[' or '{'))
            return false;
        int length = json.Length;
        PythonLiteral literal = new(text, json);
        if (literal.Value(0) && literal.IsAtEnd())
            return true;
        json.Length = length;
        return false;
    }

    private bool Value(int depth)
    {
        SkipSpace();
        if (_at >= _text.Length || depth > MaxDepth)
            return false;
        return _text[_at] switch
        {
            '[' => List(depth),
            '{' => Dictionary(depth),
            '\'' or '"' => String(),
            _ => Word("True", "true") || Word("False", "false") || Word("None", "null") ||
                 Word("true", "true") || Word("false", "false") || Word("null", "null") || Number(),
        };
    }

    private bool List(int depth)
    {
        _at++;
        _json.Append('[');
        for (bool first = true; !Take(']'); first = false)
        {
            if (!first && !Take(','))
                return false;
            if (Take(']'))
                break;
            if (!first)
                _json.Append(", ");
            if (!Value(depth + 1))
                return false;
        }

        _json.Append(']');
        return true;
    }

    private bool Dictionary(int depth)
    {
        _at++;
        _json.Append('{');
        for (bool first = true; !Take('}'); first = false)
        {
            if (!first && !Take(','))
                return false;
            if (Take('}'))
                break;
            if (!first)
                _json.Append(", ");
            SkipSpace();
            if (_at >= _text.Length || _text[_at] is not ('\'' or '"') || !String() || !Take(':'))
                return false;
            _json.Append(": ");
            if (!Value(depth + 1))
                return false;
        }

        _json.Append('}');
        return true;
    }

    private bool String()
    {
        char quote = _text[_at++];
        StringBuilder value = new();
        while (_at < _text.Length && _text[_at] != quote)
        {
            char c = _text[_at++];
            if (c == '\n')
                return false;
            if (c != '\\')
                value.Append(c);
            else if (!Escape(value))
                return false;
        }

        if (_at++ >= _text.Length)
            return false;
        PythonJson.WriteString(_json, value.ToString());
        return true;
    }

    private bool Escape(StringBuilder value)
    {
        if (_at >= _text.Length)
            return false;
        char c = _text[_at++];
        switch (c)
        {
            case 'n': value.Append('\n'); break;
            case 't': value.Append('\t'); break;
            case 'r': value.Append('\r'); break;
            case 'b': value.Append('\b'); break;
            case 'f': value.Append('\f'); break;
            case 'a': value.Append('\a'); break;
            case 'v': value.Append('\v'); break;
            case '0': value.Append('\0'); break;
            case '\\' or '\'' or '"': value.Append(c); break;
            case 'x': return Hex(value, 2);
            case 'u': return Hex(value, 4);
            case 'U': return Hex(value, 8);
            case '\n': break;
            default: value.Append('\\').Append(c); break;
        }

        return true;
    }

    private bool Hex(StringBuilder value, int digits)
    {
        if (_at + digits > _text.Length ||
            !int.TryParse(_text.Slice(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code) ||
            code is < 0 or > 0x10FFFF or (>= 0xD800 and < 0xE000))
        {
            return false;
        }

        _at += digits;
        value.Append(char.ConvertFromUtf32(code));
        return true;
    }

    private bool Number()
    {
        int start = _at;
        while (_at < _text.Length && (char.IsAsciiDigit(_text[_at]) || _text[_at] is '-' or '+' or '.' or 'e' or 'E'))
            _at++;
        ReadOnlySpan<char> number = _text[start.._at];
        if (!JsonValue.TryGetType(number, out JsonTypes type) || (type & JsonTypes.Number) == JsonTypes.None)
            return false;
        _json.Append(number);
        return true;
    }

    private bool Word(string word, string json)
    {
        if (!_text[_at..].StartsWith(word, StringComparison.Ordinal) ||
            _at + word.Length < _text.Length && char.IsLetterOrDigit(_text[_at + word.Length]))
        {
            return false;
        }

        _at += word.Length;
        _json.Append(json);
        return true;
    }

    private bool Take(char expected)
    {
        SkipSpace();
        if (_at >= _text.Length || _text[_at] != expected)
            return false;
        _at++;
        return true;
    }

    private void SkipSpace()
    {
        while (_at < _text.Length && _text[_at] is (' ' or '\t' or '\n' or '\r'))
            _at++;
    }

    private bool IsAtEnd()
    {
        SkipSpace();
        return _at == _text.Length;
    }
}
