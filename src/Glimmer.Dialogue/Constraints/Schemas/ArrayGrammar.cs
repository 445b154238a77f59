using Glimmer.Dialogue.Constraints.Grammars;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>Grammars of arrays.</summary>
internal static class ArrayGrammar
{
    public static Expression Of(SchemaGrammar grammar, List<SchemaNode> all)
    {
        int minimum = all.Max(n => n.MinItems);
        int? maximum = all.Min(n => n.MaxItems);
        if (maximum < minimum)
            return Expression.Never;
        int prefix = all.Max(n => n.PrefixItems.Count);
        SchemaNode? contains = FindContains(grammar, all, minimum, maximum, prefix);
        foreach (SchemaNode node in all)
        {
            if (node.UniqueItems && maximum is not <= 1)
                grammar.Report.Add(new(node.Pointer, "uniqueItems", "items cannot be compared with one another; 'maxItems' of 1 is what can be enforced"));
        }

        if (contains is null && minimum == 0 && maximum is null && all.TrueForAll(n => n.PrefixItems.Count == 0 && n.Items is null))
            return grammar.Json.Array;
        Expression rest = grammar.ValueOf(GoalAt(all, prefix));
        if (contains is not null)
            return Containing(grammar, all, rest, contains);
        if (prefix > 0)
            return Tuple(grammar, all, rest, prefix, minimum, maximum);
        if (maximum == 0)
            return Expression.Sequence(Expression.Literal("["), JsonGrammar.Space, Expression.Literal("]"));
        return JsonGrammar.Brackets(new RepeatExpression(rest, Math.Max(minimum, 1), maximum, JsonGrammar.Comma), minimum == 0);
    }

    /// <summary>The schemas that hold for the item at a position.</summary>
    private static List<SchemaNode> GoalAt(List<SchemaNode> all, int position)
    {
        List<SchemaNode> goal = [];
        foreach (SchemaNode node in all)
        {
            if (position < node.PrefixItems.Count)
                goal.Add(node.PrefixItems[position]);
            else if (node.Items is { } items)
                goal.Add(items);
        }

        return goal;
    }

    /// <summary>The one <c>contains</c> that can be enforced: at least one item, in an array without tuple or other bounds.</summary>
    private static SchemaNode? FindContains(SchemaGrammar grammar, List<SchemaNode> all, int minimum, int? maximum, int prefix)
    {
        SchemaNode? found = null;
        foreach (SchemaNode node in all)
        {
            if (node.Contains is null || (node.MinContains == 0 && node.MaxContains is null))
                continue;
            if (found is null && node.MinContains == 1 && node.MaxContains is null && minimum <= 1 && maximum is null && prefix == 0)
                found = node.Contains;
            else
                grammar.Report.Add(new(node.Pointer, "contains", "only 'at least one', without other bounds on the number of items or 'prefixItems', can be enforced"));
        }

        return found;
    }

    private static Expression Containing(SchemaGrammar grammar, List<SchemaNode> all, Expression rest, SchemaNode contains)
    {
        Expression wanted = grammar.ValueOf([.. GoalAt(all, 0), contains]);
        Expression before = new RepeatExpression(Expression.Sequence(rest, JsonGrammar.Comma), 0, null);
        Expression after = new RepeatExpression(Expression.Sequence(JsonGrammar.Comma, rest), 0, null);
        return JsonGrammar.Brackets(Expression.Sequence(before, wanted, after), mayBeEmpty: false);
    }

    private static Expression Tuple(SchemaGrammar grammar, List<SchemaNode> all, Expression rest, int prefix, int minimum, int? maximum)
    {
        // Rules from the last position to the first: what may follow when so many items are there.
        int most = Math.Min(prefix, maximum ?? prefix);
        Expression following = maximum is { } bound && bound <= prefix
            ? Expression.Empty
            : new RepeatExpression(Expression.Sequence(JsonGrammar.Comma, rest), Math.Max(minimum - prefix, 0), maximum - prefix);
        for (int count = most - 1; count >= 0; count--)
        {
            Expression item = Expression.Sequence(grammar.ValueOf(GoalAt(all, count)), following);
            if (count > 0)
                item = Expression.Sequence(JsonGrammar.Comma, item);
            GrammarRule rule = new("tuple") { Body = count > 0 && count >= minimum ? Expression.Optional(item) : item };
            following = new RuleExpression(rule);
        }

        return most == 0
            ? Expression.Sequence(Expression.Literal("["), JsonGrammar.Space, Expression.Literal("]"))
            : JsonGrammar.Brackets(following, minimum == 0);
    }
}
