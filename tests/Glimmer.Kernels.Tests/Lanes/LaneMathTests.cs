using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Tests.Lanes;

public unsafe class LaneMathTests
{
    private enum Function
    {
        Exp,
        Sigmoid,
        Silu,
    }

    [Fact]
    public void Exp_is_within_one_ulp()
    {
        double worst = 0;
        foreach (float[] block in Sweep(-103.9f, 88.72f, 400_000))
        {
            float[] y = Apply(InstructionSets.Best, Function.Exp, block);
            for (int i = 0; i < 16; i++)
                worst = Math.Max(worst, Ulps(y[i], Math.Exp(block[i])));
        }

        Assert.InRange(worst, 0, 1.0);
    }

    [Fact]
    public void Sigmoid_is_within_three_ulp()
    {
        double worst = 0;
        foreach (float[] block in Sweep(-86f, 40f, 200_000))
        {
            float[] y = Apply(InstructionSets.Best, Function.Sigmoid, block);
            for (int i = 0; i < 16; i++)
                worst = Math.Max(worst, Ulps(y[i], 1 / (1 + Math.Exp(-(double)block[i]))));
        }

        Assert.InRange(worst, 0, 3.0);
    }

    [Fact]
    public void Special_values_are_those_of_the_mathematics()
    {
        float[] x = [0, -0f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 1000, -1000, 89, -104, -103, 88.7f, float.Epsilon, -float.Epsilon, float.MaxValue, float.MinValue, 1];
        foreach (InstructionSet set in TestSets.Runnable)
        {
            float[] y = Apply(set, Function.Exp, x);
            Assert.Equal([1, 1, float.PositiveInfinity, 0, float.NaN, float.PositiveInfinity, 0, float.PositiveInfinity, 0], y[..9]);
            Assert.Equal(float.Epsilon, y[9]); // e^-103 = 1.9e-45 rounds to the smallest subnormal
            Assert.Equal([1, 1, float.PositiveInfinity, 0], y[11..15]);
            float[] s = Apply(set, Function.Sigmoid, x);
            Assert.Equal([0.5f, 0.5f, 1, 0, float.NaN, 1, 0, 1], s[..8]);
        }
    }

    [Fact]
    public void All_forms_agree_bit_for_bit()
    {
        var random = new Random(3);
        for (int round = 0; round < 3000; round++)
        {
            float[] x = TestSets.Normal(random, 16);
            for (int i = 0; i < 16; i++)
                x[i] = round % 3 == 0 ? BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)) : x[i] * 40;
            foreach (Function function in Enum.GetValues<Function>())
            {
                float[] expected = Apply(InstructionSet.Scalar, function, x);
                foreach (InstructionSet set in TestSets.Vector)
                    TestSets.AssertSameBits(expected, Apply(set, function, x), $"{function} {set}");
            }
        }
    }

    private static IEnumerable<float[]> Sweep(float low, float high, int count)
    {
        float[] block = new float[16];
        for (int i = 0; i < count; i += 16)
        {
            for (int j = 0; j < 16; j++)
                block[j] = (float)(low + ((double)high - low) * (i + j) / count);
            yield return block;
        }
    }

    /// <summary>Distance in units of the last place of the float nearest to the exact value.</summary>
    private static double Ulps(float actual, double exact)
    {
        float nearest = (float)exact;
        double ulp = Math.Max((double)MathF.BitIncrement(nearest) - nearest, float.Epsilon);
        return Math.Abs(actual - exact) / ulp;
    }

    private static float[] Apply(InstructionSet set, Function function, float[] x)
    {
        float[] y = new float[16];
        fixed (float* from = x, to = y)
        {
            var kernel = new Call(function, from, to);
            LaneDispatch.Run(set, ref kernel);
        }

        return y;
    }

    private readonly struct Call(Function function, float* from, float* to) : ILaneKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            V x = V.Load(from);
            V.Store(function switch { Function.Exp => LaneMath.Exp(x), Function.Sigmoid => LaneMath.Sigmoid(x), _ => LaneMath.Silu(x) }, to);
        }
    }
}
