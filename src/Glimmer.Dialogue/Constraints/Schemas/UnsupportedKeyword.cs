namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>A keyword of a schema that a grammar cannot enforce.</summary>
/// <param name="Pointer">JSON pointer of the schema that holds it; empty for the root.</param>
/// <param name="Keyword">Its name.</param>
/// <param name="Reason">What about it cannot be enforced, and what can.</param>
public sealed record UnsupportedKeyword(string Pointer, string Keyword, string Reason)
{
    /// <inheritdoc/>
    public override string ToString() => $"'{Keyword}' at '{(Pointer.Length == 0 ? "/" : Pointer)}': {Reason}";
}

/// <summary>A schema that is not a schema: a keyword with a value of the wrong type, a reference that leads nowhere, a size out of bounds.</summary>
/// <param name="pointer">Where.</param>
/// <param name="message">What, and what would be legal.</param>
public sealed class JsonSchemaException(string pointer, string message)
    : Exception($"{message} (at '{(pointer.Length == 0 ? "/" : pointer)}')")
{
    /// <summary>JSON pointer of the offending schema.</summary>
    public string Pointer { get; } = pointer;

    /// <summary>What is wrong, without the place.</summary>
    public string Problem { get; } = message;
}
