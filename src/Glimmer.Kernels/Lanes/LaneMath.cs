using System.Runtime.CompilerServices;

namespace Glimmer.Kernels.Lanes;

/// <summary>Functions of lanes built from <see cref="ILanes{V}"/> alone, so that they too agree bit for bit everywhere.</summary>
internal static class LaneMath
{
    /// <summary>1.5·2^23: adding it rounds a float below 2^22 to the nearest integer, which then lies in the low bits.</summary>
    private const float Rounding = 12582912f;

    /// <summary>e^x, within 1 ulp of the exact value (tests hold it to that); 0 below −103.98, ∞ above 88.73, NaN for NaN.</summary>
    /// <remarks>
    /// x = n·ln 2 + r with |r| ≤ ln 2 / 2 (ln 2 in two parts, Cody and Waite), e^r by its Taylor polynomial of degree 7, whose
    /// remainder there is below 2^-27; then times 2^n in two steps, so that subnormal results are rounded once.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<V>(V x)
        where V : struct, ILanes<V>
    {
        V low = V.Broadcast(-104f), high = V.Broadcast(89f), rounding = V.Broadcast(Rounding);
        x = V.SelectLess(x, low, low, x);
        x = V.SelectLess(high, x, high, x);
        V n = V.Fma(x, V.Broadcast(1.442695041f), rounding) - rounding;
        V r = V.Fma(n, V.Broadcast(-0.693145751953125f), x);
        r = V.Fma(n, V.Broadcast(-1.428606765330187e-6f), r);

        V p = V.Broadcast(1f / 5040);
        p = V.Fma(p, r, V.Broadcast(1f / 720));
        p = V.Fma(p, r, V.Broadcast(1f / 120));
        p = V.Fma(p, r, V.Broadcast(1f / 24));
        p = V.Fma(p, r, V.Broadcast(1f / 6));
        p = V.Fma(p, r, V.Broadcast(0.5f));
        V one = V.Broadcast(1f);
        p = V.Fma(V.Fma(p, r, one), r, one);

        V half = V.Fma(n, V.Broadcast(0.5f), rounding);
        V rest = (n - (half - rounding)) + rounding;
        return p * PowerOfTwo(half) * PowerOfTwo(rest);
    }

    /// <summary>1 / (1 + e^−x), within 3 ulp where the result is a normal number; 0 for −∞, 1 for ∞.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<V>(V x)
        where V : struct, ILanes<V>
    {
        V one = V.Broadcast(1f);
        return one / (one + Exp(V.Broadcast(0f) - x));
    }

    /// <summary>x·sigmoid(x) = x / (1 + e^−x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Silu<V>(V x)
        where V : struct, ILanes<V> => x / (V.Broadcast(1f) + Exp(V.Broadcast(0f) - x));

    /// <summary>2^k for k + <see cref="Rounding"/>, −126 ≤ k ≤ 127: the integer moves from the low bits into the exponent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V PowerOfTwo<V>(V rounded)
        where V : struct, ILanes<V> => V.AddBits(V.ShiftBitsLeft(rounded, 23), V.Broadcast(1f));
}
