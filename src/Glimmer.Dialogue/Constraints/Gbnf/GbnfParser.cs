using System.Globalization;
using Glimmer.Dialogue.Constraints.Automata;

namespace Glimmer.Dialogue.Constraints.Gbnf;

/// <summary>
/// Reads grammars in the GBNF notation: <c>name ::= alternatives</c>, one rule a line unless a group or a bar goes on; literals in
/// double quotes, character classes, the dot, groups, <c>* + ? {n,m}</c>, comments from <c>#</c>.
/// </summary>
internal sealed class GbnfParser
{
    private const int MaxLength = 1_000_000;
    private const int MaxDepth = 100;
    private const int MaxRepeat = 10_000;

    private readonly string _text;
    private int _at;
    private int _depth;

    private GbnfParser(string text) => _text = text;

    /// <summary>The rules by name, and where each begins.</summary>
    /// <exception cref="GrammarSyntaxException">Not well formed.</exception>
    public static Dictionary<string, (GbnfNode Body, int Position)> Parse(string text)
    {
        if (text.Length > MaxLength)
            throw new GrammarSyntaxException($"a grammar must not be longer than {MaxLength} characters", 1, 1);
        GbnfParser parser = new(text);
        Dictionary<string, (GbnfNode, int)> rules = new(StringComparer.Ordinal);
        parser.SkipSpace(lines: true);
        while (parser._at < text.Length)
        {
            int position = parser._at;
            string name = parser.ReadName();
            parser.SkipSpace(lines: false);
            if (!parser.TryTake("::="))
                throw parser.Error("'::=' must follow the name of a rule");
            parser.SkipSpace(lines: true);
            if (!rules.TryAdd(name, (parser.ReadChoice(inGroup: false), position)))
                throw Error(text, position, $"the rule '{name}' is given twice");
            if (parser._at < text.Length && text[parser._at] is not ('\n' or '\r'))
                throw parser.Error($"unexpected '{text[parser._at]}'");
            parser.SkipSpace(lines: true);
        }

        return rules;
    }

    /// <summary>An error at a place of a text.</summary>
    public static GrammarSyntaxException Error(string text, int position, string message)
    {
        int line = 1;
        int begin = 0;
        for (int i = 0; i < position && i < text.Length; i++)
        {
            if (text[i] == '\n')
            {
                line++;
                begin = i + 1;
            }
        }

        return new(message, line, position - begin + 1);
    }

    private GrammarSyntaxException Error(string message) => Error(_text, _at, message);

    private bool TryTake(string s)
    {
        if (string.CompareOrdinal(_text, _at, s, 0, s.Length) != 0)
            return false;
        _at += s.Length;
        return true;
    }

    private void SkipSpace(bool lines)
    {
        while (_at < _text.Length)
        {
            char c = _text[_at];
            if (c == '#')
            {
                while (_at < _text.Length && _text[_at] != '\n')
                    _at++;
            }
            else if (c is ' ' or '\t' || (lines && c is '\r' or '\n'))
            {
                _at++;
            }
            else
            {
                return;
            }
        }
    }

    private string ReadName()
    {
        int begin = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] is '-' or '_'))
            _at++;
        return _at > begin ? _text[begin.._at] : throw Error("the name of a rule is expected");
    }

    private GbnfNode ReadChoice(bool inGroup)
    {
        if (++_depth > MaxDepth)
            throw Error($"groups nest deeper than {MaxDepth}");
        List<GbnfNode> branches = [ReadSequence(inGroup)];
        while (TryTake("|"))
        {
            SkipSpace(lines: true);
            branches.Add(ReadSequence(inGroup));
        }

        _depth--;
        return branches.Count == 1 ? branches[0] : new GbnfChoice(branches);
    }

    private GbnfSequence ReadSequence(bool inGroup)
    {
        List<GbnfNode> items = [];
        while (_at < _text.Length && _text[_at] is not ('|' or ')' or '\r' or '\n'))
        {
            GbnfNode item = ReadItem();
            while (TryReadBounds(out int minimum, out int? maximum))
                item = new GbnfRepeat(item, minimum, maximum);
            items.Add(item);
            SkipSpace(inGroup);
        }

        return new(items);
    }

    private GbnfNode ReadItem()
    {
        char c = _text[_at];
        switch (c)
        {
            case '"':
                return ReadLiteral();
            case '[':
                return ReadClass();
            case '.':
                _at++;
                return new GbnfChar(CodePointSet.Any);
            case '(':
                _at++;
                SkipSpace(lines: true);
                GbnfNode group = ReadChoice(inGroup: true);
                return TryTake(")") ? group : throw Error("')' is missing");
            case '<' or '!':
                throw Error("tokens in angle brackets are not supported; write their text in double quotes");
            default:
                int position = _at;
                return new GbnfReference(ReadName(), position);
        }
    }

    private bool TryReadBounds(out int minimum, out int? maximum)
    {
        (minimum, maximum) = (0, null);
        if (TryTake("*"))
            return true;
        if (TryTake("+"))
        {
            minimum = 1;
            return true;
        }

        if (TryTake("?"))
        {
            maximum = 1;
            return true;
        }

        if (!TryTake("{"))
            return false;
        SkipSpace(lines: false);
        minimum = _at < _text.Length && _text[_at] == ',' ? 0 : ReadCount();
        maximum = minimum;
        SkipSpace(lines: false);
        if (TryTake(","))
        {
            SkipSpace(lines: false);
            maximum = _at < _text.Length && _text[_at] == '}' ? null : ReadCount();
            SkipSpace(lines: false);
        }

        if (!TryTake("}"))
            throw Error("'}' is missing");
        if (maximum < minimum)
            throw Error("the bounds of a repetition are out of order");
        return true;
    }

    private int ReadCount()
    {
        int begin = _at;
        while (_at < _text.Length && char.IsAsciiDigit(_text[_at]))
            _at++;
        if (!int.TryParse(_text.AsSpan(begin, _at - begin), NumberStyles.None, CultureInfo.InvariantCulture, out int count) || count > MaxRepeat)
            throw Error($"a number from 0 to {MaxRepeat} is expected");
        return count;
    }

    private GbnfSequence ReadLiteral()
    {
        _at++;
        List<GbnfNode> characters = [];
        while (!TryTake("\""))
        {
            if (_at >= _text.Length || _text[_at] == '\n')
                throw Error("'\"' is missing");
            characters.Add(new GbnfChar(CodePointSet.Single(ReadCharacter())));
        }

        return new(characters);
    }

    private GbnfChar ReadClass()
    {
        _at++;
        bool negated = TryTake("^");
        List<CodePointRange> ranges = [];
        while (!TryTake("]"))
        {
            if (_at >= _text.Length)
                throw Error("']' is missing");
            int first = ReadCharacter();
            int last = first;
            if (_at + 1 < _text.Length && _text[_at] == '-' && _text[_at + 1] != ']')
            {
                _at++;
                last = ReadCharacter();
            }

            if (last < first)
                throw Error("a range of a class is out of order");
            ranges.Add(new(first, last));
        }

        CodePointSet set = CodePointSet.Of(ranges);
        return new(negated ? set.Complement() : set);
    }

    private int ReadCharacter()
    {
        if (_text[_at] != '\\')
        {
            if (char.IsHighSurrogate(_text[_at]) && _at + 1 < _text.Length && char.IsLowSurrogate(_text[_at + 1]))
            {
                _at += 2;
                return char.ConvertToUtf32(_text[_at - 2], _text[_at - 1]);
            }

            return char.IsSurrogate(_text[_at]) ? throw Error("a lone surrogate") : _text[_at++];
        }

        if (_at + 1 >= _text.Length)
            throw Error("a lone '\\' at the end");
        char c = _text[_at + 1];
        switch (c)
        {
            case 'x' or 'u' or 'U':
                return ReadHex(c == 'x' ? 2 : c == 'u' ? 4 : 8);
            case 'n' or 'r' or 't':
                _at += 2;
                return c == 'n' ? '\n' : c == 'r' ? '\r' : '\t';
            case '\\' or '"' or '[' or ']' or '-' or '^':
                _at += 2;
                return c;
            default:
                throw Error($"unknown escape '\\{c}'");
        }
    }

    private int ReadHex(int digits)
    {
        if (_at + 2 + digits > _text.Length
            || !int.TryParse(_text.AsSpan(_at + 2, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)
            || value is < 0 or > CodePointSet.MaxCodePoint or (>= 0xD800 and <= 0xDFFF))
        {
            throw Error($"{digits} hexadecimal digits of a character are expected");
        }

        _at += 2 + digits;
        return value;
    }
}
