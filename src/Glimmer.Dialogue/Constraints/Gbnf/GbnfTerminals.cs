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

    /// <summary>Most pairs of a state and a length that are written; past it the length is left out.</summary>
    public const int MaxPairs = 2_000;

    private readonly GbnfCharacters _characters = new(writer);
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
            WhitespaceTerminal space => $"[ \\t]? | \"\\n\"{GbnfWriter.Bounds(1, space.MaxLines)} [ \\t]{GbnfWriter.Bounds(0, space.MaxIndent)}",
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
                return States(bounded, bounded.Unbounded.IntervalStarts, isJson, MaxPairs) ?? Text(bounded.Unbounded, isJson);
            case CodePointDfa dfa:
                return States(dfa, dfa.IntervalStarts, isJson, CodePointDfa.MaxStates)!;
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

    /// <summary>A rule per state, with what follows it; null when there are too many.</summary>
    private string? States(CodePointAutomaton automaton, ReadOnlySpan<int> starts, bool isJson, int most)
    {
        string prefix = writer.NewName("d");
        string NameOf(int state) => string.Create(CultureInfo.InvariantCulture, $"{prefix}s{state}");
        Queue<int> pending = new([automaton.Start]);
        Dictionary<int, SortedDictionary<int, List<CodePointRange>>> reached = new() { [automaton.Start] = [] };
        while (pending.TryDequeue(out int state))
        {
            SortedDictionary<int, List<CodePointRange>> targets = reached[state];
            for (int i = 0; i < starts.Length; i++)
            {
                int target = automaton.Next(state, starts[i]);
                if (target < 0)
                    continue;
                if (!targets.TryGetValue(target, out List<CodePointRange>? ranges))
                    targets.Add(target, ranges = []);
                ranges.Add(new CodePointRange(starts[i], i + 1 < starts.Length ? starts[i + 1] - 1 : CodePointSet.MaxCodePoint));
                if (reached.TryAdd(target, []))
                    pending.Enqueue(target);
            }

            if (reached.Count > most)
                return null;
        }

        foreach ((int state, SortedDictionary<int, List<CodePointRange>> targets) in reached)
            writer.Define(NameOf(state), StateBody(automaton, state, targets, NameOf, isJson));
        return NameOf(automaton.Start);
    }

    private string StateBody(CodePointAutomaton automaton, int state, SortedDictionary<int, List<CodePointRange>> targets, Func<int, string> nameOf, bool isJson)
    {
        List<string> next = [];
        string loop = "";
        foreach ((int target, List<CodePointRange> ranges) in targets)
        {
            if (_characters.OneOf(ranges, isJson) is not { } characters)
                continue;
            if (target == state)
                loop = characters + "* ";
            else
                next.Add($"{characters} {nameOf(target)}");
        }

        if (automaton.IsAccepting(state))
            next.Add("\"\"");
        return next.Count switch
        {
            // Only what is not written leads on; nothing reaches such a state in a text that the engine makes.
            0 => loop.Length == 0 ? "\"\"" : loop.TrimEnd(),
            1 when next[0] == "\"\"" && loop.Length > 0 => loop.TrimEnd(),
            1 => loop + next[0],
            _ => loop.Length == 0 ? string.Join(" | ", next) : $"{loop}({string.Join(" | ", next)})",
        };
    }
}
