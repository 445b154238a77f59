using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Grammars;
using Glimmer.Dialogue.Constraints.Patterns;

namespace Glimmer.Dialogue.Constraints.Gbnf;

/// <summary>
/// Turns a GBNF grammar into an expression. What does not lead back to itself is regular and becomes one automaton, as
/// large a part at a time as possible; only real recursion is left to the stack.
/// </summary>
internal sealed class GbnfCompiler
{
    /// <summary>Largest part that is made one automaton, in tree nodes after references are replaced.</summary>
    private const int MaxRegularSize = 2_000;

    private readonly string _text;
    private readonly Dictionary<string, (GbnfNode Body, int Position)> _rules;
    private readonly Dictionary<string, GrammarRule> _compiled = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _sizes = new(StringComparer.Ordinal);
    private readonly HashSet<string> _open = new(StringComparer.Ordinal);
    private readonly Queue<string> _pending = new();

    private GbnfCompiler(string text)
    {
        _text = text;
        _rules = GbnfParser.Parse(text);
    }

    /// <exception cref="GrammarSyntaxException">Not well formed, or left-recursive.</exception>
    public static Expression Compile(string text)
    {
        GbnfCompiler compiler = new(text);
        if (!compiler._rules.ContainsKey("root"))
            throw new GrammarSyntaxException("there is no rule 'root'", 1, 1);
        foreach (string name in compiler._rules.Keys)
            compiler.SizeOfRule(name, 0);
        Expression root = new RuleExpression(compiler.Rule("root"));
        while (compiler._pending.TryDequeue(out string? name))
            compiler._compiled[name].Body = compiler.Build(compiler._rules[name].Body);
        return root;
    }

    private GrammarRule Rule(string name)
    {
        if (!_compiled.TryGetValue(name, out GrammarRule? rule))
        {
            rule = new(name);
            _compiled.Add(name, rule);
            _pending.Enqueue(name);
        }

        return rule;
    }

    /// <summary>Nodes of a rule with its references replaced; −1 when it is recursive or too large.</summary>
    private int SizeOfRule(string name, int depth)
    {
        if (_sizes.TryGetValue(name, out int known))
            return known;

        // Chains of references this long are not worth an automaton, and must not exhaust the stack.
        if (depth > 200 || !_open.Add(name))
            return -1;
        int size = SizeOf(_rules[name].Body, depth);
        _open.Remove(name);

        // Within a cycle the answer may depend on where it was entered; "not regular" is safe and is what is kept.
        _sizes[name] = size;
        return size;
    }

    private int SizeOf(GbnfNode node, int depth)
    {
        switch (node)
        {
            case GbnfChar:
                return 1;
            case GbnfReference reference:
                if (!_rules.ContainsKey(reference.Name))
                    throw GbnfParser.Error(_text, reference.Position, $"there is no rule '{reference.Name}'");
                return SizeOfRule(reference.Name, depth + 1);
            case GbnfRepeat repeat:
                int item = SizeOf(repeat.Item, depth);
                long copies = Math.Max(repeat.Maximum ?? (repeat.Minimum + 1), 1);
                return item < 0 || item * copies > MaxRegularSize ? -1 : (int)(item * copies);
            case GbnfSequence sequence:
                return Sum(sequence.Items, depth);
            case GbnfChoice choice:
                return Sum(choice.Items, depth);
            default:
                throw new InvalidOperationException($"No size of {node.GetType().Name}.");
        }
    }

    private int Sum(IReadOnlyList<GbnfNode> items, int depth)
    {
        int sum = 1;
        bool regular = true;
        foreach (GbnfNode item in items)
        {
            int size = SizeOf(item, depth);
            regular &= size >= 0;
            sum += Math.Max(size, 0);
        }

        return regular && sum <= MaxRegularSize ? sum : -1;
    }

    private Expression Build(GbnfNode node)
    {
        if (TryBuildRegular(node) is { } regular)
            return regular;
        switch (node)
        {
            case GbnfReference reference:
                return new RuleExpression(Rule(reference.Name));
            case GbnfRepeat repeat:
                return new RepeatExpression(Build(repeat.Item), repeat.Minimum, repeat.Maximum);
            case GbnfChoice choice:
                return Expression.Choice([.. choice.Items.Select(Build)]);
            case GbnfSequence sequence:
                return BuildSequence(sequence.Items);
            default:
                return Expression.Of(new TextTerminal(RegexCompiler.WholeText(ToRegex(node)), TextEncoding.Raw));
        }
    }

    /// <summary>Neighbours that are regular are taken together.</summary>
    private Expression BuildSequence(IReadOnlyList<GbnfNode> items)
    {
        List<Expression> parts = [];
        List<GbnfNode> run = [];
        foreach (GbnfNode item in items)
        {
            if (SizeOf(item, 0) >= 0)
            {
                run.Add(item);
                continue;
            }

            Flush();
            parts.Add(Build(item));
        }

        Flush();
        return Expression.Sequence(parts);

        void Flush()
        {
            if (run.Count == 0)
                return;
            if (TryBuildRegular(new GbnfSequence([.. run])) is { } together)
                parts.Add(together);
            else
                parts.AddRange(run.Select(Build));
            run.Clear();
        }
    }

    private TerminalExpression? TryBuildRegular(GbnfNode node)
    {
        if (SizeOf(node, 0) < 0)
            return null;
        try
        {
            return new(new TextTerminal(RegexCompiler.WholeText(ToRegex(node)), TextEncoding.Raw));
        }
        catch (AutomatonTooLargeException)
        {
            // The parts are smaller; single characters always fit.
            return null;
        }
    }

    private RegexNode ToRegex(GbnfNode node) => node switch
    {
        GbnfChar single => new RegexChar(single.Set),
        GbnfReference reference => ToRegex(_rules[reference.Name].Body),
        GbnfRepeat repeat => new RegexRepeat(ToRegex(repeat.Item), repeat.Minimum, repeat.Maximum),
        GbnfSequence sequence => new RegexSequence([.. sequence.Items.Select(ToRegex)]),
        GbnfChoice choice => new RegexChoice([.. choice.Items.Select(ToRegex)]),
        _ => throw new InvalidOperationException($"No expression of {node.GetType().Name}."),
    };
}
