namespace Glimmer.Dialogue.Constraints.Automata;

/// <summary>
/// A deterministic automaton over Unicode scalar values in which every state is live: from each one some accepting state can
/// be reached. States are non-negative numbers that mean something only to the automaton itself.
/// </summary>
internal abstract class CodePointAutomaton
{
    /// <summary>The first state; −1 when the language is empty.</summary>
    public abstract int Start { get; }

    /// <summary>Whether the text may end here.</summary>
    public abstract bool IsAccepting(int state);

    /// <summary>The state after a scalar value, or −1.</summary>
    public abstract int Next(int state, int codePoint);

    /// <summary>Whether some scalar value in the inclusive range leads on.</summary>
    public abstract bool CanStep(int state, int first, int last);

    /// <summary>Whether any scalar value leads on.</summary>
    public bool CanStep(int state) => CanStep(state, 0, CodePointSet.MaxCodePoint);
}

/// <summary>Any text of a number of scalar values between two bounds. Its states are the count so far, kept no larger than it matters.</summary>
internal sealed class LengthAutomaton(int minimum, int? maximum) : CodePointAutomaton
{
    /// <summary>Any text.</summary>
    public static LengthAutomaton Unbounded { get; } = new(0, null);

    public int Minimum { get; } = minimum;

    public int? Maximum { get; } = maximum;

    public override int Start => Maximum < Minimum ? -1 : 0;

    public override bool IsAccepting(int state) => state >= Minimum;

    public override int Next(int state, int codePoint)
    {
        if (Maximum is { } maximum)
            return state < maximum ? state + 1 : -1;
        return Math.Min(state + 1, Minimum);
    }

    public override bool CanStep(int state, int first, int last) =>
        (first < 0xD800 || last > 0xDFFF) && (Maximum is not { } maximum || state < maximum);
}
