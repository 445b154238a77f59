namespace Glimmer.Dialogue.Constraints.Grammars;

/// <summary>Conditions and effects of an empty edge on the register of its rule's frame.</summary>
internal enum GuardKind
{
    /// <summary>No condition.</summary>
    None,

    /// <summary>Adds one to the count; refused when it is at <c>Operand2</c>. The count stops growing at <c>Operand1</c>.</summary>
    Count,

    /// <summary>Passes when the count is at least <c>Operand1</c>.</summary>
    AtLeast,

    /// <summary>Passes when the count is below <c>Operand2</c>.</summary>
    Below,

    /// <summary>Passes when the bits of <c>Operand1</c> are clear, and sets them.</summary>
    Once,

    /// <summary>Passes when all bits of <c>Operand1</c> are set.</summary>
    AllSet,
}

/// <summary>A guard. The register is one 64-bit number per frame, 0 at entry, used either as a count or as a set of bits.</summary>
internal readonly record struct Guard(GuardKind Kind, ulong Operand1 = 0, ulong Operand2 = ulong.MaxValue)
{
    public bool TryPass(ulong register, out ulong after)
    {
        after = register;
        switch (Kind)
        {
            case GuardKind.None:
                return true;
            case GuardKind.Count:
                after = Math.Min(register + 1, Operand1);
                return register < Operand2;
            case GuardKind.AtLeast:
                return register >= Operand1;
            case GuardKind.Below:
                return register < Operand2;
            case GuardKind.Once:
                after = register | Operand1;
                return (register & Operand1) == 0;
            case GuardKind.AllSet:
                return (register & Operand1) == Operand1;
            default:
                throw new InvalidOperationException($"No guard {Kind}.");
        }
    }
}
