namespace Glimmer.Kernels.Formats;

/// <summary>The 16 unevenly spaced levels of IQ4_NL and IQ4_XS, and the search for the scale that suits a run of 32.</summary>
internal static class Iq4Levels
{
    private const int Trials = 7;

    /// <summary>The levels, ascending.</summary>
    public static ReadOnlySpan<sbyte> Values => [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

    /// <summary>The code of the nearest level; of two equally near ones the upper.</summary>
    public static int Nearest(float x)
    {
        ReadOnlySpan<sbyte> levels = Values;
        int upper = 1;
        while (upper < 15 && x >= levels[upper])
            upper++;
        if (x >= levels[15])
            return 15;
        return x - levels[upper - 1] < levels[upper] - x ? upper - 1 : upper;
    }

    /// <summary>The scale that leaves the least error, squares weighted with <paramref name="weights"/>, or with x² when there are none.</summary>
    public static float BestScale(ReadOnlySpan<float> x, ReadOnlySpan<float> weights = default)
    {
        float extreme = Rounding.Extreme(x);
        if (MathF.Abs(extreme) < ScaleSearch.Negligible)
            return 0;
        (float xl, float ll) = Correlate(x, weights, 1 / (-extreme / Values[0]));
        float scale = ll > 0 ? xl / ll : 0;
        float best = scale * xl;
        for (int trial = -Trials; trial <= Trials; trial++)
        {
            (xl, ll) = Correlate(x, weights, (trial + Values[0]) / extreme);
            if (ll > 0 && xl * xl > best * ll)
            {
                scale = xl / ll;
                best = scale * xl;
            }
        }

        return scale;
    }

    private static (float Xl, float Ll) Correlate(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float inverse)
    {
        float xl = 0, ll = 0;
        for (int i = 0; i < x.Length; i++)
        {
            float value = x[i], level = Values[Nearest(inverse * value)], weight = weights.IsEmpty ? value * value : weights[i];
            xl += weight * level * value;
            ll += weight * level * level;
        }

        return (xl, ll);
    }
}
