using System.Text.Json;
using Glimmer.Dialogue.Constraints.Automata;
using Glimmer.Dialogue.Constraints.Patterns;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>The strings that schemas allow, as an automaton over their characters.</summary>
internal static class StringLanguage
{
    /// <param name="all">Schemas that must all hold.</param>
    /// <param name="filter">What strings must be besides; null for no more.</param>
    /// <param name="report">Receives what cannot be enforced.</param>
    /// <exception cref="JsonSchemaException">A pattern is not a regular expression.</exception>
    public static CodePointAutomaton Of(List<SchemaNode> all, CodePointDfa? filter, SchemaReport report)
    {
        int minimum = 0;
        int? maximum = null;
        CodePointDfa? table = filter;
        foreach (SchemaNode node in all)
        {
            minimum = Math.Max(minimum, node.MinLength);
            maximum = Least(maximum, node.MaxLength);
            if (node.Pattern is { } pattern && TrySearch(node, "pattern", pattern, report) is { } found)
                table = And(node, "pattern", table, found, report);
            if (node.NotPattern is { } notPattern && TrySearch(node, "not", notPattern, report) is { } avoided)
                table = And(node, "not", table, DfaAlgebra.Complement(avoided), report);
            if (node.Format is { } format)
            {
                if (StringFormats.TryGet(format, out CodePointDfa language))
                {
                    table = And(node, "format", table, language, report);
                    maximum = Least(maximum, StringFormats.MaxLengthOf(format));
                }
                else
                {
                    report.Add(new(node.Pointer, "format", $"the format '{format}' is not enforced; those that are: {string.Join(", ", StringFormats.Names)}"));
                }
            }

            List<string> forbidden = [.. node.ForbiddenValues.Where(v => v.ValueKind == JsonValueKind.String).Select(v => v.GetString()!)];
            if (forbidden.Count > 0)
                table = And(node, "not", table, DfaAlgebra.Complement(DfaAlgebra.OneOf(forbidden)), report);
        }

        if (table is null)
            return minimum == 0 && maximum is null ? LengthAutomaton.Unbounded : new LengthAutomaton(minimum, maximum);
        if (minimum == 0 && maximum is null)
            return table;
        try
        {
            return new BoundedLengthDfa(table, minimum, maximum);
        }
        catch (AutomatonTooLargeException e)
        {
            string keyword = maximum is null ? "minLength" : "maxLength";
            report.Add(new(all[0].Pointer, keyword, $"together with a pattern or format: {e.Message}"));
            return table;
        }
    }

    /// <summary>An automaton as a table.</summary>
    public static CodePointDfa ToDfa(CodePointAutomaton automaton) => automaton switch
    {
        CodePointDfa table => table,
        LengthAutomaton { Minimum: 0, Maximum: null } => DfaAlgebra.AnyText,
        LengthAutomaton lengths => RegexCompiler.WholeText(
            new RegexRepeat(new RegexChar(CodePointSet.Any), lengths.Minimum, lengths.Maximum)),
        _ => throw new AutomatonTooLargeException("names with both a pattern and a length"),
    };

    private static int? Least(int? a, int? b) => a is null ? b : b is null ? a : Math.Min(a.Value, b.Value);

    private static CodePointDfa? TrySearch(SchemaNode node, string keyword, string pattern, SchemaReport report)
    {
        try
        {
            return ObjectShape.Search(pattern, node.Pointer);
        }
        catch (Exception e) when (e is RegexSyntaxException or AutomatonTooLargeException)
        {
            report.Add(new(node.Pointer, keyword, $"the pattern '{pattern}': {e.Message}"));
            return null;
        }
    }

    private static CodePointDfa And(SchemaNode node, string keyword, CodePointDfa? table, CodePointDfa more, SchemaReport report)
    {
        if (table is null)
            return more;
        try
        {
            return DfaAlgebra.Intersect(table, more);
        }
        catch (AutomatonTooLargeException e)
        {
            report.Add(new(node.Pointer, keyword, $"together with other patterns or formats: {e.Message}"));
            return table;
        }
    }
}
