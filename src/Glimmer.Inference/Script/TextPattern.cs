using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Glimmer.Inference.Script;

/// <summary>A condition on a text: it contains some words, in this case, or an expression written <c>/…/</c> or <c>/…/i</c> matches in it.</summary>
public sealed class TextPattern
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private readonly string _source;
    private readonly Regex? _expression;

    private TextPattern(string source, Regex? expression)
    {
        _source = source;
        _expression = expression;
    }

    /// <summary>Reads a condition.</summary>
    /// <exception cref="FormatException">The expression is wrong; the message says where.</exception>
    public static TextPattern Parse(string source)
    {
        int end = source.LastIndexOf('/');
        if (source.Length < 2 || source[0] != '/' || end == 0 || source[(end + 1)..] is not ("" or "i"))
            return new TextPattern(source, null);
        RegexOptions options = RegexOptions.CultureInvariant | (source[^1] == 'i' ? RegexOptions.IgnoreCase : RegexOptions.None);
        try
        {
            return new TextPattern(source, new Regex(source[1..end], options, Patience));
        }
        catch (RegexParseException fault)
        {
            throw new FormatException(fault.Message, fault);
        }
    }

    /// <summary>Whether the condition holds.</summary>
    /// <param name="text">The text.</param>
    /// <param name="groups">What the expression's groups matched, the whole match first; empty for plain words.</param>
    public bool Matches(string text, [NotNullWhen(true)] out IReadOnlyList<string>? groups)
    {
        groups = null;
        if (_expression is null)
        {
            if (text.Contains(_source, StringComparison.Ordinal))
                groups = [];
            return groups is not null;
        }

        try
        {
            if (_expression.Match(text) is { Success: true } match)
                groups = [.. match.Groups.Values.Select(group => group.Value)];
        }
        catch (RegexMatchTimeoutException)
        {
            return false; // an expression that needs so long on this text counts as not matching; the unmatched request then says which rule
        }

        return groups is not null;
    }

    /// <inheritdoc/>
    public override string ToString() => _source;
}
