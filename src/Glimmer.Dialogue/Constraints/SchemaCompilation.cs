using Glimmer.Dialogue.Constraints.Schemas;

namespace Glimmer.Dialogue.Constraints;

/// <summary>What became of a schema.</summary>
/// <param name="Constraint">The constraint; null when strictness was asked for and something cannot be enforced.</param>
/// <param name="Unsupported">
/// What cannot be enforced. Under strictness these are the errors; otherwise the constraint allows everything there that the rest of the
/// schema allows.
/// </param>
public sealed record SchemaCompilation(CompiledConstraint? Constraint, IReadOnlyList<UnsupportedKeyword> Unsupported)
{
    /// <summary>Whether there is a constraint.</summary>
    public bool Succeeded => Constraint is not null;
}
