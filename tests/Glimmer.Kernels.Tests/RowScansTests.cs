using Glimmer.Kernels.Elementwise;

namespace Glimmer.Kernels.Tests;

public sealed class RowScansTests
{
    public static TheoryData<int> Lengths => [1, 15, 16, 17, 255, 256, 257, 1000, 8192, 151_552];

    private static IEnumerable<InstructionSet> Sets => Enum.GetValues<InstructionSet>().Where(InstructionSets.IsSupported);

    [Theory]
    [MemberData(nameof(Lengths))]
    public void The_largest_is_found_where_it_first_stands(int length)
    {
        Random random = new(length);
        for (int round = 0; round < 20; round++)
        {
            float[] row = [.. Enumerable.Range(0, length).Select(_ => random.Next(50) - 100f)];
            if (round % 4 == 0 && length > 1)
                row[random.Next(length)] = float.NegativeInfinity;
            int expected = Array.IndexOf(row, row.Max());
            foreach (InstructionSet set in Sets)
            {
                Assert.Equal(expected, RowScans.IndexOfLargest(set, row, out float largest));
                Assert.Equal(row[expected], largest);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Odd_numbers_are_told(int length)
    {
        foreach (InstructionSet set in Sets)
        {
            float[] row = new float[length];
            row.AsSpan().Fill(float.NegativeInfinity);
            Assert.Equal(-1, RowScans.IndexOfLargest(set, row, out _));
            row[length / 2] = float.PositiveInfinity;
            RowScans.IndexOfLargest(set, row, out float largest);
            Assert.Equal(float.PositiveInfinity, largest);
            row[length - 1] = float.NaN;
            RowScans.IndexOfLargest(set, row, out largest);
            Assert.True(float.IsNaN(largest));
        }

        Assert.Equal(-1, RowScans.IndexOfLargest([], out _));
    }

    [Theory]
    [MemberData(nameof(Lengths))]
    public void Exponentials_are_exact_to_their_last_places_and_the_same_everywhere(int length)
    {
        Random random = new(length);
        float[] row = [.. Enumerable.Range(0, length).Select(_ => (float)random.NextDouble() * 30 - 25)];
        row[^1] = float.NegativeInfinity;
        float shift = row.Max(), scale = 1 / 0.7f;
        if (float.IsNegativeInfinity(shift))
            shift = 0;
        float[]? first = null;
        foreach (InstructionSet set in Sets)
        {
            float[] values = [.. row], sums = new float[RowScans.BlocksOf(length)], largest = new float[sums.Length];
            double total = RowScans.Exponentials(set, values, shift, scale, sums, largest);
            first ??= values;
            Assert.Equal(first, values);
            for (int i = 0; i < length; i++)
            {
                double exact = Math.Exp((double)((row[i] - shift) * scale));
                Assert.InRange(values[i], exact * (1 - 2e-7) - 1e-44, exact * (1 + 2e-7) + 1e-44);
            }

            Assert.InRange(total, values.Sum(value => (double)value) * 0.999999, values.Sum(value => (double)value) * 1.000001);
            for (int block = 0; block < sums.Length; block++)
                Assert.Equal(values.Skip(block * RowScans.Block).Take(RowScans.Block).Max(), largest[block]);
            int[] indices = new int[length];
            float[] picked = new float[length];
            int count = RowScans.PickFrom(values, 0.01f, largest, indices, picked);
            Assert.Equal(Enumerable.Range(0, length).Where(i => values[i] >= 0.01f), indices[..count]);
            Assert.Equal(indices[..count].Select(i => values[i]), picked[..count]);
        }
    }
}
