namespace Glimmer.Kernels.Tests.Attention;

public unsafe class KvRowFormatsTests
{
    [Fact]
    public void Every_finite_half_is_read_and_written_back_by_every_set()
    {
        ushort[] halves = [.. Enumerable.Range(0, 65536).Select(bits => (ushort)bits).Where(bits => Half.IsFinite(BitConverter.UInt16BitsToHalf(bits)))];
        float[] expected = [.. halves.Select(bits => (float)BitConverter.UInt16BitsToHalf(bits))];
        foreach (InstructionSet set in TestSets.Runnable)
        {
            float[] floats = new float[halves.Length];
            ushort[] back = new ushort[halves.Length];
            fixed (ushort* source = halves, target = back)
            fixed (float* values = floats)
            {
                KvRowFormats.Read(set, KvFormat.F16, source, values, halves.Length);
                KvRowFormats.Write(set, KvFormat.F16, values, target, halves.Length);
            }

            TestSets.AssertSameBits(expected, floats, set.ToString());
            Assert.Equal(halves, back);
        }
    }

    [Fact]
    public void Floats_round_to_the_nearest_half_and_no_further_than_the_largest()
    {
        var random = new Random(1);
        float[] values = [0, -0f, 65504, 65519, 65520, 1e30f, float.PositiveInfinity, float.NegativeInfinity, float.NaN, 5.9604645e-8f, 2.9802322e-8f, 2.98023242e-8f, 6.1035156e-5f, 6.1e-5f, 1.00048828f, 1.00146484f,
            .. Enumerable.Range(0, 20_000).Select(_ => BitConverter.Int32BitsToSingle(random.Next(int.MinValue, int.MaxValue)))];
        foreach (InstructionSet set in TestSets.Runnable)
        {
            ushort[] halves = new ushort[values.Length];
            fixed (float* source = values)
            fixed (ushort* target = halves)
                KvRowFormats.Write(set, KvFormat.F16, source, target, values.Length);
            for (int i = 0; i < values.Length; i++)
            {
                Half expected = (Half)values[i];
                if (!Half.IsFinite(expected))
                    expected = float.IsNegative(values[i]) ? Half.MinValue : Half.MaxValue;
                Assert.Equal(BitConverter.HalfToUInt16Bits(expected), halves[i]);
            }
        }
    }

    [Fact]
    public void Blocks_hold_numbers_to_half_a_step_and_every_set_writes_the_same_bytes()
    {
        float[] values = TestSets.Normal(new Random(2), 64 * 32);
        values.AsSpan(0, 32).Clear();
        for (int i = 32; i < 64; i++)
            values[i] *= 1e-4f; // a scale below the normal halves
        byte[]? first = null;
        foreach (InstructionSet set in TestSets.Runnable)
        {
            byte[] bytes = new byte[KvFormat.Q8_0.BytesFor(values.Length)];
            float[] read = new float[values.Length];
            fixed (float* source = values, back = read)
            fixed (byte* row = bytes)
            {
                KvRowFormats.Write(set, KvFormat.Q8_0, source, row, values.Length);
                KvRowFormats.Read(set, KvFormat.Q8_0, row, back, values.Length);
            }

            first ??= bytes;
            Assert.Equal(first, bytes);
            for (int block = 0; block < values.Length; block += 32)
            {
                double largest = values.AsSpan(block, 32).ToArray().Max(Math.Abs);
                for (int i = block; i < block + 32; i++)
                    Assert.Equal(values[i], read[i], largest / 127 * 0.57 + 4e-6); // half a step, and what the scale lost
            }
        }
    }

    [Fact]
    public void Heads_that_do_not_fill_blocks_fall_back_to_halves()
    {
        Assert.Equal(KvFormat.F16, KvFormat.Q8_0.For(40));
        Assert.Equal(KvFormat.Q8_0, KvFormat.Q8_0.For(64));
        Assert.Equal(KvFormat.F32, KvFormat.F32.For(40));
        Assert.Equal(68, KvFormat.Q8_0.BytesFor(64));
        Assert.Throws<ArgumentException>(() => KvFormat.Q8_0.BytesFor(40));
    }
}
