namespace Glimmer.Kernels.Formats;

/// <summary>
/// The searches of <see cref="ScaleSearch"/> for numbers of which some matter more than others, as an importance matrix says, and for the scales of
/// runs, which are themselves written in few levels. The order of trials is the formats' reference quantiser's.
/// </summary>
internal static class WeightedSearch
{
    /// <summary>weights = importance·√(sigma² + x²): what matters, and large numbers a little more.</summary>
    public static void Weights(ReadOnlySpan<float> x, ReadOnlySpan<float> importance, float sigmaSquared, Span<float> weights)
    {
        for (int i = 0; i < x.Length; i++)
            weights[i] = importance[i] * MathF.Sqrt(sigmaSquared + x[i] * x[i]);
    }

    /// <summary>Mean of the squares.</summary>
    public static float MeanSquare(ReadOnlySpan<float> x)
    {
        float squares = 0;
        foreach (float value in x)
            squares += value * value;
        return squares / x.Length;
    }

    /// <summary>Sum of the numbers.</summary>
    public static float Sum(ReadOnlySpan<float> x)
    {
        float sum = 0;
        foreach (float value in x)
            sum += value;
        return sum;
    }

    /// <summary>x ≈ scale·code with codes −<paramref name="levels"/> … <paramref name="levels"/>−1, which are given as well.</summary>
    public static float Symmetric(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, int levels, Span<sbyte> codes)
    {
        codes.Clear();
        float extreme = Rounding.Extreme(x);
        if (MathF.Abs(extreme) < ScaleSearch.Negligible)
            return 0;
        float chosen = -levels / extreme;
        (float xl, float ll) = Correlate(x, weights, chosen, levels);
        float scale = ll == 0 ? 0 : xl / ll, best = scale * xl;
        for (int i = -9; i <= 9; i++)
        {
            if (i == 0)
                continue;
            float inverse = -(levels + 0.1f * i) / extreme;
            (xl, ll) = Correlate(x, weights, inverse, levels);
            if (ll > 0 && xl * xl > best * ll)
            {
                (scale, chosen) = (xl / ll, inverse);
                best = scale * xl;
            }
        }

        for (int i = 0; i < x.Length; i++)
            codes[i] = (sbyte)Rounding.ToEven(chosen * x[i], -levels, levels - 1);
        return scale;
    }

    /// <summary>x ≈ scale·code with codes 0 … <paramref name="levels"/> for numbers that are not negative: the scales of runs. Codes improve one at a time after the search.</summary>
    public static float Positive(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, int levels, Span<byte> codes)
    {
        codes.Clear();
        float maximum = 0;
        foreach (float value in x)
            maximum = Math.Max(maximum, value);
        if (maximum < ScaleSearch.Negligible)
            return 0;
        float inverse = levels / maximum, least = Error(x, weights, levels, inverse, 1 / inverse);
        for (int i = -4; i <= 4; i++)
        {
            if (i == 0)
                continue;
            float trial = (0.1f * i + levels) / maximum, error = Error(x, weights, levels, trial, 1 / trial);
            if (error < least)
                (least, inverse) = (error, trial);
        }

        float xl = 0, ll = 0;
        for (int i = 0; i < x.Length; i++)
        {
            int code = Rounding.ToEven(inverse * x[i], 0, levels);
            codes[i] = (byte)code;
            xl += weights[i] * x[i] * code;
            ll += weights[i] * code * code;
        }

        bool changed = true;
        for (int round = 0; round < 5 && changed; round++)
        {
            changed = false;
            for (int i = 0; i < x.Length; i++)
            {
                float weight = weights[i], otherXl = xl - weight * x[i] * codes[i], otherLl = ll - weight * codes[i] * codes[i];
                if (otherXl <= 0 || otherLl <= 0)
                    continue;
                int code = Rounding.ToEven(x[i] * otherLl / otherXl, 0, levels);
                if (code == codes[i])
                    continue;
                otherXl += weight * x[i] * code;
                otherLl += weight * code * code;
                if (otherXl * otherXl * ll > xl * xl * otherLl)
                {
                    codes[i] = (byte)code;
                    (xl, ll, changed) = (otherXl, otherLl, true);
                }
            }
        }

        return ll > 0 ? xl / ll : 0;
    }

    private static float Error(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, int levels, float inverse, float scale)
    {
        float error = 0;
        for (int i = 0; i < x.Length; i++)
        {
            float difference = x[i] - scale * Rounding.ToEven(inverse * x[i], 0, levels);
            error += weights[i] * difference * difference;
        }

        return error;
    }

    private static (float Xl, float Ll) Correlate(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, float inverse, int levels)
    {
        float xl = 0, ll = 0;
        for (int i = 0; i < x.Length; i++)
        {
            int code = Rounding.ToEven(inverse * x[i], -levels, levels - 1);
            xl += weights[i] * x[i] * code;
            ll += weights[i] * code * code;
        }

        return (xl, ll);
    }
}
