namespace Glimmer.Kernels.Tests;

public class NormalisationTests
{
    private static readonly int[] _widths = [1, 2, 15, 16, 17, 31, 33, 64, 128, 130, 257];

    [Fact]
    public void Rms_norm_matches_the_definition_on_every_set()
    {
        var random = new Random(1);
        foreach (int width in _widths)
        {
            float[] x = TestSets.Normal(random, 3 * width), w = TestSets.Normal(random, width), expected = new float[3 * width];
            Normalisation.RmsNorm(InstructionSet.Scalar, x, w, 1e-5f, expected);
            for (int row = 0; row < 3; row++)
            {
                double square = x.Skip(row * width).Take(width).Sum(v => (double)v * v) / width;
                for (int i = 0; i < width; i++)
                    Assert.Equal(w[i] * (x[row * width + i] / Math.Sqrt(square + 1e-5)), expected[row * width + i], 5e-6);
            }

            foreach (InstructionSet set in TestSets.Vector)
            {
                float[] y = [.. x];
                Normalisation.RmsNorm(set, y, w, 1e-5f, y);
                TestSets.AssertSameBits(expected, y, $"{set} {width}");
                float[] alone = new float[width];
                Normalisation.RmsNorm(set, x.AsSpan(width, width), w, 1e-5f, alone);
                TestSets.AssertSameBits(expected.AsSpan(width, width), alone, $"{set} {width} alone");
            }
        }
    }

    [Fact]
    public void Layer_norm_matches_the_definition_on_every_set()
    {
        var random = new Random(2);
        foreach (int width in _widths.Where(width => width > 1))
        {
            float[] x = [.. TestSets.Normal(random, 2 * width).Select(v => v + 3)];
            float[] w = TestSets.Normal(random, width), b = TestSets.Normal(random, width), expected = new float[2 * width];
            Normalisation.LayerNorm(InstructionSet.Scalar, x, w, b, 1e-5f, expected);
            for (int row = 0; row < 2; row++)
            {
                double mean = x.Skip(row * width).Take(width).Average(v => (double)v);
                double variance = x.Skip(row * width).Take(width).Average(v => (v - mean) * (v - mean));
                for (int i = 0; i < width; i++)
                    Assert.Equal((x[row * width + i] - mean) / Math.Sqrt(variance + 1e-5) * w[i] + b[i], expected[row * width + i], 2e-5);
            }

            foreach (InstructionSet set in TestSets.Vector)
            {
                float[] y = [.. x];
                Normalisation.LayerNorm(set, y, w, b, 1e-5f, y);
                TestSets.AssertSameBits(expected, y, $"{set} {width}");
            }
        }
    }

    [Fact]
    public void A_row_of_zeros_stays_zero()
    {
        float[] y = new float[20];
        Normalisation.RmsNorm(new float[20], [.. Enumerable.Repeat(2f, 20)], 1e-5f, y);
        Assert.Equal(new float[20], y);
    }

    [Fact]
    public void Shapes_are_checked()
    {
        Assert.Throws<ArgumentException>(() => Normalisation.RmsNorm(new float[5], new float[2], 1e-5f, new float[5]));
        Assert.Throws<ArgumentException>(() => Normalisation.RmsNorm(new float[4], new float[2], 1e-5f, new float[6]));
        Assert.Throws<ArgumentException>(() => Normalisation.RmsNorm(new float[4], [], 1e-5f, new float[4]));
        Assert.Throws<ArgumentException>(() => Normalisation.LayerNorm(new float[4], new float[2], new float[3], 1e-5f, new float[4]));
    }
}
