namespace Glimmer.Dialogue.Constraints.Matching;

/// <summary>
/// Where a rule returns to: an immutable stack whose equal parts are shared. Frames are interned by their
/// <see cref="GrammarMachine"/>, so equal stacks are the same object.
/// </summary>
/// <param name="node">Node after the call.</param>
/// <param name="register">Register of the frame that called.</param>
/// <param name="parent">The frame that called; null at the bottom.</param>
internal sealed class StackFrame(int node, ulong register, StackFrame? parent)
{
    public int Node { get; } = node;

    public ulong Register { get; } = register;

    public StackFrame? Parent { get; } = parent;

    public int Depth { get; } = (parent?.Depth ?? 0) + 1;
}

/// <summary>One thread of a matcher: it is inside an edge's terminal, or before an edge's control token.</summary>
/// <param name="Edge">The edge.</param>
/// <param name="Terminal">State of its terminal; 0 for control tokens.</param>
/// <param name="Register">Register of the current frame.</param>
/// <param name="Frame">The stack; null at the bottom.</param>
internal readonly record struct MatchThread(Grammars.GrammarEdge Edge, ulong Terminal, ulong Register, StackFrame? Frame)
{
    public bool Equals(MatchThread other) =>
        ReferenceEquals(Edge, other.Edge) && Terminal == other.Terminal && Register == other.Register && ReferenceEquals(Frame, other.Frame);

    public override int GetHashCode() =>
        HashCode.Combine(
            System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(Edge),
            Terminal,
            Register,
            Frame is null ? 0 : System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(Frame));
}
