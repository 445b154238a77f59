namespace Glimmer.Kernels.Formats;

/// <summary>What the IQ formats share: the spelling of their codebooks and of their signs.</summary>
internal static class CodebookGrid
{
    /// <summary>
    /// Spells out codebook points: <paramref name="length"/> coordinates for each number, its digits in base <c>values.Length</c>, lowest first.
    /// </summary>
    public static sbyte[] Expand(int length, ReadOnlySpan<sbyte> values, ReadOnlySpan<ushort> points)
    {
        sbyte[] grid = new sbyte[points.Length * length];
        for (int i = 0; i < points.Length; i++)
        {
            int digits = points[i];
            for (int j = 0; j < length; j++)
            {
                grid[i * length + j] = values[digits % values.Length];
                digits /= values.Length;
            }
        }

        return grid;
    }

    /// <summary>Seven stored sign bits and an eighth that makes the number of negative signs even.</summary>
    public static int EvenSigns(uint bits)
    {
        bits &= 127;
        return (int)(bits | ((uint)(System.Numerics.BitOperations.PopCount(bits) & 1) << 7));
    }

    /// <summary>Writes scale · point with the signs of <paramref name="signs"/> (bit j set: coordinate j is negative).</summary>
    public static void Write(Span<float> target, ReadOnlySpan<sbyte> point, float scale, int signs)
    {
        for (int j = 0; j < point.Length; j++)
        {
            float value = scale * point[j];
            target[j] = ((signs >> j) & 1) != 0 ? -value : value;
        }
    }
}
