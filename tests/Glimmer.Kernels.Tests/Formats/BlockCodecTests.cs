using System.Runtime.InteropServices;
using Glimmer.Kernels.Formats;

namespace Glimmer.Kernels.Tests.Formats;

public sealed class BlockCodecTests
{
    public static TheoryData<BlockFormat> Readable => [.. BlockCodecs.Readable];

    public static TheoryData<BlockFormat> Quantisable => [.. BlockCodecs.Quantisable];

    [Theory]
    [MemberData(nameof(Readable))]
    public void Any_bytes_can_be_dequantised_and_blocks_stand_alone(BlockFormat format)
    {
        BlockCodec codec = BlockCodecs.For(format);
        byte[] bytes = new byte[codec.BytesPerBlock * 50];
        new Random(7).NextBytes(bytes);
        float[] together = new float[codec.BlockLength * 50], alone = new float[codec.BlockLength];
        codec.Dequantise(bytes, together);
        for (int block = 0; block < 50; block++)
        {
            codec.Dequantise(bytes.AsSpan(block * codec.BytesPerBlock, codec.BytesPerBlock), alone);
            Assert.Equal(MemoryMarshal.AsBytes(alone.AsSpan()), MemoryMarshal.AsBytes(together.AsSpan(block * codec.BlockLength, codec.BlockLength)));
        }

        Assert.Equal(bytes.Length, codec.BytesFor(together.Length));
    }

    [Theory]
    [MemberData(nameof(Quantisable))]
    public void Quantising_keeps_normal_numbers_within_the_formats_precision(BlockFormat format)
    {
        BlockCodec codec = BlockCodecs.For(format);
        Random random = new(11);
        float[] x = [.. Enumerable.Range(0, 256 * 40).Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble())))];
        float[] y = RoundTrip(codec, x);
        double error = Math.Sqrt(x.Zip(y).Average(pair => Math.Pow(pair.First - pair.Second, 2)));

        // Bounds from the width of a step over the range that a block of such numbers has; a scheme that is off by one code exceeds them.
        double allowed = format switch
        {
            BlockFormat.F32 => 0,
            BlockFormat.F16 => 0.0003,
            BlockFormat.BF16 => 0.002,
            BlockFormat.Q8_0 => 0.006,
            BlockFormat.Q6_K => 0.025,
            BlockFormat.Q5_0 or BlockFormat.Q5_1 or BlockFormat.Q5_K => 0.05,
            BlockFormat.Q4_0 or BlockFormat.Q4_1 or BlockFormat.Q4_K or BlockFormat.IQ4_NL or BlockFormat.IQ4_XS => 0.1,
            BlockFormat.MXFP4 or BlockFormat.NVFP4 => 0.13,
            BlockFormat.Q3_K => 0.19,
            BlockFormat.Q2_K => 0.33,
            _ => 1.6, // ternary: the largest magnitude is the scale, so most numbers become 0
        };
        Assert.True(error <= allowed, $"{format}: {error}");
    }

    [Theory]
    [MemberData(nameof(Quantisable))]
    public void Quantising_is_defined_for_every_input(BlockFormat format)
    {
        BlockCodec codec = BlockCodecs.For(format);
        foreach (float value in new[] { 0f, -0f, float.Epsilon, -1e-40f, 1e-20f, 1f, -1f, 7e4f, 1e30f, float.MaxValue, float.MinValue, float.PositiveInfinity, float.NaN })
        {
            float[] alike = new float[256], one = new float[256];
            Array.Fill(alike, value);
            one[77] = value;
            RoundTrip(codec, alike);
            RoundTrip(codec, one);
        }

        Assert.All(RoundTrip(codec, new float[256]), value => Assert.Equal(0, value));
    }

    [Theory]
    [InlineData(BlockFormat.Q4_0)]
    [InlineData(BlockFormat.Q5_0)]
    [InlineData(BlockFormat.Q8_0)]
    [InlineData(BlockFormat.TQ1_0)]
    [InlineData(BlockFormat.TQ2_0)]
    [InlineData(BlockFormat.MXFP4)]
    public void What_a_format_can_say_exactly_survives(BlockFormat format)
    {
        BlockCodec codec = BlockCodecs.For(format);
        (int low, int high) = format switch
        {
            BlockFormat.Q4_0 => (-8, 7),
            BlockFormat.Q5_0 => (-16, 15),
            BlockFormat.Q8_0 => (-127, 127),
            BlockFormat.MXFP4 => (-4, 4),
            _ => (-1, 1),
        };
        Random random = new(3);
        float[] x = [.. Enumerable.Range(0, 256).Select(i => (i % 32 == 0 ? low : random.Next(low, high + 1)) * 0.25f)];
        Assert.Equal(x, RoundTrip(codec, x));
    }

    [Fact]
    public void The_two_ternary_formats_agree()
    {
        Random random = new(5);
        float[] x = [.. Enumerable.Range(0, 1024).Select(_ => random.NextSingle() * 2 - 1)];
        Assert.Equal(RoundTrip(BlockCodecs.For(BlockFormat.TQ1_0), x), RoundTrip(BlockCodecs.For(BlockFormat.TQ2_0), x));
    }

    [Fact]
    public void Eight_bit_floats_have_their_specified_values()
    {
        float[] e4m3 = All(BlockFormat.F8_E4M3), e5m2 = All(BlockFormat.F8_E5M2), e8m0 = All(BlockFormat.F8_E8M0);
        Assert.Equal(448, e4m3[0x7E]);
        Assert.Equal(-448, e4m3[0xFE]);
        Assert.True(float.IsNaN(e4m3[0x7F]) && float.IsNaN(e4m3[0xFF]));
        Assert.Equal(MathF.ScaleB(1, -9), e4m3[1]);
        Assert.Equal(MathF.ScaleB(1, -6), e4m3[8]);
        Assert.Equal(1, e4m3[0x38]);
        Assert.True(float.IsNegative(e4m3[0x80]));
        Assert.Equal(57344, e5m2[0x7B]);
        Assert.Equal(float.PositiveInfinity, e5m2[0x7C]);
        Assert.Equal(1, e8m0[127]);
        Assert.Equal(MathF.ScaleB(1, -127), e8m0[0]);
        Assert.True(float.IsNaN(e8m0[255]));
    }

    [Fact]
    public void A_format_that_is_only_read_says_what_can_be_written()
    {
        string message = Assert.Throws<NotSupportedException>(() => BlockCodecs.For(BlockFormat.IQ2_XS).Quantise(new float[256], new byte[74])).Message;
        Assert.Contains("IQ2_XS", message, StringComparison.Ordinal);
        Assert.Contains("Q4_K", message, StringComparison.Ordinal);
    }

    private static float[] All(BlockFormat format)
    {
        float[] values = new float[256];
        BlockCodecs.For(format).Dequantise([.. Enumerable.Range(0, 256).Select(i => (byte)i)], values);
        return values;
    }

    private static float[] RoundTrip(BlockCodec codec, float[] x)
    {
        byte[] packed = new byte[codec.BytesFor(x.Length)];
        float[] y = new float[x.Length];
        codec.Quantise(x, packed);
        codec.Dequantise(packed, y);
        return y;
    }
}
