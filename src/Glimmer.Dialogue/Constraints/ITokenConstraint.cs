namespace Glimmer.Dialogue.Constraints;

/// <summary>
/// Says which tokens may come next, one token at a time: JSON mode, a JSON schema, a tool grammar. One instance
/// belongs to one generation.
/// </summary>
public interface ITokenConstraint
{
    /// <summary>
    /// Writes the tokens allowed next: bit i of the mask (word i / 32, bit i % 32) is 1 when token i may come.
    /// Ends-of-turn are allowed exactly where the text may end. The mask never comes out empty.
    /// Returns false when every token is allowed, in which case the mask is not written.
    /// </summary>
    /// <param name="mask">At least (vocabulary + 31) / 32 words.</param>
    bool FillMask(Span<uint> mask);

    /// <summary>Moves on by a token that the mask allowed.</summary>
    /// <exception cref="InvalidOperationException">The token was not allowed.</exception>
    void Accept(int token);
}
