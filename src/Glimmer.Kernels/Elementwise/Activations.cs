using Glimmer.Kernels.Elementwise;

namespace Glimmer.Kernels;

/// <summary>Functions between two matrix products. Results may overwrite an operand in place.</summary>
/// <remarks>Exponentials come from one polynomial used by every instruction set, within 1 ulp; nothing depends on the split into rows.</remarks>
public static class Activations
{
    /// <summary>y = silu(gate)·up, silu(z) = z / (1 + e^−z).</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void SwiGlu(ReadOnlySpan<float> gate, ReadOnlySpan<float> up, Span<float> y) =>
        Map.Apply(InstructionSets.Current, new SwiGluFunction(), gate, up, y);

    /// <summary>y = silu(min(gate, limit))·clamp(up, −limit, limit).</summary>
    /// <param name="gate">The half that passes through silu.</param>
    /// <param name="up">The linear half.</param>
    /// <param name="limit">Bound, above 0.</param>
    /// <param name="y">Result.</param>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void SwiGlu(ReadOnlySpan<float> gate, ReadOnlySpan<float> up, float limit, Span<float> y) =>
        Map.Apply(InstructionSets.Current, new ClampedSwiGluFunction(limit), gate, up, y);

    /// <summary>y = x / (1 + e^−x).</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Silu(ReadOnlySpan<float> x, Span<float> y) => Map.Apply(InstructionSets.Current, new SiluFunction(), x, x, y);

    /// <summary>y = 1 / (1 + e^−x).</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Sigmoid(ReadOnlySpan<float> x, Span<float> y) => Map.Apply(InstructionSets.Current, new SigmoidFunction(), x, x, y);

    /// <summary>y = e^x.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static void Exp(ReadOnlySpan<float> x, Span<float> y) => Map.Apply(InstructionSets.Current, new ExpFunction(), x, x, y);
}
