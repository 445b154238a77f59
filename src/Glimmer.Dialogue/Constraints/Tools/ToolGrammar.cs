using System.Text.Json;
using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Grammars;
using Glimmer.Dialogue.Constraints.Patterns;
using Glimmer.Dialogue.Constraints.Schemas;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;

namespace Glimmer.Dialogue.Constraints.Tools;

/// <summary>Grammars of turns that call tools.</summary>
internal sealed class ToolGrammar(ToolCallLayout layout, ToolCallDemand demand)
{
    /// <summary>Most properties whose order is free; the register has a bit for each.</summary>
    private const int MaxFreeProperties = 64;

    private static readonly CodePointDfa UndeclaredName = RegexCompiler.WholeText(RegexParser.Parse(@"[^\s<>\x1c-\x1f\x85]{1,64}"));

    private readonly List<UnsupportedKeyword> _unsupported = [];

    /// <summary>What the schemas of strict tools ask for and cannot be enforced.</summary>
    public List<UnsupportedKeyword> Errors { get; } = [];

    /// <summary>What cannot be enforced; pointers begin at the request's <c>tools</c>.</summary>
    public IReadOnlyList<UnsupportedKeyword> Unsupported => _unsupported;

    /// <param name="stops">Ids that end a turn.</param>
    /// <exception cref="JsonSchemaException">A tool's schema is wrong, or no arguments can satisfy it.</exception>
    public Expression Build(IReadOnlyCollection<int> stops)
    {
        List<Expression> calls = [];
        for (int i = 0; i < demand.Tools.Count; i++)
            calls.Add(CallOf(demand.Tools[i], demand.FirstIndex + i));
        GrammarRule call = new("call") { Body = Expression.Choice(calls) };
        Expression one = new RuleExpression(call);
        Expression turn = layout.Syntax == ToolCallSyntax.NameAndJson ? NamedCalls(one) : TaggedCalls(one);
        Expression end = layout.End.Token is { } observation ? new ControlExpression([observation]) : new ControlExpression([.. stops]);
        turn = Expression.Sequence(turn, end);
        if (demand.Mode == ToolCallMode.Required)
            return Expression.Sequence(JsonGrammar.SpaceBefore, turn);

        // A turn without calls ends like any other, but not by asking for results.
        Expression otherEnd = new ControlExpression([.. stops.Where(s => s != layout.End.Token).DefaultIfEmpty(stops.First())]);
        if (demand.Answer is { } answer)
            return Expression.Choice(Expression.Sequence(answer.Root, otherEnd), Expression.Sequence(JsonGrammar.SpaceBefore, turn));
        Expression text = layout.Syntax == ToolCallSyntax.NameAndJson
            ? Expression.Of(TextTerminal.AnyRaw)
            : Expression.Of(TagGrammar.Without(layout.CallOpen.Text));
        return layout.Syntax == ToolCallSyntax.NameAndJson
            ? Expression.Choice(Expression.Sequence(text, otherEnd), Expression.Sequence(JsonGrammar.SpaceBefore, turn))
            : Expression.Sequence(text, Expression.Choice(otherEnd, turn));
    }

    private Expression TaggedCalls(Expression call)
    {
        Expression wrapped = Expression.Sequence(
            TagGrammar.Tag(layout.CallOpen),
            call,
            TagGrammar.Tag(layout.CallClose));
        Expression gap = layout.LineBreaks ? Expression.Optional(Expression.Literal("\n")) : Expression.Empty;
        return demand.Parallel ? new RepeatExpression(wrapped, 1, null, gap) : wrapped;
    }

    private Expression NamedCalls(Expression call) =>
        demand.Parallel ? new RepeatExpression(call, 1, null, TagGrammar.Tag(layout.Separator)) : call;

    private Expression CallOf(ToolDefinition tool, int index)
    {
        string pointer = $"/tools/{index}/function/parameters";
        SchemaReport report = new();
        Expression arguments;
        try
        {
            arguments = ArgumentsOf(tool, report);
        }
        catch (JsonSchemaException e)
        {
            throw new JsonSchemaException(pointer + e.Pointer, $"The parameters of the tool '{tool.Name}': {e.Message}");
        }
        catch (GrammarException e)
        {
            throw new JsonSchemaException(pointer, $"The parameters of the tool '{tool.Name}' cannot be compiled: {e.Message}");
        }

        foreach (UnsupportedKeyword keyword in report.Keywords)
        {
            UnsupportedKeyword placed = keyword with { Pointer = pointer + keyword.Pointer };
            _unsupported.Add(placed);
            if (tool.IsStrict)
                Errors.Add(placed);
        }

        string lineBreak = layout.Syntax == ToolCallSyntax.NameAndJson || layout.LineBreaks ? "\n" : "";
        return Expression.Sequence(Expression.Literal(tool.Name + lineBreak), arguments);
    }

    private Expression ArgumentsOf(ToolDefinition tool, SchemaReport report)
    {
        bool tagged = layout.Syntax != ToolCallSyntax.NameAndJson;
        if (tool.Parameters is not { } parameters || parameters.ValueKind == JsonValueKind.Null)
            return tagged ? Expression.Empty : Expression.Literal("{}");
        SchemaDocument document = new(parameters);
        SchemaGrammar grammar = new(document, tagged ? JsonValues.Without(layout.ValueClose.Text) : JsonValues.Any, report);
        List<SchemaNode> goal = [document.RootNode, document.Derive("", """{"type":"object"}""")];
        Expression arguments = tagged ? TaggedArguments(grammar, goal) : grammar.ValueOf(goal);
        grammar.Finish();
        if (!Grammar.Accepts(arguments))
            throw new JsonSchemaException("", "no arguments can satisfy them");
        return arguments;
    }

    private Expression TaggedArguments(SchemaGrammar grammar, List<SchemaNode> goal)
    {
        List<Expression> choices = [];
        foreach (List<SchemaNode> all in grammar.AlternativesOf(goal))
        {
            foreach ((JsonTypes types, UnsupportedKeyword keyword) in all.SelectMany(n => n.Unsupported))
            {
                if ((types & JsonTypes.Object) != JsonTypes.None)
                    grammar.Report.Add(keyword);
            }

            if (grammar.FixedValues(all) is not null)
                grammar.Report.Add(new(all[0].Pointer, "enum", "arguments as a whole cannot be listed"));
            choices.Add(PairsOf(grammar, all));
        }

        return Expression.Choice(choices);
    }

    private Expression PairsOf(SchemaGrammar grammar, List<SchemaNode> all)
    {
        ObjectShape shape = grammar.ShapeOf(all);
        if (shape.Maximum < shape.Minimum)
            return Expression.Never;
        int required = shape.Properties.Count(p => p.Required);
        if (shape.Minimum > required)
            grammar.Report.Add(new(all[0].Pointer, "minProperties", "the number of arguments cannot be enforced beyond 'required'"));
        if (shape.Maximum < shape.Properties.Count || (shape.Maximum is not null && shape.Extras.Count > 0))
            grammar.Report.Add(new(all[0].Pointer, "maxProperties", "the number of arguments cannot be enforced"));
        ArgumentText values = new(grammar, layout.ValueClose);
        List<Expression> pairs = [.. shape.Properties.Select(p => Pair(Expression.Literal(p.Name), values.ValueOf(p.Goal, declared: true)))];
        List<Expression> extras = [.. shape.Extras.Select(e => Pair(
            Expression.Of(new TextTerminal(DfaAlgebra.Intersect(StringLanguage.ToDfa(e.Names), UndeclaredName), TextEncoding.Raw)),
            values.ValueOf(e.Goal, declared: false)))];
        grammar.Finish();

        // Whether each required value is possible must be known here: a bit that can never be set would be a dead end.
        if (!Grammar.Accepts(Expression.Sequence([.. pairs.Where((_, i) => shape.Properties[i].Required)])))
            return Expression.Never;
        return pairs.Count <= MaxFreeProperties ? AnyOrder(shape, pairs, extras) : FixedOrder(shape, pairs, extras);
    }

    /// <summary>Each named argument at most once, the required ones before the end, in any order.</summary>
    private static RuleExpression AnyOrder(ObjectShape shape, List<Expression> pairs, List<Expression> extras)
    {
        ulong required = 0;
        List<Expression> choices = [.. extras];
        for (int i = 0; i < pairs.Count; i++)
        {
            ulong bit = 1UL << i;
            if (shape.Properties[i].Required)
                required |= bit;
            choices.Add(Expression.Sequence(Expression.Guarded(GuardKind.Once, bit), pairs[i]));
        }

        Expression body = Expression.Sequence(
            new RepeatExpression(Expression.Choice(choices), 0, null),
            Expression.Guarded(GuardKind.AllSet, required));
        return new(new GrammarRule("arguments") { Body = body });
    }

    private static Expression FixedOrder(ObjectShape shape, List<Expression> pairs, List<Expression> extras)
    {
        List<Expression> items = [.. pairs.Select((p, i) => shape.Properties[i].Required ? p : Expression.Optional(p))];
        items.Add(new RepeatExpression(Expression.Choice(extras), 0, null));
        return Expression.Sequence(items);
    }

    private Expression Pair(Expression key, Expression value)
    {
        Expression lineBreak = layout.LineBreaks ? Expression.Literal("\n") : Expression.Empty;
        return Expression.Sequence(
            TagGrammar.Tag(layout.KeyOpen),
            key,
            TagGrammar.Tag(layout.KeyClose),
            lineBreak,
            TagGrammar.Tag(layout.ValueOpen),
            value,
            TagGrammar.Tag(layout.ValueClose),
            lineBreak);
    }
}
