using System.Globalization;
using Glimmer.Dialogue.Constraints.Automata;

namespace Glimmer.Dialogue.Constraints.Patterns;

/// <summary>
/// Parses the regular part of ECMA-262 regular expressions (with the <c>u</c> flag's view of code points). Look-around,
/// back-references, word boundaries and flags are refused by name.
/// </summary>
internal sealed class RegexParser
{
    /// <summary>Largest number in <c>{n,m}</c>.</summary>
    public const int MaxRepeat = 10_000;

    private const int MaxDepth = 200;
    private const int MaxLength = 20_000;

    private readonly string _text;
    private int _at;
    private int _depth;

    private RegexParser(string text) => _text = text;

    /// <exception cref="RegexSyntaxException">Not well formed, or not regular.</exception>
    public static RegexNode Parse(string pattern)
    {
        if (pattern.Length > MaxLength)
            throw new RegexSyntaxException($"the expression is longer than {MaxLength} characters", MaxLength);
        RegexParser parser = new(pattern);
        RegexNode root = parser.ParseChoice();
        if (parser._at < pattern.Length)
            throw parser.Error("unmatched ')'");
        return root;
    }

    private RegexSyntaxException Error(string message) => new(message, _at);

    private RegexSyntaxException NotRegular(string what) => new($"{what} cannot be enforced", _at, unsupported: true);

    private bool TryTake(char c)
    {
        if (_at >= _text.Length || _text[_at] != c)
            return false;
        _at++;
        return true;
    }

    private bool TryTake(string s)
    {
        if (string.CompareOrdinal(_text, _at, s, 0, s.Length) != 0)
            return false;
        _at += s.Length;
        return true;
    }

    private RegexNode ParseChoice()
    {
        if (++_depth > MaxDepth)
            throw Error($"groups nest deeper than {MaxDepth}");
        List<RegexNode> branches = [ParseSequence()];
        while (TryTake('|'))
            branches.Add(ParseSequence());
        _depth--;
        return branches.Count == 1 ? branches[0] : new RegexChoice(branches);
    }

    private RegexNode ParseSequence()
    {
        List<RegexNode> items = [];
        while (_at < _text.Length && _text[_at] is not ('|' or ')'))
        {
            RegexNode atom = ParseAtom();
            items.Add(ParseQuantifier(atom));
        }

        return items.Count == 1 ? items[0] : new RegexSequence(items);
    }

    private RegexNode ParseQuantifier(RegexNode atom)
    {
        int begin = _at;
        int minimum;
        int? maximum;
        if (TryTake('*'))
            (minimum, maximum) = (0, null);
        else if (TryTake('+'))
            (minimum, maximum) = (1, null);
        else if (TryTake('?'))
            (minimum, maximum) = (0, 1);
        else if (_at < _text.Length && _text[_at] == '{')
            (minimum, maximum) = ParseBounds();
        else
            return atom;

        // Lazy or greedy, the language is the same.
        TryTake('?');
        if (_at < _text.Length && _text[_at] is '*' or '+')
            throw Error("nothing to repeat");
        if (atom is RegexAnchor)
        {
            _at = begin;
            throw Error("an anchor cannot be repeated");
        }

        return new RegexRepeat(atom, minimum, maximum);
    }

    private (int Minimum, int? Maximum) ParseBounds()
    {
        _at++;
        int minimum = ParseCount();
        int? maximum = minimum;
        if (TryTake(','))
            maximum = _at < _text.Length && _text[_at] == '}' ? null : ParseCount();
        if (!TryTake('}'))
            throw Error("'{' must be followed by n}, n,} or n,m}");
        if (maximum < minimum)
            throw Error("the bounds of a repetition are out of order");
        return (minimum, maximum);
    }

    private int ParseCount()
    {
        int begin = _at;
        while (_at < _text.Length && char.IsAsciiDigit(_text[_at]))
            _at++;
        if (begin == _at)
            throw Error("a number is missing in '{}'");
        if (!int.TryParse(_text.AsSpan(begin, _at - begin), NumberStyles.None, CultureInfo.InvariantCulture, out int value) || value > MaxRepeat)
            throw Error($"a repetition of more than {MaxRepeat}");
        return value;
    }

    private RegexNode ParseAtom()
    {
        char c = _text[_at];
        switch (c)
        {
            case '^':
                _at++;
                return new RegexAnchor(AtStart: true);
            case '$':
                _at++;
                return new RegexAnchor(AtStart: false);
            case '.':
                _at++;
                return new RegexChar(CharacterClasses.Dot);
            case '(':
                return ParseGroup();
            case '[':
                return new RegexChar(ParseClass());
            case '\\':
                return new RegexChar(ParseEscape(inClass: false));
            case '*' or '+' or '?':
                throw Error("nothing to repeat");
            case '{':
                throw Error("'{' must be escaped");
            default:
                return new RegexChar(CodePointSet.Single(TakeCodePoint()));
        }
    }

    private RegexNode ParseGroup()
    {
        if (TryTake("(?=") || TryTake("(?!"))
            throw NotRegular("look-ahead");
        if (TryTake("(?<=") || TryTake("(?<!"))
            throw NotRegular("look-behind");
        if (TryTake("(?<") || TryTake("(?P<"))
        {
            int end = _text.IndexOf('>', _at);
            if (end < 0)
                throw Error("the name of a group is not closed");
            _at = end + 1;
        }
        else if (TryTake("(?:"))
        {
            // The group does not capture; neither does any other here.
        }
        else if (TryTake("(?"))
        {
            throw NotRegular("a group with flags");
        }
        else
        {
            _at++;
        }

        RegexNode inner = ParseChoice();
        if (!TryTake(')'))
            throw Error("')' is missing");
        return inner;
    }

    private int TakeCodePoint()
    {
        if (char.IsHighSurrogate(_text[_at]) && _at + 1 < _text.Length && char.IsLowSurrogate(_text[_at + 1]))
        {
            _at += 2;
            return char.ConvertToUtf32(_text[_at - 2], _text[_at - 1]);
        }

        if (char.IsSurrogate(_text[_at]))
            throw Error("a lone surrogate");
        return _text[_at++];
    }

    private CodePointSet ParseClass()
    {
        _at++;
        bool negated = TryTake('^');
        List<CodePointRange> ranges = [];
        while (true)
        {
            if (_at >= _text.Length)
                throw Error("']' is missing");
            if (TryTake(']'))
                break;
            CodePointSet first = ParseClassItem();
            if (_at + 1 < _text.Length && _text[_at] == '-' && _text[_at + 1] != ']')
            {
                _at++;
                CodePointSet last = ParseClassItem();
                if (!IsSingle(first, out int low) || !IsSingle(last, out int high))
                    throw Error("a range of a class must lie between two characters");
                if (high < low)
                    throw Error("a range of a class is out of order");
                ranges.Add(new(low, high));
                continue;
            }

            ranges.AddRange(first.Ranges.ToArray());
        }

        CodePointSet set = CodePointSet.Of(ranges);
        return negated ? set.Complement() : set;
    }

    private static bool IsSingle(CodePointSet set, out int codePoint)
    {
        codePoint = set.Ranges.Length == 1 ? set.Ranges[0].First : 0;
        return set.Ranges.Length == 1 && set.Ranges[0].Last == codePoint;
    }

    private CodePointSet ParseClassItem()
    {
        if (_at >= _text.Length)
            throw Error("']' is missing");
        return _text[_at] == '\\' ? ParseEscape(inClass: true) : CodePointSet.Single(TakeCodePoint());
    }

    private CodePointSet ParseEscape(bool inClass)
    {
        if (_at + 1 >= _text.Length)
            throw Error("a lone '\\' at the end");
        char c = _text[_at + 1];
        switch (c)
        {
            case 'b' when inClass:
                _at += 2;
                return CodePointSet.Single('\b');
            case 'b' or 'B':
                throw NotRegular("a word boundary");
            case >= '1' and <= '9':
            case 'k':
                throw NotRegular("a back-reference");
            case 'A' or 'Z' or 'z' or 'G':
                throw NotRegular($"'\\{c}'");
        }

        _at += 2;
        return c switch
        {
            'd' => CharacterClasses.Digit,
            'D' => CharacterClasses.Digit.Complement(),
            'w' => CharacterClasses.Word,
            'W' => CharacterClasses.Word.Complement(),
            's' => CharacterClasses.Space,
            'S' => CharacterClasses.Space.Complement(),
            't' => CodePointSet.Single('\t'),
            'n' => CodePointSet.Single('\n'),
            'r' => CodePointSet.Single('\r'),
            'f' => CodePointSet.Single('\f'),
            'v' => CodePointSet.Single('\v'),
            'a' => CodePointSet.Single('\a'),
            'e' => CodePointSet.Single(0x1B),
            '0' => CodePointSet.Single(0),
            'c' => ParseControl(),
            'x' => CodePointSet.Single(ParseHex(2)),
            'u' => CodePointSet.Single(ParseUnicode()),
            'p' => ParseProperty(negated: false),
            'P' => ParseProperty(negated: true),
            _ when char.IsAsciiLetterOrDigit(c) => throw new RegexSyntaxException($"unknown escape '\\{c}'", _at - 2),
            _ => Literal(),
        };

        CodePointSet Literal()
        {
            _at--;
            return CodePointSet.Single(TakeCodePoint());
        }
    }

    private CodePointSet ParseControl()
    {
        if (_at >= _text.Length || !char.IsAsciiLetter(_text[_at]))
            throw Error("'\\c' must be followed by a letter");
        return CodePointSet.Single(_text[_at++] % 32);
    }

    private CodePointSet ParseProperty(bool negated)
    {
        int end = _at < _text.Length && _text[_at] == '{' ? _text.IndexOf('}', _at) : -1;
        if (end < 0)
            throw Error("'\\p' must be followed by {name}");
        string name = _text[(_at + 1)..end];
        CodePointSet set = CharacterClasses.Property(name) ?? throw NotRegular($"the Unicode property '{name}'");
        _at = end + 1;
        return negated ? set.Complement() : set;
    }

    private int ParseUnicode()
    {
        if (TryTake('{'))
        {
            int end = _text.IndexOf('}', _at);
            if (end < 0 || end == _at
                || !int.TryParse(_text.AsSpan(_at, end - _at), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value)
                || value is < 0 or > CodePointSet.MaxCodePoint or (>= 0xD800 and <= 0xDFFF))
            {
                throw Error("'\\u{}' must hold a code point");
            }

            _at = end + 1;
            return value;
        }

        int unit = ParseHex(4);
        if (unit is >= 0xD800 and <= 0xDBFF && TryTake("\\u"))
        {
            int low = ParseHex(4);
            if (low is >= 0xDC00 and <= 0xDFFF)
                return char.ConvertToUtf32((char)unit, (char)low);
        }

        if (unit is >= 0xD800 and <= 0xDFFF)
            throw Error("a lone surrogate");
        return unit;
    }

    private int ParseHex(int digits)
    {
        if (_at + digits > _text.Length
            || !int.TryParse(_text.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value))
        {
            throw Error($"{digits} hexadecimal digits are missing");
        }

        _at += digits;
        return value;
    }
}
