using Glimmer.Kernels.Formats;
using Glimmer.Kernels.Integer;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Tests.Integer;

public unsafe class PackedMatrixTests
{
    public static TheoryData<BlockFormat> Formats => TileTests.Formats;

    /// <summary>Reads every weight back out of the packed form and compares it with the codec.</summary>
    [Theory]
    [MemberData(nameof(Formats))]
    public void Packed_weights_are_those_of_the_codec(BlockFormat format)
    {
        var random = new Random(5);
        TileLayout layout = TileLayout.Find(format)!;
        foreach ((int rows, int columns) in new[] { (1, 256), (16, 512), (37, 256), (640, 256) })
        {
            WeightMatrix matrix = TestSets.Matrix(random, format, rows, columns);
            PackedMatrix packed = PackedMatrix.Pack(matrix);
            float[] expected = new float[columns];
            for (int row = 0; row < rows; row++)
            {
                matrix.ReadRow(row, expected);
                for (int column = 0; column < columns; column++)
                {
                    float actual = Weight(layout, packed.Group(row / 16) + column / layout.BlockColumns * layout.BlockBytes, row % 16, column % layout.BlockColumns);
                    Assert.True(Math.Abs(actual - expected[column]) <= 1e-6f * Math.Abs(expected[column]) + 1e-7f, $"{format} {rows}x{columns} [{row},{column}]: {actual:R}, expected {expected[column]:R}");
                }
            }
        }
    }

    [Fact]
    public void Rows_past_the_end_give_zero()
    {
        WeightMatrix matrix = TestSets.Matrix(new Random(6), BlockFormat.Q4_K, 5, 256);
        PackedMatrix packed = PackedMatrix.Pack(matrix);
        for (int column = 0; column < 256; column++)
            Assert.Equal(0, Weight(packed.Layout, packed.Group(0), 7, column));
    }

    private static float Weight(TileLayout layout, byte* block, int row, int column)
    {
        float d = layout.Scale == ScaleKind.Half ? PartialLanes.FromHalf(((ushort*)block)[row]) : BitConverter.Int32BitsToSingle(block[row] << 23);
        float m = layout.HasOffsets ? PartialLanes.FromHalf(((ushort*)(block + layout.OffsetAt))[row]) : 0;
        int run = column / layout.RunColumns;
        if (layout.IsSuper)
        {
            byte s = block[layout.RunScalesAt + run * 16 + row];
            d *= layout.SignedScales ? (sbyte)s : s;
            m *= layout.HasOffsets ? block[layout.RunOffsetsAt + PackedMatrix.OffsetPlace(layout, run, row)] : 0;
        }

        return d * (ScalarTile.Code(layout, block, row, column) - layout.Zero) - m;
    }
}
