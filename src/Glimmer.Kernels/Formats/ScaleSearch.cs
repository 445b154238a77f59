namespace Glimmer.Kernels.Formats;

/// <summary>
/// Finds the scale (and minimum) with which a short run of numbers is best written in few levels. For given integer codes the
/// best scale is a weighted least-squares fit; the codes in turn follow from a scale. So each search tries scales around the one that
/// maps the extreme value to the last level, fits, and keeps what leaves the least error.
/// </summary>
internal static class ScaleSearch
{
    /// <summary>Runs whose largest magnitude is below this count as all zero.</summary>
    public const float Negligible = 1e-15f;

    /// <summary>
    /// x ≈ scale·code with codes −<paramref name="levels"/> … <paramref name="levels"/>−1; squares weighted with x².
    /// Tries <paramref name="steps"/> scales on either side, <paramref name="step"/> levels apart.
    /// </summary>
    public static float Symmetric(ReadOnlySpan<float> x, int levels, int steps, float step)
    {
        float extreme = Rounding.Extreme(x);
        if (MathF.Abs(extreme) < Negligible)
            return 0;
        (float xl, float ll) = Correlate(x, -levels / extreme, levels);
        float scale = ll == 0 ? 0 : xl / ll;
        float best = scale * xl; // the error is Σwx² − (Σwxl)²/Σwl²: the larger this, the better
        for (int i = -steps; i <= steps; i++)
        {
            if (i == 0)
                continue;
            (xl, ll) = Correlate(x, -(levels + step * i) / extreme, levels);
            if (ll > 0 && xl * xl > best * ll)
            {
                scale = xl / ll;
                best = scale * xl;
            }
        }

        return scale;
    }

    /// <summary>As <see cref="Symmetric"/>, but improves the codes one at a time instead of trying scales.</summary>
    public static float SymmetricByDescent(ReadOnlySpan<float> x, int levels, Span<sbyte> codes)
    {
        codes.Clear();
        float extreme = Rounding.Extreme(x);
        if (MathF.Abs(extreme) < Negligible)
            return 0;
        float inverse = -levels / extreme, xl = 0, ll = 0;
        for (int i = 0; i < x.Length; i++)
        {
            int code = Rounding.ToEven(inverse * x[i], -levels, levels - 1);
            codes[i] = (sbyte)code;
            float weight = x[i] * x[i];
            xl += weight * x[i] * code;
            ll += weight * code * code;
        }

        bool changed = true;
        for (int round = 0; round < 5 && changed; round++)
        {
            changed = false;
            for (int i = 0; i < x.Length; i++)
            {
                float weight = x[i] * x[i];
                float otherXl = xl - weight * x[i] * codes[i];
                if (otherXl <= 0)
                    continue;
                float otherLl = ll - weight * codes[i] * codes[i];
                int code = Rounding.ToEven(x[i] * otherLl / otherXl, -levels, levels - 1); // ideal for the scale that the others want
                if (code == codes[i])
                    continue;
                otherXl += weight * x[i] * code;
                otherLl += weight * code * code;
                if (otherLl > 0 && otherXl * otherXl * ll > xl * xl * otherLl)
                {
                    codes[i] = (sbyte)code;
                    (xl, ll, changed) = (otherXl, otherLl, true);
                }
            }
        }

        return ll > 0 ? xl / ll : 0;
    }

    /// <summary>
    /// x ≈ scale·code − offset with codes 0 … <paramref name="levels"/>, scale and offset not negative.
    /// Tries <paramref name="steps"/>+1 scales from <paramref name="first"/> levels on, <paramref name="step"/> levels apart.
    /// </summary>
    /// <param name="x">The numbers.</param>
    /// <param name="weights">How much each one matters.</param>
    /// <param name="levels">Largest code.</param>
    /// <param name="first">First deviation from <paramref name="levels"/> to try.</param>
    /// <param name="steps">Deviations to try after the first.</param>
    /// <param name="absolute">Judges by absolute instead of squared differences.</param>
    /// <param name="step">How far trials are apart.</param>
    public static (float Scale, float Offset) Affine(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, int levels, float first, int steps, bool absolute, float step = 0.1f)
    {
        (float minimum, float maximum) = Rounding.Range(x);
        minimum = Math.Min(minimum, 0);
        if (maximum == minimum)
            return (0, -minimum);
        float sumW = 0, sumX = 0;
        for (int i = 0; i < x.Length; i++)
        {
            sumW += weights[i];
            sumX += weights[i] * x[i];
        }

        float range = maximum - minimum, low = minimum;
        float scale = 1 / (levels / range);
        float bestError = Error(x, weights, levels, levels / range, low, scale, low, absolute);
        for (int trial = 0; trial <= steps; trial++)
        {
            // Least squares for both unknowns, the codes being those of this trial scale.
            float inverse = (first + step * trial + levels) / range, sumL = 0, sumLL = 0, sumXL = 0;
            for (int i = 0; i < x.Length; i++)
            {
                int code = Rounding.ToEven(inverse * (x[i] - minimum), 0, levels);
                float weight = weights[i];
                sumL += weight * code;
                sumLL += weight * code * code;
                sumXL += weight * code * x[i];
            }

            float determinant = sumW * sumLL - sumL * sumL;
            if (determinant <= 0)
                continue;
            float trialScale = (sumW * sumXL - sumX * sumL) / determinant, trialLow = (sumLL * sumX - sumL * sumXL) / determinant;
            if (trialLow > 0)
                (trialLow, trialScale) = (0, sumXL / sumLL);
            float error = Error(x, weights, levels, inverse, minimum, trialScale, trialLow, absolute);
            if (error < bestError)
            {
                (bestError, scale, low) = (error, trialScale, trialLow);

                // Later trials keep codes relative to the minimum found so far, as the format's reference does.
                minimum = trialLow;
                range = maximum - minimum;
            }
        }

        return (scale, -low);
    }

    private static float Error(ReadOnlySpan<float> x, ReadOnlySpan<float> weights, int levels, float inverse, float start, float scale, float low, bool absolute)
    {
        float error = 0;
        for (int i = 0; i < x.Length; i++)
        {
            float difference = scale * Rounding.ToEven(inverse * (x[i] - start), 0, levels) + low - x[i];
            error += weights[i] * (absolute ? MathF.Abs(difference) : difference * difference);
        }

        return error;
    }

    private static (float Xl, float Ll) Correlate(ReadOnlySpan<float> x, float inverse, int levels)
    {
        float xl = 0, ll = 0;
        foreach (float value in x)
        {
            int code = Rounding.ToEven(inverse * value, -levels, levels - 1);
            float weight = value * value;
            xl += weight * value * code;
            ll += weight * code * code;
        }

        return (xl, ll);
    }
}
