using System.Runtime.CompilerServices;

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
