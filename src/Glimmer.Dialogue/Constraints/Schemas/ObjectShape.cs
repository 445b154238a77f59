using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Patterns;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>A property that is named in a schema.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Goal">The schemas that its value must satisfy.</param>
/// <param name="Required">Whether it must be present.</param>
/// <param name="Declared">Whether <c>properties</c> names it; otherwise only <c>required</c> does, and other keys may come before it.</param>
internal sealed record ShapeProperty(string Name, List<SchemaNode> Goal, bool Required, bool Declared);

/// <summary>A family of keys that no schema names.</summary>
/// <param name="Names">The keys.</param>
/// <param name="Goal">The schemas that their values must satisfy.</param>
internal sealed record ShapeExtra(CodePointAutomaton Names, List<SchemaNode> Goal);

/// <summary>What schemas that must all hold say about the members of an object.</summary>
internal sealed class ObjectShape
{
    /// <summary>Most different patterns of keys: each subset of them is a family of its own.</summary>
    private const int MaxPatterns = 4;

    private ObjectShape(List<ShapeProperty> properties, List<ShapeExtra> extras, int minimum, int? maximum)
    {
        Properties = properties;
        Extras = extras;
        Minimum = minimum;
        Maximum = maximum;
    }

    /// <summary>Named properties in the order of the schema.</summary>
    public List<ShapeProperty> Properties { get; }

    public List<ShapeExtra> Extras { get; }

    /// <summary>Fewest members.</summary>
    public int Minimum { get; }

    /// <summary>Most members.</summary>
    public int? Maximum { get; }

    /// <summary>The same without bounds on the number of members.</summary>
    public ObjectShape WithoutBounds() => new(Properties, Extras, 0, null);

    /// <summary>The schemas that the value of a property must satisfy, by its name.</summary>
    public static List<SchemaNode> GoalOf(List<SchemaNode> all, string name)
    {
        List<SchemaNode> goal = [];
        foreach (SchemaNode node in all)
        {
            bool matched = false;
            if (node.FindProperty(name) is { } property)
            {
                goal.Add(property);
                matched = true;
            }

            foreach ((string pattern, SchemaNode schema) in node.PatternProperties)
            {
                if (Search(pattern, node.Pointer).Accepts(name))
                {
                    goal.Add(schema);
                    matched = true;
                }
            }

            if (!matched && node.AdditionalProperties is { } additional)
                goal.Add(additional);
        }

        return goal;
    }

    /// <summary>The automaton of the texts in which a pattern is found.</summary>
    /// <exception cref="JsonSchemaException">The pattern is not a regular expression.</exception>
    /// <exception cref="RegexSyntaxException">It is one that cannot be enforced.</exception>
    /// <exception cref="AutomatonTooLargeException">It needs too many states.</exception>
    public static CodePointDfa Search(string pattern, string pointer)
    {
        try
        {
            return RegexCompiler.Search(RegexParser.Parse(pattern));
        }
        catch (RegexSyntaxException e) when (!e.Unsupported)
        {
            throw new JsonSchemaException(pointer, $"'{pattern}' is not a regular expression: {e.Message}");
        }
    }

    public static ObjectShape Of(List<SchemaNode> all, Func<List<SchemaNode>, CodePointAutomaton?> namesOf, SchemaReport report)
    {
        List<string> declared = [.. all.SelectMany(n => n.Properties.Select(p => p.Name)).Distinct(StringComparer.Ordinal)];
        HashSet<string> required = [.. all.SelectMany(n => n.Required)];
        List<SchemaNode> nameRules = [.. all.Where(n => n.PropertyNames is not null).Select(n => n.PropertyNames!)];
        CodePointAutomaton? allowedNames = nameRules.Count == 0 ? null : namesOf(nameRules);
        List<ShapeProperty> properties = [];
        bool patternsWork = PatternsWork(all, report);
        foreach (string name in declared.Concat(required.Where(r => !declared.Contains(r))))
        {
            List<SchemaNode> goal = patternsWork ? GoalOf(all, name) : [.. all.Select(n => n.FindProperty(name)).OfType<SchemaNode>()];
            bool possible = !goal.Exists(g => g.IsFalse) && (allowedNames is null || Accepts(allowedNames, name));
            if (possible)
                properties.Add(new(name, goal, required.Contains(name), declared.Contains(name)));
            else if (required.Contains(name))
                return new([], [], 1, 0);
        }

        List<string> named = [.. declared.Union(required, StringComparer.Ordinal)];
        List<ShapeExtra> extras = patternsWork
            ? FindExtras(all, named, allowedNames)
            : [new(Except(named), [])];
        int minimum = all.Max(n => n.MinProperties);
        int? maximum = all.Min(n => n.MaxProperties);
        return new(properties, [.. extras.Where(e => e.Names.Start >= 0 && !e.Goal.Exists(g => g.IsFalse))], minimum, maximum);
    }

    private static bool PatternsWork(List<SchemaNode> all, SchemaReport report)
    {
        int count = 0;
        foreach (SchemaNode node in all)
        {
            foreach ((string pattern, _) in node.PatternProperties)
            {
                count++;
                try
                {
                    Search(pattern, node.Pointer);
                }
                catch (Exception e) when (e is RegexSyntaxException or AutomatonTooLargeException)
                {
                    report.Add(new(node.Pointer, "patternProperties", $"'{pattern}': {e.Message}"));
                    return false;
                }
            }

            if (count > MaxPatterns)
            {
                report.Add(new(node.Pointer, "patternProperties", $"more than {MaxPatterns} patterns that may overlap"));
                return false;
            }
        }

        return true;
    }

    private static List<ShapeExtra> FindExtras(List<SchemaNode> all, List<string> named, CodePointAutomaton? allowedNames)
    {
        List<(SchemaNode Owner, CodePointDfa Names, SchemaNode Schema)> patterns =
            [.. all.SelectMany(n => n.PatternProperties.Select(p => (n, Search(p.Pattern, n.Pointer), p.Schema)))];
        List<ShapeExtra> extras = [];
        for (int subset = 0; subset < 1 << patterns.Count; subset++)
        {
            CodePointAutomaton names = Except(named);
            if (allowedNames is not null)
                names = DfaAlgebra.Intersect(StringLanguage.ToDfa(names), StringLanguage.ToDfa(allowedNames));
            List<SchemaNode> goal = [];
            for (int p = 0; p < patterns.Count; p++)
            {
                bool inside = (subset >> p & 1) != 0;
                CodePointDfa table = StringLanguage.ToDfa(names);
                names = inside ? DfaAlgebra.Intersect(table, patterns[p].Names) : DfaAlgebra.Except(table, patterns[p].Names);
                if (inside)
                    goal.Add(patterns[p].Schema);
            }

            foreach (SchemaNode node in all)
            {
                bool matched = false;
                for (int p = 0; p < patterns.Count; p++)
                    matched |= (subset >> p & 1) != 0 && ReferenceEquals(patterns[p].Owner, node);
                if (!matched && node.AdditionalProperties is { } additional)
                    goal.Add(additional);
            }

            extras.Add(new(names, goal));
        }

        return extras;
    }

    /// <summary>All names but some.</summary>
    private static CodePointAutomaton Except(List<string> names) =>
        names.Count == 0 ? LengthAutomaton.Unbounded : DfaAlgebra.Complement(DfaAlgebra.OneOf(names));

    private static bool Accepts(CodePointAutomaton automaton, string text)
    {
        int state = automaton.Start;
        foreach (System.Text.Rune rune in text.EnumerateRunes())
        {
            if (state < 0)
                return false;
            state = automaton.Next(state, rune.Value);
        }

        return state >= 0 && automaton.IsAccepting(state);
    }
}
