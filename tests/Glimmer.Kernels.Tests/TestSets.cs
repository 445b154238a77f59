using Glimmer.Kernels.Formats;

namespace Glimmer.Kernels.Tests;

/// <summary>The instruction sets that this machine can compare, and random data.</summary>
internal static class TestSets
{
    /// <summary>The 128-bit form is portable, so it is compared everywhere and not only on Arm.</summary>
    public static IEnumerable<InstructionSet> Runnable =>
        Enum.GetValues<InstructionSet>().Where(set => set == InstructionSet.Neon || InstructionSets.IsSupported(set));

    /// <summary>The runnable ones beside the scalar twin.</summary>
    public static IEnumerable<InstructionSet> Vector => Runnable.Where(set => set != InstructionSet.Scalar);

    public static float[] Normal(Random random, int count)
    {
        float[] values = new float[count];
        for (int i = 0; i < count; i++)
            values[i] = (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        return values;
    }

    /// <summary>A random matrix in any format: random bytes with sane scales for Q8_0, quantised normal numbers otherwise.</summary>
    public static unsafe WeightMatrix Matrix(Random random, BlockFormat format, int rows, int columns)
    {
        BlockCodec codec = BlockCodecs.For(format);
        byte[] bytes = GC.AllocateUninitializedArray<byte>((int)codec.BytesFor((long)rows * columns), pinned: true);
        if (format == BlockFormat.Q8_0)
        {
            random.NextBytes(bytes);
            for (int at = 0; at < bytes.Length; at += 34)
                BitConverter.TryWriteBytes(bytes.AsSpan(at, 2), (Half)((random.NextDouble() - 0.3) * 0.02));
        }
        else
        {
            codec.Quantise(Normal(random, rows * columns), bytes);
        }

        fixed (byte* data = bytes)
            return new WeightMatrix(format, rows, columns, data, bytes);
    }

    /// <summary>Equal bits, where any NaN equals any NaN.</summary>
    public static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
        {
            bool same = BitConverter.SingleToInt32Bits(expected[i]) == BitConverter.SingleToInt32Bits(actual[i])
                || (float.IsNaN(expected[i]) && float.IsNaN(actual[i]));
            Assert.True(same, $"{what}: element {i} is {actual[i]:R}, expected {expected[i]:R}");
        }
    }
}
