using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Glimmer.Kernels.Lanes;

/// <summary>What all vector forms do the same way, through sixteen floats in memory: the ends of rows, and rare steps.</summary>
internal static unsafe class PartialLanes
{
    /// <summary>2^112: takes the exponent of a half (bias 15) to that of a float (bias 127).</summary>
    public const float Two112 = 5.192296858534828e33f;

    /// <summary>Copies <paramref name="count"/> floats and clears the rest of sixteen.</summary>
    public static void Fill(float* lanes, float* source, int count)
    {
        for (int i = 0; i < 16; i++)
            lanes[i] = i < count ? source[i] : 0;
    }

    /// <summary>The largest of sixteen, compared in the order of a fold so that equal zeros of different sign cannot matter.</summary>
    public static float Largest(float* lanes)
    {
        for (int half = 8; half > 0; half >>= 1)
        {
            for (int i = 0; i < half; i++)
            {
                if (lanes[i] < lanes[i + half])
                    lanes[i] = lanes[i + half];
            }
        }

        return lanes[0];
    }

    /// <summary>The same of the eight that are left after the first step.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Vector128<float> low, Vector128<float> high)
    {
        Vector128<float> four = Vector128.ConditionalSelect(Vector128.LessThan(low, high), high, low);
        Vector128<float> upper = Vector128.Shuffle(four, Vector128.Create(2, 3, 2, 3));
        four = Vector128.ConditionalSelect(Vector128.LessThan(four, upper), upper, four);
        float first = four.ToScalar(), second = four.GetElement(1);
        return first < second ? second : first;
    }

    /// <summary>Bits of the largest half as a float.</summary>
    public const int LargestHalf = 0x477FE000;

    /// <summary>Bits of 2^-14, the smallest normal half, as a float.</summary>
    public const int SmallestNormalHalf = 0x38800000;

    /// <summary>Sign, exponent and fraction of a half that was sign-extended and shifted left by 13.</summary>
    public const int FiniteHalfMask = unchecked((int)0x8FFFE000);

    /// <summary>A finite half as a float: sign, and the rest shifted into place and scaled.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FromFiniteHalf(ushort bits) =>
        Two112 * BitConverter.Int32BitsToSingle(((short)bits << 13) & FiniteHalfMask);

    /// <summary>The nearest half, ties to even, no further than ±65504.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ushort ToHalf(float value)
    {
        int bits = BitConverter.SingleToInt32Bits(value), magnitude = Math.Min(bits & int.MaxValue, LargestHalf);

        // Below the normal halves, 0.5 has the same last place as they have: adding it rounds.
        int small = BitConverter.SingleToInt32Bits(BitConverter.Int32BitsToSingle(magnitude) + 0.5f) - 0x3F000000;
        int normal = (magnitude + 0xFFF + ((magnitude >> 13) & 1) - 0x38000000) >> 13;
        return (ushort)((magnitude < SmallestNormalHalf ? small : normal) | ((bits >>> 16) & 0x8000));
    }

    /// <summary>A half as a float, exactly.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float FromHalf(ushort bits)
    {
        int magnitude = bits & 0x7FFF;
        int value = magnitude > 0x7BFF
            ? (magnitude << 13) | 0x7F800000
            : BitConverter.SingleToInt32Bits(Two112 * BitConverter.Int32BitsToSingle(magnitude << 13));
        return BitConverter.Int32BitsToSingle(value | ((bits ^ magnitude) << 16));
    }
}
