namespace Glimmer.Dialogue.Constraints.Grammars;

/// <summary>
/// A grammar as a tree over bytes and control tokens. Trees are built by the compilers of schemas, tools and grammar files,
/// and turned into a <see cref="Grammar"/>.
/// </summary>
internal abstract record Expression
{
    /// <summary>The empty text.</summary>
    public static Expression Empty { get; } = new SequenceExpression([]);

    /// <summary>No text at all.</summary>
    public static Expression Never { get; } = new ChoiceExpression([]);

    public static Expression Literal(string text) => new TerminalExpression(new LiteralTerminal(text));

    public static Expression Of(Terminal terminal) => new TerminalExpression(terminal);

    public static Expression Sequence(params IReadOnlyList<Expression> items) => items.Count == 1 ? items[0] : new SequenceExpression(items);

    public static Expression Choice(params IReadOnlyList<Expression> items) => items.Count == 1 ? items[0] : new ChoiceExpression(items);

    public static Expression Optional(Expression item) => new ChoiceExpression([item, Empty]);

    public static Expression Guarded(GuardKind kind, ulong operand1 = 0, ulong operand2 = ulong.MaxValue) =>
        new GuardExpression(new Guard(kind, operand1, operand2));
}

/// <summary>A text of a regular language.</summary>
internal sealed record TerminalExpression(Terminal Terminal) : Expression;

/// <summary>One of some control tokens, each a single id.</summary>
internal sealed record ControlExpression(IReadOnlyList<int> Tokens) : Expression;

/// <summary>One after the other.</summary>
internal sealed record SequenceExpression(IReadOnlyList<Expression> Items) : Expression;

/// <summary>One of several.</summary>
internal sealed record ChoiceExpression(IReadOnlyList<Expression> Items) : Expression;

/// <summary>As often as the bounds say, with a separator between; no maximum means any number.</summary>
internal sealed record RepeatExpression(Expression Item, int Minimum, int? Maximum, Expression? Separator = null) : Expression;

/// <summary>What a rule stands for, with a register of its own.</summary>
internal sealed record RuleExpression(GrammarRule Rule) : Expression;

/// <summary>A condition on, or change of, the register of the enclosing rule.</summary>
internal sealed record GuardExpression(Guard Guard) : Expression;

/// <summary>A named part of a grammar, which may refer to itself. Its body is set after it is made, so that cycles can be tied.</summary>
internal sealed class GrammarRule(string name)
{
    public string Name { get; } = name;

    public Expression Body { get; set; } = Expression.Never;
}
