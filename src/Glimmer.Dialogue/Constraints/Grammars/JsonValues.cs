using System.Collections.Concurrent;
using Glimmer.Dialogue.Constraints.Automata;

namespace Glimmer.Dialogue.Constraints.Grammars;

/// <summary>Values of any kind, without a schema.</summary>
internal sealed class JsonValues
{
    private static readonly ConcurrentDictionary<string, JsonValues> Filtered = new(StringComparer.Ordinal);

    private JsonValues(TextTerminal text, CodePointDfa? filter)
    {
        GrammarRule value = new("value");
        GrammarRule objects = new("object");
        GrammarRule arrays = new("array");
        String = Expression.Of(text);
        StringFilter = filter;
        Value = new RuleExpression(value);
        Object = new RuleExpression(objects);
        Array = new RuleExpression(arrays);
        Expression member = Expression.Sequence(String, JsonGrammar.Colon, Value);
        objects.Body = JsonGrammar.Braces(new RepeatExpression(member, 1, null, JsonGrammar.Comma), mayBeEmpty: true);
        arrays.Body = JsonGrammar.Brackets(new RepeatExpression(Value, 1, null, JsonGrammar.Comma), mayBeEmpty: true);
        value.Body = Expression.Choice(String, JsonGrammar.Number, JsonGrammar.True, JsonGrammar.False, JsonGrammar.Null, Object, Array);
    }

    /// <summary>All values.</summary>
    public static JsonValues Any { get; } = new(TextTerminal.AnyJsonString, null);

    /// <summary>Any string.</summary>
    public Expression String { get; }

    /// <summary>Any object.</summary>
    public Expression Object { get; }

    /// <summary>Any array.</summary>
    public Expression Array { get; }

    /// <summary>Any value.</summary>
    public Expression Value { get; }

    /// <summary>The automaton of the strings allowed; null for all.</summary>
    public CodePointDfa? StringFilter { get; }

    /// <summary>The values in whose strings a text does not occur.</summary>
    public static JsonValues Without(string text) => Filtered.GetOrAdd(text, static t =>
    {
        CodePointDfa filter = ForbiddenText.Without(t);
        return new(new TextTerminal(filter, TextEncoding.JsonString) { IsShared = true }, filter);
    });
}
