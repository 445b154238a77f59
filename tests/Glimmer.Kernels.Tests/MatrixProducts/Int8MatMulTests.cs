using Glimmer.Kernels.Formats;

namespace Glimmer.Kernels.Tests.MatrixProducts;

public unsafe class Int8MatMulTests
{
    public static TheoryData<BlockFormat> Formats => [BlockFormat.Q8_0, BlockFormat.Q4_0];

    /// <summary>The canonical result, spelt out from dequantised weights and without kernel code.</summary>
    private static float Canonical(ReadOnlySpan<float> x, ReadOnlySpan<byte> row, BlockFormat format)
    {
        int blockBytes = format == BlockFormat.Q8_0 ? 34 : 18;
        float result = 0;
        for (int block = 0; block < x.Length / 32; block++)
        {
            ReadOnlySpan<float> values = x.Slice(block * 32, 32);
            float largest = 0;
            foreach (float value in values)
                largest = Math.Max(largest, Math.Abs(value));
            ReadOnlySpan<byte> weights = row.Slice(block * blockBytes, blockBytes);
            int sum = 0;
            for (int c = 0; c < 32; c++)
            {
                int q = largest < 1e-30f ? 0 : (int)Math.Round((double)values[c] * (127 / largest), MidpointRounding.ToEven);
                int w = format == BlockFormat.Q8_0 ? (sbyte)weights[2 + c] : (c < 16 ? weights[2 + c] & 15 : weights[2 + c - 16] >> 4) - 8;
                sum += q * w;
            }

            float scale = (float)BitConverter.ToHalf(weights) * (largest < 1e-30f ? 0 : largest / 127);
            result = MathF.FusedMultiplyAdd(sum, scale, result);
        }

        return result;
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Every_size_batch_and_set_gives_the_canonical_result(BlockFormat format)
    {
        var random = new Random(21);
        using var team = new ThreadTeam(2);
        foreach (int columns in new[] { 32, 64, 160, 512 })
        {
            foreach (int rows in new[] { 1, 15, 16, 17, 33, 64, 100 })
            {
                WeightMatrix w = TestSets.Matrix(random, format, rows, columns).Pack();
                foreach (int count in new[] { 1, 2, 3, 4, 5, 9 })
                {
                    float[] x = TestSets.Normal(random, count * columns);
                    x.AsSpan(0, 32).Clear();
                    float[] expected = new float[count * rows];
                    for (int r = 0; r < rows; r++)
                    {
                        for (int i = 0; i < count; i++)
                            expected[i * rows + r] = Canonical(x.AsSpan(i * columns, columns), new ReadOnlySpan<byte>(w.Data + r * w.RowBytes, (int)w.RowBytes), format);
                    }

                    foreach (InstructionSet set in TestSets.Runnable)
                        TestSets.AssertSameBits(expected, Run(set, team, w, x, count), $"{set} {format} {rows}x{columns} x {count}");
                }
            }
        }
    }

    [Fact]
    public void Extreme_weights_do_not_saturate()
    {
        // Bytes of −128 and 127 against the largest activations: the sums that 16-bit arithmetic would cut off.
        byte[] bytes = GC.AllocateArray<byte>(34 * 16, pinned: true);
        for (int row = 0; row < 16; row++)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(34 * row), (Half)1);
            bytes.AsSpan(34 * row + 2, 32).Fill(row % 2 == 0 ? (byte)0x80 : (byte)0x7F);
        }

        float[] x = [.. Enumerable.Repeat(127f, 32), .. Enumerable.Repeat(-127f, 32)];
        using var team = new ThreadTeam(1);
        fixed (byte* data = bytes)
        {
            WeightMatrix w = new WeightMatrix(BlockFormat.Q8_0, 16, 32, data, bytes).Pack();
            foreach (InstructionSet set in TestSets.Runnable)
            {
                float[] y = Run(set, team, w, x, 2);
                for (int row = 0; row < 16; row++)
                {
                    Assert.Equal((row % 2 == 0 ? -128 : 127) * 127 * 32, y[row]);
                    Assert.Equal((row % 2 == 0 ? 128 : -127) * 127 * 32, y[16 + row]);
                }
            }
        }
    }

    public static TheoryData<BlockFormat> AllFormats => [.. Glimmer.Kernels.Integer.TileLayout.All.Select(layout => layout.Format)];

    [Theory]
    [MemberData(nameof(AllFormats))]
    public void Every_format_size_batch_and_set_gives_the_bits_of_the_scalar_twin(BlockFormat format)
    {
        var random = new Random(25);
        using var team = new ThreadTeam(2);
        int block = BlockCodecs.For(format).BlockLength;
        foreach (int columns in new[] { block, 3 * block })
        {
            foreach (int rows in new[] { 1, 17, 48 })
            {
                WeightMatrix w = TestSets.Matrix(random, format, rows, columns).Pack();
                foreach (int count in new[] { 1, 2, 5, 12, 13, 17 })
                {
                    float[] x = TestSets.Normal(random, count * columns), expected = Run(InstructionSet.Scalar, team, w, x, count);
                    foreach (InstructionSet set in TestSets.Vector)
                        TestSets.AssertSameBits(expected, Run(set, team, w, x, count), $"{set} {format} {rows}x{columns} x {count}");
                    for (int i = 0; i < count; i++)
                        TestSets.AssertSameBits(expected.AsSpan(i * rows, rows), Run(InstructionSets.Best, team, w, x[(i * columns)..((i + 1) * columns)], 1), $"{format} row {i} of {count} alone");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(AllFormats))]
    public void The_error_is_that_of_the_rounded_activations(BlockFormat format)
    {
        var random = new Random(22);
        using var team = new ThreadTeam(2);
        WeightMatrix w = TestSets.Matrix(random, format, 64, 1024).Pack();
        float[] x = TestSets.Normal(random, 3 * 1024), exact = new float[3 * 64], fast = new float[3 * 64];
        MatMul.Multiply(team, w, x, 3, exact);
        MatMul.Multiply(team, w, x, 3, fast, ActivationMode.Int8);
        double size = Math.Sqrt(exact.Average(v => (double)v * v)), error = Math.Sqrt(exact.Zip(fast).Average(p => Math.Pow(p.First - p.Second, 2)));

        // A number of a normal block of 32 is rounded by up to max / 254, of a block of 256 a little more: some 0.5 to 0.8 % of the typical number.
        Assert.InRange(error / size, 1e-4, 0.012);
    }

    [Fact]
    public void A_number_that_is_not_finite_shows_in_its_row_only()
    {
        var random = new Random(23);
        using var team = new ThreadTeam(1);
        WeightMatrix w = TestSets.Matrix(random, BlockFormat.Q8_0, 20, 64).Pack();
        float[] x = TestSets.Normal(random, 3 * 64);
        foreach (InstructionSet set in TestSets.Runnable)
        {
            foreach (float bad in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity })
            {
                float[] spoilt = [.. x];
                spoilt[64 + 40] = bad;
                float[] expected = Run(set, team, w, x, 3), y = Run(set, team, w, spoilt, 3);
                Assert.All(y[20..40], value => Assert.True(float.IsNaN(value)));
                Assert.Equal(expected[..20], y[..20]);
                Assert.Equal(expected[40..], y[40..]);
            }
        }
    }

    [Fact]
    public void Views_and_jobs_agree_with_single_calls()
    {
        var random = new Random(24);
        using var team = new ThreadTeam(3);
        WeightMatrix w = TestSets.Matrix(random, BlockFormat.Q8_0, 96, 128).Pack();
        WeightMatrix view = w.RowRange(32, 40), unaligned = w.RowRange(5, 20), plain = TestSets.Matrix(random, BlockFormat.F32, 24, 128);
        Assert.True(view.IsPacked);
        Assert.False(unaligned.IsPacked);
        float[] x = TestSets.Normal(random, 7 * 128), whole = new float[7 * 96], exact = new float[7 * 24];
        MatMul.Multiply(team, w, x, 7, whole, ActivationMode.Int8);
        MatMul.Multiply(team, plain, x, 7, exact);
        foreach (InstructionSet set in TestSets.Runnable)
        {
            float[] y0 = new float[7 * 96], y1 = new float[7 * 40], y2 = new float[7 * 24], y3 = new float[7 * 20];
            fixed (float* from = x, a = y0, b = y1, c = y2, d = y3)
            {
                MatMulJob[] jobs =
                [
                    new(w, from, 128, 7, a, 96) { Mode = ActivationMode.Int8 },
                    new(view, from, 128, 7, b, 40) { Mode = ActivationMode.Int8 },
                    new(plain, from, 128, 7, c, 24) { Mode = ActivationMode.Int8 },
                    new(unaligned.Pack(), from, 128, 7, d, 20) { Mode = ActivationMode.Int8 },
                ];
                MatMul.MultiplyAll(set, team, jobs, 4);
            }

            TestSets.AssertSameBits(whole, y0, $"{set} whole");
            TestSets.AssertSameBits(exact, y2, $"{set} not packed is exact");
            for (int i = 0; i < 7; i++)
            {
                TestSets.AssertSameBits(whole.AsSpan(i * 96 + 32, 40), y1.AsSpan(i * 40, 40), $"{set} view");
                TestSets.AssertSameBits(whole.AsSpan(i * 96 + 5, 20), y3.AsSpan(i * 20, 20), $"{set} packed view");
            }
        }

    }

    [Fact]
    public void A_matrix_that_gave_up_its_stored_form_is_multiplied_all_the_same()
    {
        var random = new Random(26);
        using var team = new ThreadTeam(1);
        WeightMatrix w = TestSets.Matrix(random, BlockFormat.Q4_K, 40, 512).Pack(), only = w.PackedOnly();
        float[] x = TestSets.Normal(random, 2 * 512);
        TestSets.AssertSameBits(Run(InstructionSets.Best, team, w, x, 2), Run(InstructionSets.Best, team, only, x, 2), "without the stored form");
        Assert.Throws<InvalidOperationException>(() => only.ReadRow(0, new float[512]));
        Assert.Throws<InvalidOperationException>(() => MatMul.Multiply(team, only, x, 2, new float[80]));
    }

    [Fact]
    public void Other_formats_cannot_be_packed()
    {
        WeightMatrix w = WeightMatrix.FromFloats(16, 32, new float[512]);
        Assert.False(w.CanPack);
        Assert.Throws<NotSupportedException>(w.Pack);
    }

    private static float[] Run(InstructionSet set, ThreadTeam team, WeightMatrix w, float[] x, int count)
    {
        float[] y = new float[count * w.Rows];
        fixed (float* from = x, to = y)
            MatMul.Multiply(set, team, new MatMulJob(w, from, w.Columns, count, to, w.Rows) { Mode = ActivationMode.Int8 });
        return y;
    }

    [Fact]
    public void A_copy_made_later_is_the_same_copy()
    {
        Random random = new(77);
        foreach (BlockFormat format in new[] { BlockFormat.Q4_K, BlockFormat.Q8_0 })
        {
            WeightMatrix matrix = TestSets.Matrix(random, format, 80, 512), now = matrix.Pack();
            int made = 0;
            WeightMatrix later = matrix.PackLater(() => Interlocked.Increment(ref made)), view = later.RowRange(32, 40), unaligned = later.RowRange(8, 16);
            float[] x = [.. Enumerable.Range(0, 3 * 512).Select(_ => random.NextSingle() - 0.5f)];
            float[] expected = new float[3 * 80], actual = new float[3 * 80], part = new float[3 * 40];
            using ThreadTeam team = new(2);

            Assert.Equal((true, true, false, 0), (later.IsPacked, view.IsPacked, unaligned.IsPacked, made));
            MatMul.Multiply(team, now, x, 3, expected, ActivationMode.Int8);
            Parallel.For(0, 8, _ => later.MakePacked());
            MatMul.Multiply(team, view, x, 3, part, ActivationMode.Int8);
            MatMul.Multiply(team, later, x, 3, actual, ActivationMode.Int8);

            Assert.Equal(1, made);
            Assert.Equal(expected, actual);
            for (int row = 0; row < 3; row++)
                Assert.Equal(expected.AsSpan(row * 80 + 32, 40).ToArray(), part.AsSpan(row * 40, 40).ToArray());
        }

        Assert.Throws<NotSupportedException>(() => TestSets.Matrix(random, BlockFormat.F16, 16, 32).PackLater());
    }
}
