using Glimmer.Kernels.Integer;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Tests.Integer;

public unsafe class VnniCodeTests
{
    [Fact]
    public void The_code_is_used_where_the_processor_has_the_instruction()
    {
        if (!VnniCode.IsSupported || Environment.GetEnvironmentVariable(VnniCode.EnvironmentVariable) == "0" || !OperatingSystem.IsLinux())
        {
            Assert.False(VnniCode.IsAvailable);
            return;
        }

        Assert.True(VnniCode.IsAvailable, "the emitted tiles do not agree with the scalar twin, or executable pages are forbidden");
    }

    [Fact]
    public void Every_tile_agrees_with_the_scalar_twin_and_the_wide_multiply()
    {
        var random = new Random(1);
        foreach (int blocks in new[] { 1, 2, 7, 40 })
        {
            for (int count = 1; count <= Int8Activations.PanelRows; count++)
            {
                byte[] group = new byte[blocks * PackedMatrix.BlockBytes], memory = new byte[Int8Activations.Size(count, blocks * 32)];
                random.NextBytes(group);
                for (int i = 0; i < blocks * 16; i++)
                    BitConverter.TryWriteBytes(group.AsSpan(i / 16 * PackedMatrix.BlockBytes + i % 16 * 2), (Half)(random.NextSingle() - 0.5f));
                float[] x = TestSets.Normal(random, count * blocks * 32), expected = new float[16], actual = new float[16 * 8];
                fixed (byte* weights = group, room = memory)
                fixed (float* from = x, twin = expected, results = actual)
                {
                    Int8Activations activations = Int8Activations.Quantise<ScalarLanes>(from, blocks * 32, count, blocks * 32, room);
                    for (int row = 0; row < count; row++)
                    {
                        ScalarInt8Tile.Run(weights, activations, row, 1, twin);
                        if (VnniCode.IsAvailable)
                        {
                            VnniInt8Tile.Run(weights, activations, 0, count, results);
                            TestSets.AssertSameBits(expected, actual.AsSpan(16 * row, 16), $"emitted, {count} rows, row {row}");
                        }

                        if (InstructionSets.IsSupported(InstructionSet.Avx512))
                        {
                            int first = row / Avx512Int8Tile.Width * Avx512Int8Tile.Width;
                            Avx512Int8Tile.Run(weights, activations, first, Math.Min(Avx512Int8Tile.Width, count - first), results);
                            TestSets.AssertSameBits(expected, actual.AsSpan(16 * (row - first), 16), $"wide multiply, {count} rows, row {row}");
                        }
                    }
                }
            }
        }
    }
}
