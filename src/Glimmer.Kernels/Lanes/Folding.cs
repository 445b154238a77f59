using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Glimmer.Kernels.Lanes;

/// <summary>The last steps of a sum over lanes: (0 + 2) + (1 + 3) of the four numbers that <see cref="ILanes{V}.Fold"/> leaves.</summary>
internal static class Folding
{
    /// <summary>The sum of one folded vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Vector128<float> v) => (v.GetElement(0) + v.GetElement(2)) + (v.GetElement(1) + v.GetElement(3));

    /// <summary>The sum of all lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum<V>(V v)
        where V : struct, ILanes<V> => Sum(V.Fold(v));

    /// <summary>The sums of four folded vectors at once: lane i of the result is the sum of the i-th.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Sum4(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        if (Sse.IsSupported)
        {
            // [a0 a1 b0 b1] + [a2 a3 b2 b3], the same for c and d, then even lanes + odd lanes.
            Vector128<float> ab = Sse.MoveLowToHigh(a, b) + Sse.MoveHighToLow(b, a);
            Vector128<float> cd = Sse.MoveLowToHigh(c, d) + Sse.MoveHighToLow(d, c);
            return Sse.Shuffle(ab, cd, 0b10_00_10_00) + Sse.Shuffle(ab, cd, 0b11_01_11_01);
        }

        if (AdvSimd.Arm64.IsSupported)
        {
            Vector128<float> ab = Vector128.Create(a.GetLower(), b.GetLower()) + Vector128.Create(a.GetUpper(), b.GetUpper());
            Vector128<float> cd = Vector128.Create(c.GetLower(), d.GetLower()) + Vector128.Create(c.GetUpper(), d.GetUpper());
            return AdvSimd.Arm64.UnzipEven(ab, cd) + AdvSimd.Arm64.UnzipOdd(ab, cd);
        }

        return Vector128.Create(Sum(a), Sum(b), Sum(c), Sum(d));
    }
}
