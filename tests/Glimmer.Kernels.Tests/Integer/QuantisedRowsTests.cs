using Glimmer.Kernels.Integer;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Tests.Integer;

public unsafe class QuantisedRowsTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Numbers_sums_and_scales_are_those_of_the_definition(bool super)
    {
        int block = super ? 256 : 32;
        var random = new Random(3);
        foreach (int count in new[] { 1, 5, 12, 13, 27 })
        {
            const int Columns = 512;
            float[] x = TestSets.Normal(random, count * Columns);
            x.AsSpan(0, block).Clear();
            byte[] memory = new byte[QuantisedRows.Size(count, Columns, super)];
            fixed (float* from = x)
            fixed (byte* room = memory)
            {
                var rows = new QuantisedRows(room, count, Columns, super);
                for (int panel = 0; panel < rows.Panels; panel++)
                    rows.QuantisePanel<ScalarLanes>(from, Columns, panel);
                for (int row = 0; row < count; row++)
                {
                    for (int b = 0; b < Columns / block; b++)
                        Check(rows, row, b, x.AsSpan(row * Columns + b * block, block));
                }

                foreach (InstructionSet set in TestSets.Vector)
                {
                    byte[] other = new byte[memory.Length];
                    fixed (byte* otherRoom = other)
                    {
                        var kernel = new Kernel(new QuantisedRows(otherRoom, count, Columns, super), from, Columns);
                        LaneDispatch.Run(set, ref kernel);
                    }

                    Assert.Equal(memory, other);
                }
            }
        }
    }

    [Fact]
    public void Memory_grows_and_stays()
    {
        byte* small = QuantisedRows.Reserve(100);
        Assert.Equal(0, (nint)small % 64);
        byte* large = QuantisedRows.Reserve((1L << 31) + 4096);
        large[(1L << 31) + 4095] = 1; // more than an array can hold; only touched pages cost
        Assert.True(QuantisedRows.Reserve(50) == large);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Every_set_agrees_on_numbers_that_are_not_finite_or_hardly_any(bool super)
    {
        float[] x = new float[512];
        foreach (float odd in new[] { float.NaN, float.PositiveInfinity, float.NegativeInfinity, float.MaxValue, float.Epsilon, 0.9e-30f, 1.1e-30f, -0f })
        {
            x.AsSpan().Fill(odd is > 0 and < 1e-20f ? 0 : 1);
            x[300] = odd;
            byte[]? expected = null;
            foreach (InstructionSet set in TestSets.Runnable)
            {
                byte[] memory = new byte[QuantisedRows.Size(1, 512, super)];
                fixed (float* from = x)
                fixed (byte* room = memory)
                {
                    var rows = new QuantisedRows(room, 1, 512, super);
                    var kernel = new Kernel(rows, from, 512);
                    LaneDispatch.Run(set, ref kernel);
                    int block = 300 / (super ? 256 : 32);
                    float scale = *(float*)(rows.Panel(0) + block * QuantisedRows.RecordBytes(super) + QuantisedRows.ScaleAt(super));
                    Assert.Equal(!float.IsFinite(odd), float.IsNaN(scale));
                }

                expected ??= memory;
                Assert.Equal(expected, memory);
            }
        }
    }

    private static void Check(QuantisedRows rows, int row, int block, ReadOnlySpan<float> values)
    {
        bool super = rows.IsSuper;
        int width = rows.Width(row / 12), i = row % 12;
        byte* record = rows.Panel(row / 12) + (long)block * width * QuantisedRows.RecordBytes(super);
        float largest = 0;
        foreach (float value in values)
            largest = Math.Max(largest, Math.Abs(value));
        int[] sums = new int[16];
        for (int c = 0; c < values.Length; c++)
        {
            int q = largest == 0 ? 0 : (int)Math.Round((double)values[c] * (127 / largest), MidpointRounding.ToEven);
            Assert.Equal(q, ((sbyte*)record)[(c / 4 * width + i) * 4 + c % 4]);
            sums[super ? c / 16 : 0] -= q;
        }

        Assert.Equal(largest / 127, ((float*)(record + QuantisedRows.ScaleAt(super) * width))[i]);
        for (int run = 0; run < (super ? 16 : 1); run++)
            Assert.Equal(sums[run], ((int*)(record + QuantisedRows.SumsAt(super) * width))[run * width + i]);
        for (int pair = 0; pair < 8 && super; pair++)
            Assert.Equal(sums[2 * pair] + sums[2 * pair + 1], ((short*)(record + QuantisedRows.PairsAt * width))[(pair / 2 * width + i) * 2 + pair % 2]);
    }

    private readonly struct Kernel(QuantisedRows rows, float* x, int stride) : ILaneKernel
    {
        private readonly QuantisedRows _rows = rows;

        public void Run<V>()
            where V : struct, ILanes<V>
        {
            for (int panel = 0; panel < _rows.Panels; panel++)
                _rows.QuantisePanel<V>(x, stride, panel);
        }
    }
}
