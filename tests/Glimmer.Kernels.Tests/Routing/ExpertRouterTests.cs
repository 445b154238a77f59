namespace Glimmer.Kernels.Tests.Routing;

public class ExpertRouterTests
{
    [Fact]
    public void Random_routers_follow_the_definition()
    {
        var random = new Random(1);
        for (int round = 0; round < 400; round++)
        {
            int groups = random.Next(1, 5), size = random.Next(1, 9), experts = groups * size, kept = random.Next(1, groups + 1);
            int chosen = random.Next(1, size * kept + 1);
            bool normalise = random.Next(2) == 0, softmax = random.Next(2) == 0;
            float scale = (float)random.NextDouble() + 0.5f;
            float[] logits = TestSets.Normal(random, experts);
            float[] bias = random.Next(3) == 0 ? [] : [.. TestSets.Normal(random, experts).Select(v => v * 0.3f - 0.4f)];
            var router = new ExpertRouter(experts, chosen, groups, kept, normalise, scale, softmax ? ExpertGating.Softmax : ExpertGating.Sigmoid);
            int[] indices = new int[chosen];
            float[] weights = new float[chosen];
            router.Route(logits, bias, indices, weights);

            double total = logits.Sum(v => Math.Exp(v));
            double[] s = [.. logits.Select(v => softmax ? Math.Exp(v) / total : 1 / (1 + Math.Exp(-v)))];
            double[] c = [.. s.Select((v, i) => v + (bias.Length == 0 ? 0 : bias[i]))];
            var bestGroups = Enumerable.Range(0, groups)
                .OrderByDescending(g => c.Skip(g * size).Take(size).OrderDescending().Take(2).Sum()).ThenBy(g => g).Take(kept).ToHashSet();
            int[] expected = [.. Enumerable.Range(0, experts).Where(e => bestGroups.Contains(e / size)).OrderByDescending(e => c[e]).ThenBy(e => e).Take(chosen).Order()];
            Assert.Equal(expected, indices);
            double sum = normalise ? expected.Sum(e => s[e]) : 1;
            for (int i = 0; i < chosen; i++)
                Assert.Equal(s[expected[i]] / sum * scale, weights[i], 1e-5);
        }
    }

    [Fact]
    public void Ties_go_to_the_lower_expert_and_the_lower_group()
    {
        int[] indices = new int[3];
        float[] weights = new float[3];
        new ExpertRouter(8, 3).Route(new float[8], [], indices, weights);
        Assert.Equal([0, 1, 2], indices);
        Assert.All(weights, weight => Assert.Equal(1f / 3, weight, 1e-6f));
        new ExpertRouter(8, 3, groups: 2, chosenGroups: 1).Route(new float[8], new float[8], indices, weights);
        Assert.Equal([0, 1, 2], indices);
    }

    [Fact]
    public void A_left_out_group_stays_out_even_when_the_others_are_negative()
    {
        // Group 0 wins by its two best; its third is far below group 1's. Setting the others to 0 instead of −∞ would choose them.
        float[] bias = [-1, -1, -9, -2, -2, -2];
        int[] indices = new int[3];
        new ExpertRouter(6, 3, groups: 2, chosenGroups: 1).Route(new float[6], bias, indices, new float[3]);
        Assert.Equal([0, 1, 2], indices);
    }

    [Fact]
    public void Contradicting_numbers_are_refused()
    {
        Assert.Throws<ArgumentException>(() => new ExpertRouter(0, 1));
        Assert.Throws<ArgumentException>(() => new ExpertRouter(8, 9));
        Assert.Throws<ArgumentException>(() => new ExpertRouter(8, 2, groups: 3));
        Assert.Throws<ArgumentException>(() => new ExpertRouter(8, 5, groups: 2, chosenGroups: 1));
        Assert.Throws<ArgumentException>(() => new ExpertRouter(8, 2, groups: 2, chosenGroups: 3));
        Assert.Throws<ArgumentException>(() => new ExpertRouter(8, 2).Route(new float[7], [], new int[2], new float[2]));
        Assert.Throws<ArgumentException>(() => new ExpertRouter(8, 2).Route(new float[8], new float[7], new int[2], new float[2]));
    }
}
