namespace Glimmer.Dialogue.Constraints;

/// <summary>A grammar or regular expression that is not well formed, or not of a kind that can be enforced.</summary>
/// <param name="message">What is wrong.</param>
/// <param name="line">Line, from 1.</param>
/// <param name="column">Column in characters, from 1.</param>
public sealed class GrammarSyntaxException(string message, int line, int column)
    : Exception($"Line {line}, column {column}: {message}.")
{
    /// <summary>Line, from 1.</summary>
    public int Line { get; } = line;

    /// <summary>Column in characters, from 1.</summary>
    public int Column { get; } = column;
}
