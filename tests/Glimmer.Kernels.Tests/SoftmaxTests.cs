namespace Glimmer.Kernels.Tests;

public class SoftmaxTests
{
    [Fact]
    public void Rows_of_all_lengths_match_the_definition_and_each_other()
    {
        var random = new Random(1);
        foreach (int length in new[] { 1, 2, 15, 16, 17, 31, 32, 33, 63, 64, 65, 200, 1000 })
        {
            float[] x = [.. TestSets.Normal(random, length).Select(v => v * 8)];
            if (length > 20)
                x[3] = float.NegativeInfinity;
            double max = x.Max(), total = x.Sum(v => Math.Exp(v - max));
            float[] expected = new float[length];
            Softmax.Apply(InstructionSet.Scalar, x, expected);
            for (int i = 0; i < length; i++)
                Assert.Equal(Math.Exp(x[i] - max) / total, expected[i], 1e-6);
            foreach (InstructionSet set in TestSets.Vector)
            {
                float[] y = [.. x];
                Softmax.Apply(set, y, y);
                TestSets.AssertSameBits(expected, y, $"{set} {length}");
            }
        }
    }

    [Fact]
    public void Extremes()
    {
        float[] y = new float[3];
        Softmax.Apply([1e30f, -1e30f, 1e30f], y);
        Assert.Equal([0.5f, 0, 0.5f], y);
        Softmax.Apply([float.NegativeInfinity, 2, float.NegativeInfinity], y);
        Assert.Equal([0, 1, 0], y);
        Softmax.Apply([float.NegativeInfinity, float.NegativeInfinity, float.NegativeInfinity], y);
        Assert.All(y, value => Assert.True(float.IsNaN(value)));
        Softmax.Apply([0, float.NaN, 1], y);
        Assert.All(y, value => Assert.True(float.IsNaN(value)));
        Softmax.Apply([], []);
        Assert.Throws<ArgumentException>(() => Softmax.Apply(new float[2], new float[3]));
    }
}
