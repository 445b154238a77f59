using System.Text.Json;
using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Grammars;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>
/// Turns schemas into grammars of the JSON texts that satisfy them. A goal is a set of schemas that must all hold; each goal with objects or
/// arrays becomes a rule, made once, so that recursion in the schema is recursion in the grammar.
/// </summary>
internal sealed class SchemaGrammar
{
    private readonly Dictionary<RowKey, Expression> _goals = [];
    private readonly Queue<(GrammarRule Rule, List<List<SchemaNode>> Alternatives)> _pending = new();
    private readonly SchemaExpansion _expansion;

    /// <param name="document">The schemas.</param>
    /// <param name="json">What values may be where the schemas say nothing.</param>
    /// <param name="report">Receives what cannot be enforced.</param>
    public SchemaGrammar(SchemaDocument document, JsonValues json, SchemaReport report)
    {
        Document = document;
        Json = json;
        Report = report;
        _expansion = new SchemaExpansion(document, Report);
    }

    /// <summary>Values without a schema.</summary>
    public JsonValues Json { get; }

    public SchemaDocument Document { get; }

    /// <summary>What cannot be enforced, complete once the grammar is finished.</summary>
    public SchemaReport Report { get; }

    /// <summary>The values that satisfy all schemas of a goal. Rules it refers to are complete after <see cref="Finish"/>.</summary>
    public Expression ValueOf(IReadOnlyList<SchemaNode> goal)
    {
        RowKey key = new([.. goal.Select(n => n.Id).Distinct().Order()]);
        if (_goals.TryGetValue(key, out Expression? known))
            return known;
        List<List<SchemaNode>> alternatives = _expansion.Expand(goal);
        if (alternatives is [var only] && only.TrueForAll(n => n.IsTrivial && !n.IsFalse))
            return _goals[key] = Json.Value;
        bool hasContainers = alternatives.Exists(a => (SchemaExpansion.TypesOf(a) & (JsonTypes.Array | JsonTypes.Object)) != JsonTypes.None);
        Expression value;
        if (!hasContainers)
        {
            value = Expression.Choice([.. alternatives.Select(AlternativeOf)]);
        }
        else
        {
            GrammarRule rule = new(goal.Count > 0 && goal[0].Pointer.Length > 0 ? goal[0].Pointer : "root");
            _pending.Enqueue((rule, alternatives));
            value = new RuleExpression(rule);
        }

        _goals.Add(key, value);
        return value;
    }

    /// <summary>Completes all rules.</summary>
    public void Finish()
    {
        while (_pending.TryDequeue(out (GrammarRule Rule, List<List<SchemaNode>> Alternatives) next))
            next.Rule.Body = Expression.Choice([.. next.Alternatives.Select(AlternativeOf)]);
    }

    /// <summary>The alternatives of a goal, for those who write values in another form than JSON.</summary>
    public List<List<SchemaNode>> AlternativesOf(IReadOnlyList<SchemaNode> goal) => _expansion.Expand(goal);

    /// <summary>The listed values that satisfy all schemas; null when they are not listed.</summary>
    public List<JsonElement>? FixedValues(List<SchemaNode> all) => _expansion.FixedValues(all);

    /// <summary>The members of an object.</summary>
    public ObjectShape ShapeOf(List<SchemaNode> all) => ObjectShape.Of(all, NamesOf, Report);

    /// <summary>The values of one alternative, as JSON.</summary>
    public Expression AlternativeOf(List<SchemaNode> all)
    {
        JsonTypes types = SchemaExpansion.TypesOf(all);
        if (FixedValues(all) is { } values)
            return ConstantGrammar.OneOf(values);
        foreach (SchemaNode node in all)
        {
            foreach ((JsonTypes concerned, UnsupportedKeyword keyword) in node.Unsupported)
            {
                if ((concerned & types) != JsonTypes.None)
                    Report.Add(keyword);
            }

            RefuseForbiddenContainers(node, types);
        }

        List<Expression> choices = [];
        if ((types & JsonTypes.Null) != JsonTypes.None && !Forbids(all, JsonValueKind.Null))
            choices.Add(JsonGrammar.Null);
        if ((types & JsonTypes.Boolean) != JsonTypes.None && !Forbids(all, JsonValueKind.True))
            choices.Add(JsonGrammar.True);
        if ((types & JsonTypes.Boolean) != JsonTypes.None && !Forbids(all, JsonValueKind.False))
            choices.Add(JsonGrammar.False);
        if ((types & JsonTypes.Number) != JsonTypes.None)
            choices.Add(NumberOf(all, types & JsonTypes.Number));
        if ((types & JsonTypes.String) != JsonTypes.None)
            choices.Add(StringOf(StringLanguage.Of(all, Json.StringFilter, Report)));
        if ((types & JsonTypes.Array) != JsonTypes.None)
            choices.Add(ArrayGrammar.Of(this, all));
        if ((types & JsonTypes.Object) != JsonTypes.None)
            choices.Add(ObjectGrammar.Of(this, all));
        return Expression.Choice(choices);
    }

    /// <summary>A JSON string of an automaton.</summary>
    public Expression StringOf(CodePointAutomaton automaton) =>
        automaton is LengthAutomaton { Minimum: 0, Maximum: null } || ReferenceEquals(automaton, Json.StringFilter)
            ? Json.String
            : Expression.Of(new TextTerminal(automaton, TextEncoding.JsonString));

    private Expression NumberOf(List<SchemaNode> all, JsonTypes types)
    {
        try
        {
            CodePointDfa language = NumberLanguage.Of(all, types, Report);
            return ReferenceEquals(language, JsonGrammar.NumberText) ? JsonGrammar.Number
                : ReferenceEquals(language, JsonGrammar.IntegerText) ? JsonGrammar.Integer
                : Expression.Of(new TextTerminal(language, TextEncoding.Raw));
        }
        catch (AutomatonTooLargeException e)
        {
            Report.Add(new(all[0].Pointer, "multipleOf", $"together with bounds: {e.Message}"));
            return types == JsonTypes.Integer ? JsonGrammar.Integer : JsonGrammar.Number;
        }
    }

    private static bool Forbids(List<SchemaNode> all, JsonValueKind kind) =>
        all.Exists(n => n.ForbiddenValues.Exists(v => v.ValueKind == kind));

    private void RefuseForbiddenContainers(SchemaNode node, JsonTypes types)
    {
        foreach (JsonElement value in node.ForbiddenValues)
        {
            if ((value.ValueKind == JsonValueKind.Array && (types & JsonTypes.Array) != JsonTypes.None)
                || (value.ValueKind == JsonValueKind.Object && (types & JsonTypes.Object) != JsonTypes.None))
            {
                Report.Add(new(node.Pointer, "not", "single objects and arrays cannot be excluded"));
            }
        }
    }

    /// <summary>The property names that satisfy the schemas of <c>propertyNames</c>; null when all do.</summary>
    private CodePointAutomaton? NamesOf(List<SchemaNode> rules)
    {
        CodePointDfa? union = null;
        foreach (List<SchemaNode> alternative in _expansion.Expand(rules))
        {
            if ((SchemaExpansion.TypesOf(alternative) & JsonTypes.String) == JsonTypes.None)
                continue;
            CodePointDfa names = FixedValues(alternative) is { } values
                ? DfaAlgebra.OneOf(values.Where(v => v.ValueKind == JsonValueKind.String).Select(v => v.GetString()!))
                : StringLanguage.ToDfa(StringLanguage.Of(alternative, null, Report));
            union = union is null ? names : DfaAlgebra.Complement(DfaAlgebra.Intersect(DfaAlgebra.Complement(union), DfaAlgebra.Complement(names)));
        }

        return union ?? DfaAlgebra.OneOf([]);
    }
}
