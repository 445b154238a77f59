using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Patterns;

namespace Glimmer.Dialogue.Constraints.Grammars;

/// <summary>The pieces that JSON texts are made of (RFC 8259).</summary>
internal static class JsonGrammar
{
    /// <summary>White space between tokens.</summary>
    public static Expression Space { get; } = Expression.Of(WhitespaceTerminal.Between);

    /// <summary>White space before the whole text. There is none after it: a model that has closed its text has nothing to do but end.</summary>
    public static Expression SpaceBefore { get; } = Expression.Of(WhitespaceTerminal.Before);

    /// <summary>The language of numbers.</summary>
    public static CodePointDfa NumberText { get; } = RegexCompiler.WholeText(RegexParser.Parse(@"-?(0|[1-9]\d*)(\.\d+)?([eE][+\-]?\d+)?"));

    /// <summary>The language of integers without fraction or exponent.</summary>
    public static CodePointDfa IntegerText { get; } = RegexCompiler.WholeText(RegexParser.Parse(@"-?(0|[1-9]\d*)"));

    /// <summary>Any number.</summary>
    public static Expression Number { get; } = Expression.Of(new TextTerminal(NumberText, TextEncoding.Raw));

    /// <summary>Any integer.</summary>
    public static Expression Integer { get; } = Expression.Of(new TextTerminal(IntegerText, TextEncoding.Raw));

    public static Expression True { get; } = Expression.Literal("true");

    public static Expression False { get; } = Expression.Literal("false");

    public static Expression Null { get; } = Expression.Literal("null");

    /// <summary>A comma with space around it.</summary>
    public static Expression Comma { get; } = Expression.Sequence(Space, Expression.Literal(","), Space);

    /// <summary>A colon with space around it.</summary>
    public static Expression Colon { get; } = Expression.Sequence(Space, Expression.Literal(":"), Space);

    /// <summary>Members between braces; the members themselves must not be empty.</summary>
    public static Expression Braces(Expression members, bool mayBeEmpty) => Between("{", members, "}", mayBeEmpty);

    /// <summary>Items between brackets; the items themselves must not be empty.</summary>
    public static Expression Brackets(Expression items, bool mayBeEmpty) => Between("[", items, "]", mayBeEmpty);

    /// <summary>A whole JSON text: the value and the space before it.</summary>
    public static Expression Text(Expression value) => Expression.Sequence(SpaceBefore, value);

    private static Expression Between(string open, Expression content, string close, bool mayBeEmpty)
    {
        Expression filled = Expression.Sequence(content, Space, Expression.Literal(close));
        return Expression.Sequence(
            Expression.Literal(open),
            Space,
            mayBeEmpty ? Expression.Choice(Expression.Literal(close), filled) : filled);
    }
}
