namespace Glimmer.Kernels.Formats;

/// <summary>The roundings that the block formats' reference quantiser uses, defined for every input.</summary>
internal static class Rounding
{
    /// <summary>1/x, and 0 for 0.</summary>
    public static float Reciprocal(float x) => x == 0 ? 0 : 1 / x;

    /// <summary>To nearest, ties to even, clamped to a range; NaN gives the value nearest 0.</summary>
    public static int ToEven(float x, int low, int high) => (int)Math.Clamp(float.IsNaN(x) ? 0 : MathF.Round(x), low, high);

    /// <summary>To nearest, ties away from zero, clamped to a range.</summary>
    public static int AwayFromZero(float x, int low, int high) =>
        (int)Math.Clamp(float.IsNaN(x) ? 0 : MathF.Round(x, MidpointRounding.AwayFromZero), low, high);

    /// <summary>Towards zero, clamped to 0 … <paramref name="high"/>; what is no finite number (a scale that underflowed) gives 0.</summary>
    public static int Truncate(float x, int high) => float.IsFinite(x) ? (int)Math.Clamp(x, 0, high) : 0;

    /// <summary>The value with the largest magnitude, the first one of equals, with its sign.</summary>
    public static float Extreme(ReadOnlySpan<float> values)
    {
        float largest = 0, extreme = 0;
        foreach (float value in values)
        {
            if (MathF.Abs(value) > largest)
            {
                largest = MathF.Abs(value);
                extreme = value;
            }
        }

        return extreme;
    }

    /// <summary>Smallest and largest value.</summary>
    public static (float Minimum, float Maximum) Range(ReadOnlySpan<float> values)
    {
        float minimum = float.MaxValue, maximum = -float.MaxValue;
        foreach (float value in values)
        {
            minimum = value < minimum ? value : minimum;
            maximum = value > maximum ? value : maximum;
        }

        return (minimum, maximum);
    }
}
