using System.Runtime.Intrinsics;

namespace Glimmer.Kernels.Lanes;

/// <summary>
/// Sixteen single-precision lanes. Kernels are written once against this interface and compiled for every
/// implementation, each a different way to hold the same sixteen numbers.
/// </summary>
/// <remarks>
/// Every operation is one correctly rounded IEEE 754 operation per lane, and folding adds lanes in one fixed order.
/// So all implementations agree bit for bit (the payload of a NaN excepted). Operations whose result is left to the
/// processor (estimates, contraction, saturating conversion of NaN) have no place here.
/// </remarks>
internal unsafe interface ILanes<V>
    where V : struct, ILanes<V>
{
    /// <summary>Number of lanes: 16 everywhere, it defines the order of sums.</summary>
    const int Count = 16;

    /// <summary>All lanes equal.</summary>
    static abstract V Broadcast(float value);

    /// <summary>Sixteen floats.</summary>
    static abstract V Load(float* source);

    /// <summary>The first <paramref name="count"/> (0 … 16) floats, the other lanes 0; reads nothing beyond them.</summary>
    static abstract V LoadFirst(float* source, int count);

    /// <summary>Sixteen halves, widened exactly.</summary>
    static abstract V LoadHalf(ushort* source);

    /// <summary>Sixteen halves known to be finite, widened exactly; infinities and NaN give other numbers.</summary>
    static abstract V LoadFiniteHalf(ushort* source);

    /// <summary>Rounds sixteen lanes to the nearest half, ties to even; what is too large for one, and NaN, becomes ±65504.</summary>
    static abstract void StoreHalf(V value, ushort* target);

    /// <summary>Exchanges lanes 2j and 2j+1.</summary>
    static abstract V SwapNeighbours(V value);

    /// <summary>Sixteen bfloat16 numbers, widened exactly.</summary>
    static abstract V LoadBFloat16(ushort* source);

    /// <summary>Sixteen signed bytes as floats.</summary>
    static abstract V LoadSByte(sbyte* source);

    /// <summary>Stores sixteen floats.</summary>
    static abstract void Store(V value, float* target);

    /// <summary>Stores the first <paramref name="count"/> (0 … 16) lanes and touches nothing beyond them.</summary>
    static abstract void StoreFirst(V value, float* target, int count);

    /// <summary>Lane-wise sum.</summary>
    static abstract V operator +(V a, V b);

    /// <summary>Lane-wise difference.</summary>
    static abstract V operator -(V a, V b);

    /// <summary>Lane-wise product.</summary>
    static abstract V operator *(V a, V b);

    /// <summary>Lane-wise quotient.</summary>
    static abstract V operator /(V a, V b);

    /// <summary>a·b + c with one rounding.</summary>
    static abstract V Fma(V a, V b, V c);

    /// <summary>Lane-wise <c>a &lt; b ? ifLess : otherwise</c>; an unordered pair gives <paramref name="otherwise"/>.</summary>
    static abstract V SelectLess(V a, V b, V ifLess, V otherwise);

    /// <summary>Shifts the 32 bits of every lane left.</summary>
    static abstract V ShiftBitsLeft(V value, int count);

    /// <summary>Adds the bits of all lanes as 32-bit integers, wrapping.</summary>
    static abstract V AddBits(V a, V b);

    /// <summary>Clears the sign of every lane.</summary>
    static abstract V Abs(V value);

    /// <summary>Lanes j, j+4, j+8, j+12 added as (j + j+8) + (j+4 + j+12): the first steps of a sum.</summary>
    static abstract Vector128<float> Fold(V value);

    /// <summary>The largest lane: of lanes that compare, a NaN loses.</summary>
    static abstract float Largest(V value);
}
