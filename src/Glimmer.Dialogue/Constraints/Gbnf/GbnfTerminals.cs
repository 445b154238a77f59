using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Grammars;

namespace Glimmer.Dialogue.Constraints.Gbnf;

/// <summary>Writes regular parts of a grammar: literals in place, the rest as rules, one per state of an automaton where nothing shorter says it.</summary>
internal sealed class GbnfTerminals(GbnfWriter writer)
{
    private const string AnyCharacter = @"[^\u0000]";
    private const string JsonCharacter = "[^\"\\\\\\u0000-\\u001F] | \"\\\\\" ([\"\\\\/bfnrt] | \"u\" ([0-9a-cA-CefEF] [0-9a-fA-F]{3} | [dD] ([0-7] [0-9a-fA-F]{2} | [89abAB] [0-9a-fA-F]{2} \"\\\\u\" [dD] [c-fC-F] [0-9a-fA-F]{2})))";
    private readonly Dictionary<object, string> _rules = new(ReferenceEqualityComparer.Instance);
    private string? _jsonCharacter;

    /// <summary>A terminal as something that a repetition sign can follow.</summary>
    public string Item(Terminal terminal)
    {
        if (terminal is LiteralTerminal literal)
            return GbnfWriter.Literal(Encoding.UTF8.GetString(literal.Bytes));
        ref string? name = ref CollectionsMarshal.GetValueRefOrAddDefault(_rules, terminal, out bool known);
        if (known)
            return name!;
        name = writer.NewName("t");
        string rule = name;
        writer.Define(rule, terminal switch
        {
            WhitespaceTerminal space => $"\"\\n\"{GbnfWriter.Bounds(0, space.MaxLines)} [ \\t]{GbnfWriter.Bounds(0, space.MaxLength - space.MaxLines)}",
            LiteralSetTerminal set => string.Join(" | ", set.Strings.Select(text => GbnfWriter.Literal(Encoding.UTF8.GetString(text)))),
            TextTerminal { Encoding: TextEncoding.JsonString } text => $"\"\\\"\" {Text(text.Automaton, isJson: true)} \"\\\"\"",
            TextTerminal text => Text(text.Automaton, isJson: false),
            _ => throw new InvalidOperationException($"No notation for {terminal.GetType().Name}."),
        });
        return rule;
    }

    private string Text(CodePointAutomaton automaton, bool isJson)
    {
        switch (automaton)
        {
            case LengthAutomaton length:
                return (isJson ? AnyJsonCharacter() : AnyCharacter) + GbnfWriter.Bounds(length.Minimum, length.Maximum);
            case BoundedLengthDfa bounded:
                return Text(bounded.Unbounded, isJson);
            case CodePointDfa dfa:
                return States(dfa, isJson);
            default:
                throw new InvalidOperationException($"No notation for {automaton.GetType().Name}.");
        }
    }

    private string AnyJsonCharacter()
    {
        if (_jsonCharacter is null)
        {
            _jsonCharacter = writer.NewName("j");
            writer.Define(_jsonCharacter, JsonCharacter);
        }

        return _jsonCharacter;
    }

    /// <summary>A rule per state, with what follows it.</summary>
    private string States(CodePointDfa dfa, bool isJson)
    {
        string prefix = writer.NewName("d");
        string NameOf(int state) => string.Create(CultureInfo.InvariantCulture, $"{prefix}s{state}");
        for (int state = 0; state < dfa.StateCount; state++)
        {
            SortedDictionary<int, List<CodePointRange>> targets = [];
            ReadOnlySpan<int> starts = dfa.IntervalStarts;
            for (int i = 0; i < starts.Length; i++)
            {
                int target = dfa.NextByClass(state, dfa.ClassOf(starts[i]));
                if (target < 0)
                    continue;
                if (!targets.TryGetValue(target, out List<CodePointRange>? ranges))
                    targets.Add(target, ranges = []);
                ranges.Add(new CodePointRange(starts[i], i + 1 < starts.Length ? starts[i + 1] - 1 : CodePointSet.MaxCodePoint));
            }

            List<string> next = [];
            string loop = "";
            foreach ((int target, List<CodePointRange> ranges) in targets)
            {
                if (Characters(ranges, isJson) is not { } characters)
                    continue;
                if (target == state)
                    loop = characters + "* ";
                else
                    next.Add($"{characters} {NameOf(target)}");
            }

            if (dfa.IsAccepting(state))
                next.Add("\"\"");
            writer.Define(NameOf(state), next.Count switch
            {
                // Only escapes that are not written lead on; nothing reaches such a state in a text that the engine makes.
                0 => loop.Length == 0 ? "\"\"" : loop.TrimEnd(),
                1 when next[0] == "\"\"" && loop.Length > 0 => loop.TrimEnd(),
                1 => loop + next[0],
                _ => loop.Length == 0 ? string.Join(" | ", next) : $"{loop}({string.Join(" | ", next)})",
            });
        }

        return NameOf(dfa.Start);
    }

    /// <summary>One of some characters, in a JSON string escaped where it must be; null when none can be written.</summary>
    private string? Characters(List<CodePointRange> ranges, bool isJson)
    {
        List<string> choices = [];
        List<CodePointRange> set = [];
        foreach (CodePointRange range in ranges)
        {
            if (!isJson)
            {
                Add(set, Math.Max(range.First, 1), range.Last);
                continue;
            }

            for (int c = range.First; c <= Math.Min(range.Last, '\\'); c++)
            {
                string? escape = c switch
                {
                    '"' => "\\\"",
                    '\\' => "\\\\",
                    '\b' => "\\b",
                    '\f' => "\\f",
                    '\n' => "\\n",
                    '\r' => "\\r",
                    '\t' => "\\t",
                    _ => null,
                };
                if (escape is not null)
                    choices.Add(GbnfWriter.Literal(escape));
            }

            Add(set, Math.Max(range.First, 0x20), Math.Min(range.Last, '"' - 1));
            Add(set, Math.Max(range.First, '"' + 1), Math.Min(range.Last, '\\' - 1));
            Add(set, Math.Max(range.First, '\\' + 1), range.Last);
        }

        if (set.Count > 0)
            choices.Insert(0, Set(set));
        return choices.Count switch
        {
            0 => null,
            1 => choices[0],
            _ => $"({string.Join(" | ", choices)})",
        };
    }

    private static void Add(List<CodePointRange> set, int first, int last)
    {
        if (first < 0xD800 && last > 0xDFFF)
        {
            set.Add(new CodePointRange(first, 0xD7FF));
            first = 0xE000;
        }

        if (first is >= 0xD800 and <= 0xDFFF)
            first = 0xE000;
        if (last is >= 0xD800 and <= 0xDFFF)
            last = 0xD7FF;
        if (first <= last)
            set.Add(new CodePointRange(first, last));
    }

    private string Set(List<CodePointRange> ranges)
    {
        StringBuilder set = new("[");
        if (writer.Dialect == GbnfDialect.XGrammar && ranges.Exists(static range => range.Last >= 128))
        {
            set.Append('^');
            AppendCharacter(set, 0);
            for (int c = 1; c < 128; c++)
            {
                if (!ranges.Exists(range => range.First <= c && c <= range.Last))
                    AppendCharacter(set, c);
            }

            return set.Append(']').ToString();
        }

        foreach (CodePointRange range in ranges)
        {
            AppendCharacter(set, range.First);
            if (range.Last > range.First)
            {
                set.Append('-');
                AppendCharacter(set, range.Last);
            }
        }

        return set.Append(']').ToString();
    }

    // Escapes of a fixed length: what follows could be read as a part of shorter ones.
    private static void AppendCharacter(StringBuilder set, int c)
    {
        if (c < 128 && char.IsAsciiLetterOrDigit((char)c))
            set.Append((char)c);
        else
            set.Append(c <= 0xFFFF ? "\\u" : "\\U").Append(c.ToString(c <= 0xFFFF ? "X4" : "X8", CultureInfo.InvariantCulture));
    }
}
