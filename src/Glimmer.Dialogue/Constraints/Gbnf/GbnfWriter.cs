using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Glimmer.Dialogue.Constraints.Grammars;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Constraints.Gbnf;

/// <summary>
/// Writes an expression as a grammar in GBNF notation, which llama.cpp and xgrammar read. Ends of
/// turns are left out: engines allow one where the text is complete.
/// </summary>
internal sealed class GbnfWriter
{
    /// <summary>Longest grammar that is written, in characters.</summary>
    public const int MaxLength = 1 << 19;

    /// <summary>Largest bound of a repetition; llama.cpp refuses larger ones.</summary>
    public const int MaxRepeat = 2_000;

    /// <summary>Most properties of a tool whose arguments may come in any order: each set of them is a rule.</summary>
    public const int MaxFreeProperties = 6;

    private readonly ITokenizer _tokenizer;
    private readonly IReadOnlySet<int> _stops;
    private readonly GbnfTerminals _terminals;
    private readonly List<string> _rules = [];
    private readonly Dictionary<GrammarRule, string> _names = new(ReferenceEqualityComparer.Instance);
    private readonly Queue<GrammarRule> _pending = new();
    private readonly HashSet<GrammarRule> _productive = new(ReferenceEqualityComparer.Instance);
    private int _named;
    private int _length;

    private GbnfWriter(ITokenizer tokenizer, IReadOnlySet<int> stops, GbnfDialect dialect)
    {
        (_tokenizer, _stops, Dialect) = (tokenizer, stops, dialect);
        _terminals = new GbnfTerminals(this);
    }

    /// <summary>Who reads it.</summary>
    internal GbnfDialect Dialect { get; }

    /// <summary>The grammar; null when it would be too long.</summary>
    internal static string? Write(Expression root, ITokenizer tokenizer, IReadOnlySet<int> stops, GbnfDialect dialect)
    {
        GbnfWriter writer = new(tokenizer, stops, dialect);
        try
        {
            writer.FindProductive(root);
            writer.Define("root", writer.Alternatives(root) ?? throw new InvalidOperationException("The grammar has no texts."));
            while (writer._pending.TryDequeue(out GrammarRule? rule))
                writer.Define(writer._names[rule], writer.BodyOf(rule) ?? throw new InvalidOperationException($"The rule {rule.Name} has no texts."));
            return string.Concat(writer._rules.OrderBy(static rule => rule.StartsWith("root ", StringComparison.Ordinal) ? 0 : 1));
        }
        catch (TooLongException)
        {
            return null;
        }
    }

    /// <summary>A name that no rule has.</summary>
    internal string NewName(string kind)
    {
        Count(kind.Length);
        return string.Create(CultureInfo.InvariantCulture, $"{kind}{_named++}");
    }

    internal void Define(string name, string body)
    {
        string rule = $"{name} ::= {body}\n";
        Count(rule.Length);
        _rules.Add(rule);
    }

    private void Count(int characters)
    {
        _length += characters;
        if (_length > MaxLength)
            throw new TooLongException();
    }

    /// <summary>Finds the rules that have a text at all.</summary>
    private void FindProductive(Expression root)
    {
        HashSet<GrammarRule> all = new(ReferenceEqualityComparer.Instance);
        Stack<Expression> open = new([root]);
        while (open.TryPop(out Expression? expression))
        {
            IEnumerable<Expression> parts = expression switch
            {
                RuleExpression call when all.Add(call.Rule) => [call.Rule.Body],
                SequenceExpression sequence => sequence.Items,
                ChoiceExpression choice => choice.Items,
                RepeatExpression repeat => repeat.Separator is { } separator ? [repeat.Item, separator] : [repeat.Item],
                _ => [],
            };
            foreach (Expression part in parts)
                open.Push(part);
        }

        int known;
        do
        {
            known = _productive.Count;
            _productive.UnionWith(all.Where(rule => !_productive.Contains(rule) && HasText(rule.Body)));
        }
        while (_productive.Count > known);
    }

    private bool HasText(Expression expression) => expression switch
    {
        TerminalExpression terminal => !terminal.Terminal.IsEmpty,
        RuleExpression call => _productive.Contains(call.Rule),
        SequenceExpression sequence => sequence.Items.All(HasText),
        ChoiceExpression choice => choice.Items.Any(HasText),
        RepeatExpression repeat => repeat.Minimum == 0 || HasText(repeat.Item),
        _ => true,
    };

    private string? BodyOf(GrammarRule rule) => rule.Body switch
    {
        SequenceExpression { Items: [RepeatExpression { Minimum: 0, Maximum: null } pairs, GuardExpression { Guard: { Kind: GuardKind.AllSet } all }] } => Arguments(pairs.Item, all.Operand1),
        _ => Alternatives(rule.Body),
    };

    /// <summary>A choice without parentheses around it; null when it has no text.</summary>
    private string? Alternatives(Expression expression)
    {
        if (expression is not ChoiceExpression choice)
            return Sequence(expression);
        List<string> items = [.. choice.Items.Select(Sequence).OfType<string>().Distinct(StringComparer.Ordinal)];
        return items.Count == 0 ? null : string.Join(" | ", items);
    }

    private string? Sequence(Expression expression)
    {
        if (expression is not SequenceExpression sequence)
            return Item(expression);
        if (sequence.Items.Count == 0)
            return "\"\"";
        List<string> items = [];
        foreach (Expression part in sequence.Items)
        {
            if (Item(part) is not { } item)
                return null;
            if (item != "\"\"")
                items.Add(item);
        }

        return items.Count == 0 ? "\"\"" : string.Join(' ', items);
    }

    /// <summary>What a repetition sign can follow.</summary>
    private string? Item(Expression expression)
    {
        switch (expression)
        {
            case TerminalExpression terminal:
                return terminal.Terminal.IsEmpty ? null : _terminals.Item(terminal.Terminal);
            case ControlExpression control:
                return Group(string.Join(" | ", control.Tokens.Select(Control).Distinct(StringComparer.Ordinal)), control.Tokens.Count > 1);
            case RuleExpression call:
                return _productive.Contains(call.Rule) ? NameOf(call.Rule) : null;
            case RepeatExpression repeat:
                return Repeat(repeat);
            case ChoiceExpression:
                return Group(Alternatives(expression), isNeeded: true);
            case SequenceExpression:
                return Group(Sequence(expression), isNeeded: true);
            default:
                throw new InvalidOperationException($"A {expression.GetType().Name} stands where none is expected.");
        }
    }

    private static string? Group(string? text, bool isNeeded) => text is null or "\"\"" || !isNeeded ? text : $"({text})";

    private string NameOf(GrammarRule rule)
    {
        ref string? name = ref CollectionsMarshal.GetValueRefOrAddDefault(_names, rule, out bool known);
        if (!known)
        {
            name = NewName("r");
            _pending.Enqueue(rule);
        }

        return name!;
    }

    private string Control(int token)
    {
        if (_stops.Contains(token))
            return "\"\"";
        return Dialect == GbnfDialect.Llama ? string.Create(CultureInfo.InvariantCulture, $"<[{token}]>") : Literal(Encoding.UTF8.GetString(_tokenizer.BytesOf(token)));
    }

    private string? Repeat(RepeatExpression repeat)
    {
        if (repeat.Maximum < repeat.Minimum || repeat.Maximum == 0)
            return repeat.Minimum == 0 ? "\"\"" : null;
        string? item = Item(repeat.Item);
        if (item is null or "\"\"")
            return repeat.Minimum == 0 ? "\"\"" : item;
        if (repeat.Separator is null || Item(repeat.Separator) is not { } separator || separator == "\"\"")
            return item + Bounds(repeat.Minimum, repeat.Maximum);
        string more = $"{item} ({separator} {item}){Bounds(Math.Max(repeat.Minimum - 1, 0), repeat.Maximum - 1)}";
        if (repeat.Maximum == 1)
            more = item;
        return repeat.Minimum == 0 ? $"({more})?" : $"({more})";
    }

    /// <summary>A repetition sign; a bound that is too large is left out.</summary>
    internal static string Bounds(int minimum, int? maximum)
    {
        if (minimum > MaxRepeat)
            minimum = MaxRepeat;
        if (maximum > MaxRepeat)
            maximum = null;
        return (minimum, maximum) switch
        {
            (0, null) => "*",
            (1, null) => "+",
            (0, 1) => "?",
            (1, 1) => "",
            (_, null) => string.Create(CultureInfo.InvariantCulture, $"{{{minimum},}}"),
            _ => string.Create(CultureInfo.InvariantCulture, $"{{{minimum},{maximum}}}"),
        };
    }

    /// <summary>Named arguments, each at most once, the required ones before the end.</summary>
    private string Arguments(Expression item, ulong required)
    {
        List<(ulong Bit, string Rule)> pairs = [];
        List<string> extras = [];
        foreach (Expression choice in item is ChoiceExpression choices ? choices.Items : [item])
        {
            ulong bit = choice is SequenceExpression { Items: [GuardExpression { Guard: { Kind: GuardKind.Once } once }, ..] } ? once.Operand1 : 0;
            Expression pair = bit == 0 ? choice : Expression.Sequence([.. ((SequenceExpression)choice).Items.Skip(1)]);
            if (Sequence(pair) is not { } text)
                continue;
            string rule = NewName("p");
            Define(rule, text);
            if (bit == 0)
                extras.Add(rule);
            else
                pairs.Add((bit, rule));
        }

        if (pairs.Count > MaxFreeProperties)
        {
            string extra = extras.Count == 0 ? "" : $" ({string.Join(" | ", extras)})*";
            return string.Join(' ', pairs.Select(pair => (pair.Bit & required) != 0 ? pair.Rule : pair.Rule + "?")) + extra;
        }

        // A rule for each set of those that have been said.
        string prefix = NewName("a");
        string After(int said) => string.Create(CultureInfo.InvariantCulture, $"{prefix}s{said}");
        for (int said = 0; said < 1 << pairs.Count; said++)
        {
            List<string> next = [.. extras.Select(extra => $"{extra} {After(said)}")];
            bool complete = true;
            for (int i = 0; i < pairs.Count; i++)
            {
                if ((said & (1 << i)) != 0)
                    continue;
                next.Add($"{pairs[i].Rule} {After(said | (1 << i))}");
                complete &= (pairs[i].Bit & required) == 0;
            }

            if (complete)
                next.Add("\"\"");
            Define(After(said), string.Join(" | ", next));
        }

        return After(0);
    }

    /// <summary>A text between quotes.</summary>
    internal static string Literal(string text)
    {
        StringBuilder builder = new(text.Length + 2);
        builder.Append('"');
        foreach (Rune rune in text.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '"' => builder.Append("\\\""),
                '\\' => builder.Append("\\\\"),
                '\n' => builder.Append("\\n"),
                '\r' => builder.Append("\\r"),
                '\t' => builder.Append("\\t"),
                < 0x20 or (>= 0x7F and < 0xA0) or 0x2028 or 0x2029 => builder.Append(CultureInfo.InvariantCulture, $"\\u{rune.Value:X4}"),
                _ => builder.Append(rune.ToString()),
            };
        }

        return builder.Append('"').ToString();
    }

    private sealed class TooLongException : Exception;
}
