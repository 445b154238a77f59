namespace Glimmer.Kernels.Tests.Rotary;

public class RotaryEmbeddingTests
{
    [Fact]
    public void Both_pairings_rotate_as_complex_numbers_on_every_set()
    {
        var random = new Random(1);
        foreach (int dimensions in new[] { 2, 8, 30, 32, 34, 64, 128 })
        {
            var rope = new RotaryEmbedding(dimensions, 10000);
            int half = dimensions / 2, stride = dimensions + 5;
            float[] cos = new float[half], sin = new float[half], row = TestSets.Normal(random, 3 * stride);
            rope.Fill(917, cos, sin);
            foreach (RotaryPairing pairing in Enum.GetValues<RotaryPairing>())
            {
                float[] expected = [.. row];
                for (int h = 0; h < 3; h++)
                {
                    for (int j = 0; j < half; j++)
                    {
                        double angle = 917 * Math.Pow(10000, -2.0 * j / dimensions);
                        int u = h * stride + (pairing == RotaryPairing.Interleaved ? 2 * j : j);
                        int v = pairing == RotaryPairing.Interleaved ? u + 1 : u + half;
                        expected[u] = (float)(row[u] * Math.Cos(angle) - row[v] * Math.Sin(angle));
                        expected[v] = (float)(row[v] * Math.Cos(angle) + row[u] * Math.Sin(angle));
                    }
                }

                float[] scalar = [.. row];
                RotaryEmbedding.RotateHeads(InstructionSet.Scalar, pairing, scalar, 3, stride, cos, sin);
                for (int i = 0; i < row.Length; i++)
                    Assert.Equal(expected[i], scalar[i], 5e-4f); // the angle is a single-precision number, as in the reference
                foreach (InstructionSet set in TestSets.Vector)
                {
                    float[] y = [.. row];
                    RotaryEmbedding.RotateHeads(set, pairing, y, 3, stride, cos, sin);
                    TestSets.AssertSameBits(scalar, y, $"{pairing} {set} {dimensions}");
                }
            }
        }
    }

    [Fact]
    public void Position_zero_changes_nothing_and_the_rest_of_the_head_stays()
    {
        var rope = new RotaryEmbedding(8, 1e6);
        float[] cos = new float[4], sin = new float[4], head = TestSets.Normal(new Random(2), 16), original = [.. head];
        rope.Fill(0, cos, sin);
        RotaryEmbedding.Rotate(RotaryPairing.HalfSplit, head, cos, sin);
        Assert.Equal(original, head);
        rope.Fill(5, cos, sin);
        RotaryEmbedding.Rotate(RotaryPairing.Interleaved, head, cos, sin);
        Assert.Equal(original[8..], head[8..]);
        Assert.NotEqual(original[..8], head[..8]);
    }

    [Fact]
    public void Three_equal_positions_are_one_position_and_sections_are_contiguous()
    {
        var rope = new RotaryEmbedding(32, 10000);
        float[] cos = new float[16], sin = new float[16], cos3 = new float[16], sin3 = new float[16], other = new float[16];
        rope.Fill(77, cos, sin);
        rope.Fill(77, 77, 77, 4, 6, cos3, sin3);
        Assert.Equal(cos, cos3);
        Assert.Equal(sin, sin3);
        rope.Fill(1, 77, 3, 4, 6, cos3, sin3);
        rope.Fill(1, other, sin);
        Assert.Equal(other[..4], cos3[..4]);
        Assert.Equal(cos[4..10], cos3[4..10]);
        rope.Fill(3, other, sin);
        Assert.Equal(other[10..], cos3[10..]);
    }

    [Fact]
    public void Yarn_keeps_fast_frequencies_divides_slow_ones_and_scales_the_table()
    {
        var plain = new RotaryEmbedding(64, 10000);
        var yarn = new RotaryEmbedding(64, 10000, new YarnScaling(4, 4096));
        Assert.Equal(plain.Frequencies[0], yarn.Frequencies[0], 1e-7f);
        Assert.Equal(plain.Frequencies[31] / 4, yarn.Frequencies[31], 1e-9f);
        Assert.InRange(yarn.Frequencies[16], plain.Frequencies[16] / 4, plain.Frequencies[16]);
        float[] cos = new float[32], sin = new float[32];
        yarn.Fill(0, cos, sin);
        Assert.All(cos, value => Assert.Equal(0.1f * MathF.Log(4) + 1, value, 1e-6f));
    }

    [Fact]
    public void Impossible_sizes_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new RotaryEmbedding(7, 10000));
        Assert.Throws<ArgumentException>(() => new RotaryEmbedding(0, 10000));
        Assert.Throws<ArgumentException>(() => new RotaryEmbedding(8, 0));
        Assert.Throws<ArgumentException>(() => new RotaryEmbedding(8, double.NaN));
        Assert.Throws<ArgumentException>(() => new RotaryEmbedding(8, 1e4, new YarnScaling(0, 10)));
        Assert.Throws<ArgumentException>(() => new RotaryEmbedding(8, 1e4).Fill(1, new float[3], new float[4]));
        Assert.Throws<ArgumentException>(() => RotaryEmbedding.Rotate(RotaryPairing.HalfSplit, new float[6], new float[4], new float[4]));
    }
}
