namespace Glimmer.Dialogue.Constraints.Patterns;

/// <summary>A regular expression is not well formed, or uses what a finite automaton cannot do.</summary>
internal sealed class RegexSyntaxException(string message, int position, bool unsupported = false)
    : Exception($"{message} at position {position}")
{
    /// <summary>What is wrong, without the place.</summary>
    public string Problem { get; } = message;

    /// <summary>Index of the offending UTF-16 unit.</summary>
    public int Position { get; } = position;

    /// <summary>Whether the expression is well formed but of a kind that cannot be enforced (look-around, back-references).</summary>
    public bool Unsupported { get; } = unsupported;
}
