namespace Glimmer.Kernels.Formats;

/// <summary>Four-bit floats (E2M1) doubled, so that they are whole numbers; formats that use them halve their scales.</summary>
internal static class Fp4Levels
{
    /// <summary>Value of each code; code 8 is negative zero.</summary>
    public static ReadOnlySpan<sbyte> Values => [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

    /// <summary>The code whose value times <paramref name="scale"/> is nearest to <paramref name="x"/>; of equals the lowest.</summary>
    public static int Nearest(float x, float scale)
    {
        int best = 0;
        float least = MathF.Abs(x);
        for (int code = 1; code < 16; code++)
        {
            float error = MathF.Abs(Values[code] * scale - x);
            if (error < least)
                (best, least) = (code, error);
        }

        return best;
    }
}
