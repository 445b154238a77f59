using System.Runtime.Intrinsics;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Tests.Lanes;

/// <summary>Every form of lanes against the scalar one, operation by operation, on ordinary and special numbers.</summary>
public unsafe class LanesTests
{
    private static readonly float[] _special =
    [
        0f, -0f, 1f, -1f, float.Epsilon, -float.Epsilon, 1.1754944e-38f, -1.1754942e-38f, float.MaxValue, float.MinValue,
        float.PositiveInfinity, float.NegativeInfinity, float.NaN, 0.1f, 16777216f, -1.5f,
    ];

    [Fact]
    public void Arithmetic_agrees_with_the_scalar_form()
    {
        var random = new Random(1);
        for (int round = 0; round < 300; round++)
        {
            float[] numbers = Mixed(random, 48);
            var scalar = new Operations(numbers);
            scalar.Run<ScalarLanes>();
            foreach (InstructionSet set in TestSets.Vector)
            {
                var vector = new Operations(numbers);
                LaneDispatch.Run(set, ref vector);
                TestSets.AssertSameBits(scalar.Results, vector.Results, set.ToString());
            }
        }
    }

    [Fact]
    public void The_scalar_form_means_what_it_says()
    {
        float[] numbers = [.. Enumerable.Range(0, 48).Select(i => i * 0.37f - 5)];
        var scalar = new Operations(numbers);
        scalar.Run<ScalarLanes>();
        for (int i = 0; i < 16; i++)
        {
            float a = numbers[i], b = numbers[i + 16], c = numbers[i + 32];
            Assert.Equal(a + b, scalar.Results[i]);
            Assert.Equal(a - b, scalar.Results[16 + i]);
            Assert.Equal(a * b, scalar.Results[32 + i]);
            Assert.Equal(a / b, scalar.Results[48 + i]);
            Assert.Equal(MathF.FusedMultiplyAdd(a, b, c), scalar.Results[64 + i]);
            Assert.Equal(a < b ? c : a, scalar.Results[80 + i]);
            Assert.Equal(MathF.Abs(a), scalar.Results[96 + i]);
        }

        Assert.Equal(numbers.Take(16).Max(), scalar.Results[Operations.Scalars]);
        Assert.Equal(numbers.Take(16).Sum(), scalar.Results[Operations.Scalars + 1], 1e-4f);
    }

    [Fact]
    public void All_halves_and_bfloat16_numbers_widen_exactly()
    {
        ushort* bits = stackalloc ushort[16];
        float* values = stackalloc float[16];
        for (int first = 0; first < 65536; first += 16)
        {
            for (int i = 0; i < 16; i++)
                bits[i] = (ushort)(first + i);
            foreach (InstructionSet set in TestSets.Runnable)
            {
                var kernel = new Widening(bits, values, half: true);
                LaneDispatch.Run(set, ref kernel);
                for (int i = 0; i < 16; i++)
                    AssertNumber((float)BitConverter.UInt16BitsToHalf(bits[i]), values[i], set, bits[i]);
                kernel = new Widening(bits, values, half: false);
                LaneDispatch.Run(set, ref kernel);
                for (int i = 0; i < 16; i++)
                    AssertNumber(BitConverter.Int32BitsToSingle(bits[i] << 16), values[i], set, bits[i]);
            }
        }
    }

    [Fact]
    public void Partial_loads_and_stores_touch_nothing_beyond_their_end()
    {
        foreach (InstructionSet set in TestSets.Runnable)
        {
            for (int count = 0; count <= 16; count++)
            {
                // The guard: an array of exactly this length. Reading beyond would show as a number that is not 0.
                float[] source = [.. Enumerable.Range(1, 16).Select(i => (float)i)];
                float[] target = [.. Enumerable.Repeat(-7f, 17)];
                float[] all = new float[16];
                fixed (float* from = source, to = target, whole = all)
                {
                    var kernel = new Partial(from, to, whole, count);
                    LaneDispatch.Run(set, ref kernel);
                }

                for (int i = 0; i < 16; i++)
                {
                    Assert.Equal(i < count ? i + 1 : 0, all[i]);
                    Assert.Equal(i < count ? i + 1 : -7, target[i]);
                }

                Assert.Equal(-7, target[16]);
            }
        }
    }

    [Fact]
    public void Four_sums_at_once_equal_single_sums()
    {
        var random = new Random(2);
        for (int round = 0; round < 200; round++)
        {
            Vector128<float> a = Vector128.Create(TestSets.Normal(random, 4)), b = Vector128.Create(TestSets.Normal(random, 4));
            Vector128<float> c = Vector128.Create(TestSets.Normal(random, 4)), d = Vector128.Create(TestSets.Normal(random, 4));
            Vector128<float> sums = Folding.Sum4(a, b, c, d);
            Assert.Equal(Folding.Sum(a), sums[0]);
            Assert.Equal(Folding.Sum(b), sums[1]);
            Assert.Equal(Folding.Sum(c), sums[2]);
            Assert.Equal(Folding.Sum(d), sums[3]);
        }
    }

    private static void AssertNumber(float expected, float actual, InstructionSet set, int bits) =>
        Assert.True(expected.Equals(actual) && float.IsNegative(expected) == float.IsNegative(actual), $"{set}: {bits:X4} gives {actual:R}, expected {expected:R}");

    private static float[] Mixed(Random random, int count)
    {
        float[] values = TestSets.Normal(random, count);
        for (int i = 0; i < count; i++)
        {
            int kind = random.Next(4);
            if (kind == 0)
                values[i] = _special[random.Next(_special.Length)];
            else if (kind == 1)
                values[i] = BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue));
        }

        return values;
    }

    private struct Operations(float[] numbers) : ILaneKernel
    {
        public const int Scalars = 144;

        public float[] Results { get; } = new float[Scalars + 2];

        public readonly void Run<V>()
            where V : struct, ILanes<V>
        {
            fixed (float* source = numbers, target = Results)
            {
                V a = V.Load(source), b = V.Load(source + 16), c = V.Load(source + 32);
                V.Store(a + b, target);
                V.Store(a - b, target + 16);
                V.Store(a * b, target + 32);
                V.Store(a / b, target + 48);
                V.Store(V.Fma(a, b, c), target + 64);
                V.Store(V.SelectLess(a, b, c, a), target + 80);
                V.Store(V.Abs(a), target + 96);
                V.Store(V.ShiftBitsLeft(a, 3), target + 112);
                V.Store(V.AddBits(a, b), target + 128);
                target[Scalars] = V.Largest(a);
                target[Scalars + 1] = Folding.Sum(a);
            }
        }
    }

    private readonly struct Widening(ushort* bits, float* values, bool half) : ILaneKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V> => V.Store(half ? V.LoadHalf(bits) : V.LoadBFloat16(bits), values);
    }

    private readonly struct Partial(float* from, float* to, float* whole, int count) : ILaneKernel
    {
        public void Run<V>()
            where V : struct, ILanes<V>
        {
            V value = V.LoadFirst(from, count);
            V.Store(value, whole);
            V.StoreFirst(value, to, count);
        }
    }
}
