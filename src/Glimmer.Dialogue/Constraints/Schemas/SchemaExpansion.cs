namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>
/// Flattens schemas that must all hold into alternatives, each a list of schemas whose own keywords (types, bounds, properties, items
/// …) must all hold: references and <c>allOf</c> are followed, and each <c>anyOf</c>, <c>oneOf</c>, <c>if</c>, <c>not</c> and
/// dependency is resolved to one branch.
/// </summary>
internal sealed class SchemaExpansion(SchemaDocument document, SchemaReport report)
{
    /// <summary>Most alternatives of one value.</summary>
    public const int MaxAlternatives = 1_024;

    /// <summary>How deep two objects are compared to find out whether they exclude each other.</summary>
    private const int ComparisonDepth = 3;

    /// <summary>The alternatives of a list of schemas that must all hold. Those that no value satisfies may be missing.</summary>
    /// <exception cref="JsonSchemaException">A reference is wrong, or there are too many alternatives.</exception>
    public List<List<SchemaNode>> Expand(IReadOnlyList<SchemaNode> goal) => Expand(goal, report, 0);

    private List<List<SchemaNode>> Expand(IReadOnlyList<SchemaNode> goal, SchemaReport notes, int depth)
    {
        List<List<SchemaNode>> results = [];
        Resolve([.. goal.Select(n => new Step(n, null))], [], [], results, [], notes, depth);
        return results;
    }

    /// <param name="pending">Schemas not looked at yet.</param>
    /// <param name="collected">Schemas whose own keywords hold.</param>
    /// <param name="choices">Branches to be chosen from, one of each.</param>
    /// <param name="results">Receives the alternatives.</param>
    /// <param name="seen">The alternatives found so far, by their schemas.</param>
    /// <param name="notes">Receives what cannot be enforced.</param>
    /// <param name="depth">How deep a comparison of branches this is.</param>
    private void Resolve(
        List<Step> pending,
        List<SchemaNode> collected,
        List<Choice> choices,
        List<List<SchemaNode>> results,
        HashSet<Automata.RowKey> seen,
        SchemaReport notes,
        int depth)
    {
        for (int i = 0; i < pending.Count; i++)
        {
            SchemaNode node = pending[i].Node;

            // A schema that refers to itself without entering the value never decides anything: no finite proof leads this way.
            if (node.IsFalse || pending[i].IsCircular)
                return;
            if (collected.Contains(node))
                continue;
            collected.Add(node);
            if (node.Reference is { } reference)
                pending.Add(new(document.Resolve(reference, node.Pointer), pending[i]));
            foreach (SchemaNode part in node.AllOf)
                pending.Add(new(part, pending[i]));
            List<List<List<SchemaNode>>> branches = [];
            AddChoices(node, branches, notes, depth);
            foreach (List<List<SchemaNode>> choice in branches)
                choices.Add(new(choice, pending[i]));
        }

        if (collected.Count == 0)
            collected.Add(document.Derive("", "true"));
        if (TypesOf(collected) == JsonTypes.None)
            return;
        if (choices.Count == 0)
        {
            if (results.Count >= MaxAlternatives)
                throw new JsonSchemaException(collected[0].Pointer, $"The combinations of 'anyOf', 'oneOf' and 'if' have more than {MaxAlternatives} alternatives");
            if (seen.Add(new([.. collected.Select(n => n.Id).Order()])))
                results.Add(collected);
            return;
        }

        Choice first = choices[0];
        foreach (List<SchemaNode> branch in first.Branches)
            Resolve([.. branch.Select(n => new Step(n, first.Owner))], [.. collected], [.. choices.Skip(1)], results, seen, notes, depth);
    }

    private void AddChoices(SchemaNode node, List<List<List<SchemaNode>>> choices, SchemaReport notes, int depth)
    {
        if (node.AnyOf.Count > 0)
            choices.Add([.. node.AnyOf.Select(n => (List<SchemaNode>)[n])]);
        if (node.OneOf.Count > 0)
            choices.Add(OneOf(node, notes, depth));
        if (node.Not is { } not)
        {
            if (SchemaNegation.Negate(document, not) is { } negated)
                choices.Add([.. negated.Select(n => (List<SchemaNode>)[n])]);
            else
                notes.Add(new(node.Pointer, "not", "only the opposite of types, values, patterns, bounds, 'required' and 'properties' can be produced"));
        }

        if (node.If is { } condition && (node.Then is not null || node.Else is not null))
            AddConditional(node, condition, choices, notes);
        foreach ((string name, List<string> required) in node.DependentRequired)
        {
            string names = string.Join(',', required.Append(name).Select(Grammars.JsonText.Quote));
            choices.Add([[document.Derive(node.Pointer, SchemaNegation.Absent(name))], [document.Derive(node.Pointer, $"{{\"required\":[{names}]}}")]]);
        }

        foreach ((string name, SchemaNode schema) in node.DependentSchemas)
        {
            SchemaNode present = document.Derive(node.Pointer, SchemaNegation.Present(name, "true"));
            choices.Add([[document.Derive(node.Pointer, SchemaNegation.Absent(name))], [present, schema]]);
        }
    }

    private void AddConditional(SchemaNode node, SchemaNode condition, List<List<List<SchemaNode>>> choices, SchemaReport notes)
    {
        if (SchemaNegation.Negate(document, condition) is not { } negated)
        {
            notes.Add(new(node.Pointer, "if", "the condition has no opposite that can be produced"));
            return;
        }

        List<SchemaNode> met = node.Then is { } then ? [condition, then] : [condition];
        List<List<SchemaNode>> branches = [met];
        foreach (SchemaNode failed in negated)
            branches.Add(node.Else is { } otherwise ? [failed, otherwise] : [failed]);
        choices.Add(branches);
    }

    /// <summary>Branches that exclude each other need nothing more; others are paired with the opposites of the rest.</summary>
    private List<List<SchemaNode>> OneOf(SchemaNode node, SchemaReport notes, int depth)
    {
        List<List<SchemaNode>> branches = [];
        foreach (SchemaNode branch in node.OneOf)
        {
            List<List<SchemaNode>> variants = [[branch]];
            foreach (SchemaNode other in node.OneOf)
            {
                if (ReferenceEquals(other, branch) || AreDisjoint(branch, other, depth + 1))
                    continue;
                if (SchemaNegation.Negate(document, other) is not { } negated)
                {
                    notes.Add(new(node.Pointer, "oneOf", "its branches overlap and have no opposite that can be produced; 'anyOf' is what is enforced"));
                    return [.. node.OneOf.Select(n => (List<SchemaNode>)[n])];
                }

                variants = [.. variants.SelectMany(v => negated.Select(n => (List<SchemaNode>)[.. v, n]))];
                if (variants.Count > MaxAlternatives)
                    throw new JsonSchemaException(node.Pointer, $"The combinations of 'oneOf' have more than {MaxAlternatives} alternatives");
            }

            branches.AddRange(variants);
        }

        return branches;
    }

    /// <summary>Whether it is certain that no value satisfies both.</summary>
    private bool AreDisjoint(SchemaNode left, SchemaNode right, int depth)
    {
        if (depth > ComparisonDepth)
            return false;

        // What is found out here is not part of the grammar, so nothing is reported.
        return Expand([left, right], new SchemaReport(), depth).TrueForAll(a => IsContradiction(a, depth));
    }

    private bool IsContradiction(List<SchemaNode> all, int depth)
    {
        if (FixedValues(all) is { } values)
            return values.Count == 0;
        if (TypesOf(all) != JsonTypes.Object)
            return false;
        foreach (string name in all.SelectMany(n => n.Required).Distinct(StringComparer.Ordinal))
        {
            List<SchemaNode> goal = ObjectShape.GoalOf(all, name);
            if (goal.Exists(g => g.IsFalse))
                return true;
            if (depth < ComparisonDepth && goal.Count > 1 && Expand(goal, new SchemaReport(), depth + 1).TrueForAll(a => IsContradiction(a, depth + 1)))
                return true;
        }

        return false;
    }

    /// <summary>The types that all schemas allow.</summary>
    public static JsonTypes TypesOf(List<SchemaNode> all)
    {
        JsonTypes types = JsonTypes.All;
        foreach (SchemaNode node in all)
            types &= node.Types;
        return types;
    }

    /// <summary>
    /// When the values are listed: those of them that all schemas accept, judged by validation, so that every keyword counts. Null
    /// when they are not listed.
    /// </summary>
    public List<System.Text.Json.JsonElement>? FixedValues(List<SchemaNode> all)
    {
        SchemaNode? listed = all.Find(n => n.Values is not null);
        if (listed is null)
            return null;
        Validation.JsonSchemaValidator validator = new(document.Root);
        return [.. listed.Values!.Where(v => all.TrueForAll(n => validator.IsValid(n.Element, v)))];
    }

    /// <summary>A schema, and the one that led to it without entering the value.</summary>
    private sealed record Step(SchemaNode Node, Step? From)
    {
        public bool IsCircular
        {
            get
            {
                for (Step? step = From; step is not null; step = step.From)
                {
                    if (ReferenceEquals(step.Node, Node))
                        return true;
                }

                return false;
            }
        }
    }

    /// <summary>Branches of which one must hold.</summary>
    private sealed record Choice(List<List<SchemaNode>> Branches, Step Owner);
}
