using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Grammars;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>
/// Grammars of objects: named properties in the order of the schema, optional ones left out at will, then other keys. Keys that only
/// <c>required</c> names come last, and other keys may stand before them.
/// </summary>
internal sealed class ObjectGrammar
{
    /// <summary>Most combinations of position and count of members.</summary>
    private const int MaxPositions = 20_000;

    private readonly ObjectShape _shape;
    private readonly Expression[] _members;
    private readonly Expression _extra;
    private readonly int _countTop;
    private readonly Dictionary<(int Position, int Count), GrammarRule> _keys = [];
    private readonly Dictionary<(int Position, int Count), GrammarRule> _tails = [];
    private readonly Queue<Action> _pending = new();

    private ObjectGrammar(SchemaGrammar grammar, ObjectShape shape)
    {
        _shape = shape;
        _members = [.. shape.Properties.Select(p => Member(Expression.Literal(JsonText.Quote(p.Name)), grammar.ValueOf(p.Goal)))];
        _extra = Expression.Choice([.. shape.Extras.Select(e => Member(KeyOf(grammar, e), grammar.ValueOf(e.Goal)))]);
        int required = shape.Properties.Count(p => p.Required);
        bool counts = shape.Minimum > required || shape.Maximum is not null;
        _countTop = counts ? Math.Max(shape.Minimum, shape.Maximum ?? 0) : 0;
    }

    public static Expression Of(SchemaGrammar grammar, List<SchemaNode> all)
    {
        ObjectShape shape;
        try
        {
            shape = grammar.ShapeOf(all);
        }
        catch (AutomatonTooLargeException e)
        {
            grammar.Report.Add(new(all[0].Pointer, "propertyNames", e.Message));
            return grammar.Json.Object;
        }

        if (shape.Maximum < shape.Minimum)
            return Expression.Never;
        if (shape.Properties.Count == 0 && shape.Extras is [{ Names: LengthAutomaton { Minimum: 0, Maximum: null }, Goal.Count: 0 }]
            && shape.Minimum == 0 && shape.Maximum is null)
        {
            return grammar.Json.Object;
        }

        if (shape.Properties.Count == 0)
            return Map(grammar, shape);
        ObjectGrammar builder = new(grammar, shape);
        if ((long)(shape.Properties.Count + 1) * (builder._countTop + 1) > MaxPositions)
        {
            grammar.Report.Add(new(all[0].Pointer, shape.Maximum is null ? "minProperties" : "maxProperties", "a bound this large together with this many named properties"));
            builder = new(grammar, shape.WithoutBounds());
        }

        return builder.Build();
    }

    private static Expression KeyOf(SchemaGrammar grammar, ShapeExtra extra) =>
        grammar.Json.StringFilter is { } filter && extra.Names is not LengthAutomaton
            ? grammar.StringOf(DfaAlgebra.Intersect(StringLanguage.ToDfa(extra.Names), filter))
            : grammar.StringOf(extra.Names);

    private static Expression Member(Expression key, Expression value) => Expression.Sequence(key, JsonGrammar.Colon, value);

    /// <summary>An object without named properties: any number of members, counted where there are bounds.</summary>
    private static Expression Map(SchemaGrammar grammar, ObjectShape shape)
    {
        Expression member = Expression.Choice(
            [.. shape.Extras.Select(e => Member(KeyOf(grammar, e), grammar.ValueOf(e.Goal)))]);
        Expression members = shape.Maximum == 0
            ? Expression.Never
            : new RepeatExpression(member, Math.Max(shape.Minimum, 1), shape.Maximum, JsonGrammar.Comma);
        return JsonGrammar.Braces(members, shape.Minimum == 0);
    }

    private Expression Build()
    {
        List<Expression> first = [Keys(0, 0)];
        if (MayClose(0, 0))
            first.Add(Expression.Literal("}"));
        Expression whole = Expression.Sequence(Expression.Literal("{"), JsonGrammar.Space, Expression.Choice(first));
        while (_pending.TryDequeue(out Action? fill))
            fill();
        return whole;
    }

    /// <summary>The next member, when the properties before a position are decided and so many members are there.</summary>
    private RuleExpression Keys(int position, int count)
    {
        if (_keys.TryGetValue((position, count), out GrammarRule? rule))
            return new(rule);
        rule = new("member");
        _keys.Add((position, count), rule);
        _pending.Enqueue(() =>
        {
            List<Expression> choices = [];
            if (_countTop == 0 || _shape.Maximum is null || count < _shape.Maximum)
            {
                int after = Math.Min(count + 1, _countTop);
                if (position < _members.Length)
                    choices.Add(Expression.Sequence(_members[position], Tail(position + 1, after)));
                if (position >= _members.Length || !_shape.Properties[position].Declared)
                    choices.Add(Expression.Sequence(_extra, Tail(position, after)));
                if (position < _members.Length && !_shape.Properties[position].Required)
                    choices.Add(Keys(position + 1, count));
            }

            rule.Body = Expression.Choice(choices);
        });
        return new(rule);
    }

    /// <summary>What follows a member: the end, or a comma and another member.</summary>
    private RuleExpression Tail(int position, int count)
    {
        if (_tails.TryGetValue((position, count), out GrammarRule? rule))
            return new(rule);
        rule = new("members");
        _tails.Add((position, count), rule);
        _pending.Enqueue(() =>
        {
            Expression more = Expression.Sequence(Expression.Literal(","), JsonGrammar.Space, Keys(position, count));
            rule.Body = Expression.Sequence(
                JsonGrammar.Space,
                MayClose(position, count) ? Expression.Choice(Expression.Literal("}"), more) : more);
        });
        return new(rule);
    }

    private bool MayClose(int position, int count)
    {
        if (_countTop > 0 && count < _shape.Minimum)
            return false;
        for (int i = position; i < _members.Length; i++)
        {
            if (_shape.Properties[i].Required)
                return false;
        }

        return true;
    }
}
