namespace Glimmer.Dialogue.Constraints.Grammars;

/// <summary>Builds the automata of a grammar's rules.</summary>
internal sealed class GrammarCompiler
{
    /// <summary>Repetitions up to this count are written out; longer ones count in a frame of their own.</summary>
    private const int WrittenOut = 2;

    private readonly List<List<GrammarEdge>> _edges = [];
    private readonly List<bool> _final = [];
    private readonly Dictionary<GrammarRule, (int Entry, int Exit)> _rules = [];
    private readonly Queue<GrammarRule> _pending = new();

    public Grammar Compile(Expression root)
    {
        int start = AddNode();
        int end = AddNode();
        _final[end] = true;
        Add(root, start, end);
        while (_pending.TryDequeue(out GrammarRule? rule))
            Add(rule.Body, _rules[rule].Entry, _rules[rule].Exit);
        LeftRecursion.Check(_edges, _final, [.. _rules.Select(r => (r.Value.Entry, r.Key.Name))]);
        return Grammar.Of(_edges, [.. _final], start);
    }

    private int AddNode()
    {
        if (_edges.Count >= Grammar.MaxNodes)
            throw new GrammarException($"the grammar needs more than {Grammar.MaxNodes} nodes");
        _edges.Add([]);
        _final.Add(false);
        return _edges.Count - 1;
    }

    private int EntryOf(GrammarRule rule)
    {
        if (!_rules.TryGetValue(rule, out (int Entry, int Exit) ends))
        {
            ends = (AddNode(), AddNode());
            _final[ends.Exit] = true;
            _rules.Add(rule, ends);
            _pending.Enqueue(rule);
        }

        return ends.Entry;
    }

    private void AddEmpty(int from, int to, Guard guard = default) =>
        _edges[from].Add(new(EdgeKind.Empty, to, guard, null, null, -1));

    private void AddCall(int from, int to, GrammarRule rule) =>
        _edges[from].Add(new(EdgeKind.Call, to, default, null, null, EntryOf(rule)));

    private void Add(Expression expression, int from, int to)
    {
        switch (expression)
        {
            case TerminalExpression terminal:
                if (!terminal.Terminal.IsEmpty)
                    _edges[from].Add(new(EdgeKind.Terminal, to, default, terminal.Terminal, null, -1));
                break;
            case ControlExpression control:
                _edges[from].Add(new(EdgeKind.Control, to, default, null, [.. control.Tokens], -1));
                break;
            case RuleExpression call:
                AddCall(from, to, call.Rule);
                break;
            case GuardExpression guard:
                AddEmpty(from, to, guard.Guard);
                break;
            case SequenceExpression sequence:
                AddSequence(sequence.Items, from, to);
                break;
            case ChoiceExpression choice:
                foreach (Expression item in choice.Items)
                    Add(item, from, to);
                break;
            case RepeatExpression repeat:
                AddRepeat(repeat, from, to);
                break;
            default:
                throw new InvalidOperationException($"No automaton for {expression.GetType().Name}.");
        }
    }

    private void AddSequence(IReadOnlyList<Expression> items, int from, int to)
    {
        if (items.Count == 0)
        {
            AddEmpty(from, to);
            return;
        }

        for (int i = 0; i < items.Count; i++)
        {
            int after = i == items.Count - 1 ? to : AddNode();
            Add(items[i], from, after);
            from = after;
        }
    }

    private void AddRepeat(RepeatExpression repeat, int from, int to)
    {
        if (repeat.Maximum < repeat.Minimum || repeat.Maximum == 0)
        {
            if (repeat.Minimum == 0)
                AddEmpty(from, to);
            return;
        }

        if (Math.Max(repeat.Minimum, repeat.Maximum ?? 0) > WrittenOut)
        {
            AddCall(from, to, Counted(repeat));
            return;
        }

        // At most two copies and perhaps a loop: from ─item─► a ─separator, item─► b …
        if (repeat.Minimum == 0)
            AddEmpty(from, to);
        int at = AddNode();
        Add(repeat.Item, from, at);
        int copies = repeat.Maximum ?? Math.Max(repeat.Minimum, 1);
        for (int i = 1; i <= copies; i++)
        {
            if (i >= repeat.Minimum)
                AddEmpty(at, to);
            bool loops = repeat.Maximum is null && i == copies;
            if (i == copies && !loops)
                break;
            int after = loops ? at : AddNode();
            AddSequence(repeat.Separator is null ? [repeat.Item] : [repeat.Separator, repeat.Item], at, after);
            at = after;
        }
    }

    /// <summary>A rule whose register counts the items.</summary>
    private static GrammarRule Counted(RepeatExpression repeat)
    {
        ulong minimum = (ulong)repeat.Minimum;
        ulong maximum = repeat.Maximum is { } max ? (ulong)max : ulong.MaxValue;
        ulong top = repeat.Maximum is null ? minimum : maximum;
        Expression count = Expression.Guarded(GuardKind.Count, top, maximum);
        Expression next = repeat.Separator is null
            ? Expression.Sequence(count, repeat.Item)
            : Expression.Sequence(Expression.Guarded(GuardKind.Below, 0, maximum), repeat.Separator, count, repeat.Item);
        Expression body = Expression.Sequence(
            count,
            repeat.Item,
            new RepeatExpression(next, 0, null),
            Expression.Guarded(GuardKind.AtLeast, minimum));
        return new("repetition") { Body = repeat.Minimum == 0 ? Expression.Optional(body) : body };
    }
}
