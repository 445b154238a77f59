using Glimmer.Kernels.Formats;
using Glimmer.Testing;

namespace Glimmer.Kernels.Tests.MatrixProducts;

public unsafe class MatMulTests
{
    private static readonly BlockFormat[] _formats = [BlockFormat.F32, BlockFormat.F16, BlockFormat.BF16, BlockFormat.Q8_0, BlockFormat.Q4_0, BlockFormat.Q4_K, BlockFormat.Q5_K, BlockFormat.Q6_K];

    public static TheoryData<BlockFormat> Formats => [.. _formats];

    /// <summary>The canonical order, spelt out without any kernel code.</summary>
    private static float CanonicalDot(ReadOnlySpan<float> x, ReadOnlySpan<float> w)
    {
        Span<float> lane = stackalloc float[16];
        for (int c = 0; c < x.Length; c++)
            lane[c % 16] = MathF.FusedMultiplyAdd(x[c], w[c], lane[c % 16]);
        for (int half = 8; half > 0; half /= 2)
        {
            for (int j = 0; j < half; j++)
                lane[j] += lane[j + half];
        }

        return lane[0];
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Every_size_batch_and_set_gives_the_canonical_sum(BlockFormat format)
    {
        var random = new Random(7);
        using var team = new ThreadTeam(2);
        int block = BlockCodecs.For(format).BlockLength;
        foreach (int wanted in new[] { 1, 7, 15, 16, 17, 31, 32, 33, 48, 63, 96, 130, 257 })
        {
            int columns = (wanted + block - 1) / block * block;
            foreach (int rows in new[] { 1, 2, 3, 4, 5, 8, 33, 70 })
            {
                WeightMatrix w = TestSets.Matrix(random, format, rows, columns);
                float[] row = new float[columns];
                foreach (int count in new[] { 1, 2, 3, 4, 5, 6, 7, 9 })
                {
                    float[] x = TestSets.Normal(random, count * columns);
                    float[] expected = new float[count * rows];
                    for (int r = 0; r < rows; r++)
                    {
                        w.ReadRow(r, row);
                        for (int i = 0; i < count; i++)
                            expected[i * rows + r] = CanonicalDot(x.AsSpan(i * columns, columns), row);
                    }

                    foreach (InstructionSet set in TestSets.Runnable)
                        TestSets.AssertSameBits(expected, Run(set, team, w, x, count), $"{set} {format} {rows}x{columns} x {count}");
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Thread_count_and_batch_do_not_change_a_bit(BlockFormat format)
    {
        var random = new Random(8);
        const int Rows = 515, Columns = 512, Count = 11;
        WeightMatrix w = TestSets.Matrix(random, format, Rows, Columns);
        float[] x = TestSets.Normal(random, Count * Columns);
        using var one = new ThreadTeam(1);
        float[] expected = Run(InstructionSets.Best, one, w, x, Count);
        foreach (int threads in new[] { 2, 3, 5 })
        {
            using var team = new ThreadTeam(threads);
            TestSets.AssertSameBits(expected, Run(InstructionSets.Best, team, w, x, Count), $"{threads} threads");
            for (int i = 0; i < Count; i++)
            {
                float[] alone = Run(InstructionSets.Best, team, w, x[(i * Columns)..((i + 1) * Columns)], 1);
                TestSets.AssertSameBits(expected.AsSpan(i * Rows, Rows), alone, $"row {i} alone");
            }
        }
    }

    [Fact]
    public void The_sum_is_accurate_for_long_rows()
    {
        var random = new Random(9);
        using var team = new ThreadTeam(1);
        const int Columns = 13696;
        WeightMatrix w = TestSets.Matrix(random, BlockFormat.F32, 8, Columns);
        float[] x = TestSets.Normal(random, Columns), row = new float[Columns];
        float[] y = new float[8];
        MatMul.Multiply(team, w, x, 1, y);
        for (int r = 0; r < 8; r++)
        {
            w.ReadRow(r, row);
            double exact = 0, size = 0;
            for (int c = 0; c < Columns; c++)
            {
                exact += (double)x[c] * row[c];
                size += Math.Abs((double)x[c] * row[c]);
            }

            Assert.InRange(Math.Abs(y[r] - exact), 0, size * 2e-7);
        }
    }

    [Fact]
    public void Jobs_run_together_give_what_they_give_alone()
    {
        var random = new Random(10);
        using var team = new ThreadTeam(3);
        int[] counts = [0, 1, 5, 0, 2, 40, 1, 0];
        var weights = new WeightMatrix[counts.Length];
        var jobs = new MatMulJob[counts.Length + 2];
        float[][] x = new float[counts.Length][], expected = new float[counts.Length][], y = new float[counts.Length][];
        for (int j = 0; j < counts.Length; j++)
        {
            weights[j] = TestSets.Matrix(random, _formats[j % _formats.Length], 96 + 33 * j, 256);
            x[j] = TestSets.Normal(random, Math.Max(1, counts[j] * 258));
            y[j] = GC.AllocateArray<float>(Math.Max(1, counts[j] * (weights[j].Rows + 3)), pinned: true);
            expected[j] = new float[y[j].Length];
            float[] pinned = GC.AllocateArray<float>(x[j].Length, pinned: true);
            x[j].CopyTo(pinned, 0);
            x[j] = pinned;
            fixed (float* from = x[j], to = y[j])
                jobs[j] = new MatMulJob(weights[j], from, 258, counts[j], to, weights[j].Rows + 3);
            for (int i = 0; i < counts[j]; i++)
                MatMul.Multiply(team, weights[j], x[j].AsSpan(i * 258, 256), 1, expected[j].AsSpan(i * (weights[j].Rows + 3), weights[j].Rows));
        }

        foreach (InstructionSet set in TestSets.Runnable)
        {
            Array.ForEach(y, results => Array.Clear(results));
            MatMul.MultiplyAll(set, team, jobs, counts.Length);
            for (int j = 0; j < counts.Length; j++)
                TestSets.AssertSameBits(expected[j], y[j], $"{set} job {j}");
        }

        // The jobs hold addresses alone: pinned arrays don't move, but they are collected.
        GC.KeepAlive(x);
    }

    [Fact]
    public void Steady_use_allocates_nothing()
    {
        var random = new Random(11);
        using var team = new ThreadTeam(2);
        WeightMatrix w = TestSets.Matrix(random, BlockFormat.Q8_0, 256, 512);
        float[] x = TestSets.Normal(random, 8 * 512), y = new float[8 * 256];
        for (int warm = 0; warm < 50; warm++)
        {
            MatMul.Multiply(team, w, x, 8, y);
            MatMul.Multiply(team, w, x, 1, y);
        }

        Assert.Equal(0, Allocation.Least(() =>
        {
            for (int i = 0; i < 100; i++)
            {
                MatMul.Multiply(team, w, x, 8, y);
                MatMul.Multiply(team, w, x, 1, y);
            }
        }));
    }

    [Fact]
    public void Infinite_and_missing_numbers_stay_in_their_row()
    {
        using var team = new ThreadTeam(1);
        float[] w = [1, 2, 3, 4], x = [float.PositiveInfinity, 1, float.NaN, 1, 2, 3];
        float[] y = new float[6];
        MatMul.Multiply(team, WeightMatrix.FromFloats(2, 2, w), x, 3, y);
        Assert.Equal([float.PositiveInfinity, float.PositiveInfinity, float.NaN, float.NaN, 8, 18], y);
    }

    [Fact]
    public void Computed_rows_give_the_bits_of_stored_ones_and_ranges_shift()
    {
        var random = new Random(3);
        using var team = new ThreadTeam(2);
        foreach ((int rows, int columns) in new[] { (1, 5), (9, 33), (70, 130) })
        {
            WeightMatrix stored = TestSets.Matrix(random, BlockFormat.F32, rows, columns), computed = new(new Copied(stored));
            Assert.True(computed.IsComputed);
            Assert.False(computed.CanPack);
            int start = rows / 3, some = rows - start;
            foreach (int count in new[] { 1, 2, 7 })
            {
                float[] x = TestSets.Normal(random, count * columns);
                foreach (InstructionSet set in TestSets.Runnable)
                {
                    TestSets.AssertSameBits(Run(set, team, stored, x, count), Run(set, team, computed, x, count), $"{set} {rows}x{columns} x {count}");
                    TestSets.AssertSameBits(Run(set, team, stored.RowRange(start, some), x, count), Run(set, team, computed.RowRange(0, rows).RowRange(start, some), x, count), $"{set} range");
                }
            }

            float[] row = new float[columns], other = new float[columns];
            stored.ReadRow(rows - 1, row);
            computed.RowRange(start, some).ReadRow(some - 1, other);
            Assert.Equal(row, other);
        }
    }

    private sealed class Copied(WeightMatrix source) : RowSource
    {
        public override int Rows => source.Rows;

        public override int Columns => source.Columns;

        public override long Bytes => source.Bytes;

        public override void Read(int row, Span<float> values) => source.ReadRow(row, values);
    }

    [Fact]
    public void Short_spans_are_refused()
    {
        using var team = new ThreadTeam(1);
        WeightMatrix w = WeightMatrix.FromFloats(2, 3, new float[6]);
        Assert.Throws<ArgumentException>(() => MatMul.Multiply(team, w, new float[5], 2, new float[4]));
        Assert.Throws<ArgumentException>(() => MatMul.Multiply(team, w, new float[6], 2, new float[3]));
        Assert.Throws<ArgumentOutOfRangeException>(() => MatMul.Multiply(team, w, new float[6], -1, new float[3]));
        MatMul.Multiply(team, w, [], 0, []);
    }

    private static float[] Run(InstructionSet set, ThreadTeam team, WeightMatrix w, float[] x, int count)
    {
        float[] y = new float[count * w.Rows];
        fixed (float* from = x, to = y)
            MatMul.Multiply(set, team, new MatMulJob(w, from, w.Columns, count, to, w.Rows));
        return y;
    }
}
