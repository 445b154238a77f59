namespace Glimmer.Kernels.Tests;

public class RankingTests
{
    [Fact]
    public void ArgMax_and_TopK_equal_a_stable_sort()
    {
        var random = new Random(1);
        for (int round = 0; round < 600; round++)
        {
            int length = random.Next(1, 140);
            float[] values = [.. Enumerable.Range(0, length).Select(_ => random.Next(5) switch
            {
                0 => float.NegativeInfinity,
                1 => 0f,
                2 => -0f,
                3 => float.NaN,
                _ => random.Next(-3, 4),
            })];
            int[] sorted = [.. Enumerable.Range(0, length).OrderBy(i => float.IsNaN(values[i])).ThenByDescending(i => values[i] + 0f).ThenBy(i => i)];
            int best = sorted[0];
            if (float.IsNaN(values[best]) || float.IsNegativeInfinity(values[best]))
                best = 0;
            foreach (InstructionSet set in TestSets.Runnable)
                Assert.Equal(best, Ranking.ArgMax(set, values));

            int[] indices = new int[random.Next(length + 1)];
            Ranking.TopK(values, indices);
            Assert.Equal(sorted.Take(indices.Length), indices);
        }
    }

    [Fact]
    public void The_lower_of_equal_elements_wins_wherever_it_lies()
    {
        for (int first = 0; first < 130; first += 7)
        {
            float[] values = new float[200];
            values[first] = values[first + 1] = values[199] = 5;
            foreach (InstructionSet set in TestSets.Runnable)
                Assert.Equal(first, Ranking.ArgMax(set, values));
        }
    }

    [Fact]
    public void Impossible_requests_are_refused()
    {
        Assert.Throws<ArgumentException>(() => Ranking.ArgMax([]));
        Assert.Throws<ArgumentException>(() => Ranking.TopK(new float[2], new int[3]));
    }
}
