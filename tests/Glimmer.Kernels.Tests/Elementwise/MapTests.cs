using Glimmer.Kernels.Elementwise;

namespace Glimmer.Kernels.Tests.Elementwise;

public class MapTests
{
    private static readonly int[] _lengths = [0, 1, 3, 7, 8, 15, 16, 17, 31, 32, 33, 47, 64, 100, 257];

    [Fact]
    public void Every_function_agrees_on_all_sets_at_all_lengths_and_offsets()
    {
        var random = new Random(1);
        foreach (int length in _lengths)
        {
            Check(random, new AddFunction(), length, (a, b) => (double)a + b);
            Check(random, new MultiplyFunction(), length, (a, b) => (double)a * b);
            Check(random, new ScaleFunction(-1.75f), length, (a, _) => -1.75 * a);
            Check(random, new AddScaledFunction(0.3f), length, (a, b) => 0.3f * (double)a + b);
            Check(random, new ExpFunction(), length, (a, _) => Math.Exp(a));
            Check(random, new SigmoidFunction(), length, (a, _) => 1 / (1 + Math.Exp(-a)));
            Check(random, new SiluFunction(), length, (a, _) => a / (1 + Math.Exp(-a)));
            Check(random, new SwiGluFunction(), length, (a, b) => a / (1 + Math.Exp(-a)) * b);
            Check(random, new ClampedSwiGluFunction(1.5f), length, (a, b) => Math.Min(a, 1.5) / (1 + Math.Exp(-Math.Min(a, 1.5))) * Math.Clamp(b, -1.5, 1.5));
        }
    }

    [Fact]
    public void Special_values_pass_through()
    {
        float[] gate = [float.NaN, float.PositiveInfinity, -200, 200, 0, -0f], up = [1, 2, 3, 4, float.NaN, 5], y = new float[6];
        Activations.SwiGlu(gate, up, y);
        Assert.True(float.IsNaN(y[0]));
        Assert.Equal(float.PositiveInfinity, y[1]);
        Assert.Equal(0, y[2]);
        Assert.Equal(800, y[3]);
        Assert.True(float.IsNaN(y[4]));
        Assert.Equal(0, y[5]);
        Activations.SwiGlu(gate, up, 10, y);
        Assert.True(float.IsNaN(y[0]));
        Assert.Equal(20, y[1], 1e-2f);
        Assert.True(float.IsNaN(y[4]));
    }

    [Fact]
    public void Results_may_overwrite_an_operand()
    {
        float[] x = TestSets.Normal(new Random(2), 37), expected = new float[37];
        Activations.Silu(x, expected);
        float[] copy = [.. x];
        Activations.Silu(copy, copy);
        Assert.Equal(expected, copy);
        float[] y = [.. x];
        VectorMath.AddScaled(x, 2, y);
        Assert.Equal(x.Select(v => MathF.FusedMultiplyAdd(v, 2, v)), y);
    }

    [Fact]
    public void Lengths_must_agree()
    {
        Assert.Throws<ArgumentException>(() => VectorMath.Add(new float[3], new float[4], new float[4]));
        Assert.Throws<ArgumentException>(() => VectorMath.Scale(new float[3], 1, new float[4]));
        Assert.Throws<ArgumentException>(() => VectorMath.Dot(new float[3], new float[4]));
        Assert.Throws<ArgumentException>(() => Activations.SwiGlu(new float[3], new float[3], new float[2]));
    }

    private static void Check<TFunction>(Random random, TFunction function, int length, Func<float, float, double> exact)
        where TFunction : struct, ILaneFunction
    {
        for (int offset = 0; offset < 2; offset++)
        {
            float[] a = TestSets.Normal(random, length + offset), b = TestSets.Normal(random, length + offset);
            Span<float> first = a.AsSpan(offset), second = b.AsSpan(offset);
            float[] expected = new float[length];
            Map.Apply(InstructionSet.Scalar, function, first, second, expected);
            for (int i = 0; i < length; i++)
                Assert.Equal(exact(first[i], second[i]), expected[i], 1e-6 * (1 + Math.Abs(expected[i])));
            foreach (InstructionSet set in TestSets.Vector)
            {
                float[] y = new float[length + 1];
                y[length] = 77;
                Map.Apply(set, function, first, second, y.AsSpan(0, length));
                TestSets.AssertSameBits(expected, y.AsSpan(0, length), $"{typeof(TFunction).Name} {set} {length}");
                Assert.Equal(77, y[length]);
            }
        }
    }
}
