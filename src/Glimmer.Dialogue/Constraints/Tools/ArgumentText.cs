using System.Text.Json;
using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Grammars;
using Glimmer.Dialogue.Constraints.Patterns;
using Glimmer.Dialogue.Constraints.Schemas;

namespace Glimmer.Dialogue.Constraints.Tools;

/// <summary>
/// What may stand between value tags: raw text for strings, JSON for everything else. Where a schema allows both, the reader takes
/// what parses as JSON of another allowed type for that, so such texts are not offered as strings.
/// </summary>
internal sealed class ArgumentText(SchemaGrammar grammar, GrammarTag close)
{
    private const string Space = @"[\s\x1c-\x1f\x85]*";

    private readonly CodePointDfa _raw = (CodePointDfa)TagGrammar.Without(close.Text).Automaton;

    /// <summary>The values that satisfy all schemas of a goal.</summary>
    /// <param name="goal">The schemas.</param>
    /// <param name="declared">Whether the reader knows their types; it takes undeclared values for JSON whenever they parse.</param>
    public Expression ValueOf(List<SchemaNode> goal, bool declared)
    {
        List<List<SchemaNode>> alternatives = grammar.AlternativesOf(goal);
        if (alternatives.Exists(a => a.TrueForAll(n => n.IsTrivial)))
            return Expression.Of(TagGrammar.Without(close.Text));
        JsonTypes types = JsonTypes.None;
        foreach (List<SchemaNode> alternative in alternatives)
            types |= TypesOf(alternative);
        if ((types & JsonTypes.String) == JsonTypes.None)
            return grammar.ValueOf(goal);
        JsonTypes other = declared ? types & ~JsonTypes.String : JsonTypes.All;
        List<Expression> choices = [];
        foreach (List<SchemaNode> alternative in alternatives)
        {
            if (TypesOf(alternative) != JsonTypes.String)
                choices.Add(grammar.AlternativeOf([.. alternative, grammar.Document.Derive(alternative[0].Pointer, """{"not":{"type":"string"}}""")]));
            if ((TypesOf(alternative) & JsonTypes.String) != JsonTypes.None)
                choices.Add(StringOf(alternative, other, declared));
        }

        return Expression.Choice(choices);
    }

    private JsonTypes TypesOf(List<SchemaNode> alternative)
    {
        if (grammar.FixedValues(alternative) is not { } values)
            return SchemaExpansion.TypesOf(alternative);
        JsonTypes types = JsonTypes.None;
        foreach (JsonElement value in values)
        {
            types |= value.ValueKind switch
            {
                JsonValueKind.String => JsonTypes.String,
                JsonValueKind.Number => JsonTypes.Number,
                JsonValueKind.Null => JsonTypes.Null,
                JsonValueKind.Array => JsonTypes.Array,
                JsonValueKind.Object => JsonTypes.Object,
                _ => JsonTypes.Boolean,
            };
        }

        return types;
    }

    private Expression StringOf(List<SchemaNode> alternative, JsonTypes other, bool declared)
    {
        CodePointDfa allowed = other == JsonTypes.None ? _raw : DfaAlgebra.Except(_raw, ReadAsJson(other, declared));
        if (grammar.FixedValues(alternative) is { } values)
        {
            return Expression.Of(new LiteralSetTerminal(values
                .Where(v => v.ValueKind == JsonValueKind.String && allowed.Accepts(v.GetString()!))
                .Select(v => v.GetString()!)));
        }

        CodePointAutomaton language = StringLanguage.Of(alternative, allowed, grammar.Report);
        return ReferenceEquals(language, _raw)
            ? Expression.Of(TagGrammar.Without(close.Text))
            : Expression.Of(new TextTerminal(language, TextEncoding.Raw));
    }

    /// <summary>Texts that the reader does not take for strings, and some more that begin like an array or object.</summary>
    private static CodePointDfa ReadAsJson(JsonTypes types, bool declared)
    {
        List<string> forms = [];
        if ((types & JsonTypes.Null) != JsonTypes.None)
            forms.Add("null");
        if ((types & JsonTypes.Boolean) != JsonTypes.None)
            forms.Add("true|false");
        if ((types & JsonTypes.Number) != JsonTypes.None)
            forms.Add(@"-?(0|[1-9]\d*)(\.\d+)?([eE][+\-]?\d+)?");
        if ((types & (JsonTypes.Array | JsonTypes.Object)) != JsonTypes.None)
            forms.Add(@"[\[{][\s\S]*");
        if (!declared || types == (JsonTypes.All & ~JsonTypes.String))
            forms.Add(@"""[\s\S]*");
        return RegexCompiler.WholeText(RegexParser.Parse($"{Space}({string.Join('|', forms)}){Space}"));
    }
}
