using Glimmer.Inference.Routing.Choosing;

namespace Glimmer.Inference.Tests.Routing.Choosing;

public sealed class AffinityTableTests
{
    [Fact]
    public void The_deepest_known_block_leads_to_who_saw_it_last()
    {
        AffinityTable table = new(1024);
        ulong[] blocks = Blocks(1, 20);
        Assert.Equal((0, 0), table.FindDeepest(blocks));
        table.Remember(blocks.AsSpan(0, 12), 5);
        Assert.Equal((5, 12), table.FindDeepest(blocks));
        table.Remember(blocks.AsSpan(0, 3), 6);
        Assert.Equal((5, 12), table.FindDeepest(blocks));
        Assert.Equal((6, 3), table.FindDeepest(blocks.AsSpan(0, 3)));
        table.Remember(blocks, 65535);
        Assert.Equal((65535, 20), table.FindDeepest(blocks));
    }

    [Fact]
    public void The_newest_stay_and_memory_does_not_grow()
    {
        AffinityTable table = new(1024);
        for (int i = 0; i < 1000; i++)
            table.Remember(Blocks(i, 16), (ushort)(i + 1));
        Assert.Equal((1000, 16), table.FindDeepest(Blocks(999, 16)));
        int known = Enumerable.Range(0, 900).Count(i => table.FindDeepest(Blocks(i, 16)).Backend == i + 1);
        Assert.InRange(known, 0, 100);
        Assert.InRange(Enumerable.Range(0, 1000).Sum(i => Blocks(i, 16).Count(hash => table.Find(hash) != 0)), 900, 1024);
    }

    [Fact]
    public void Writers_who_meet_lose_hits_at_most()
    {
        AffinityTable table = new(4096);
        Parallel.For(0, 8, writer =>
        {
            for (int i = 0; i < 2000; i++)
                table.Remember(Blocks(i % 50, 8), (ushort)((i % 50) + 1));
        });
        int right = Enumerable.Range(0, 50).Count(i => table.FindDeepest(Blocks(i, 8)) == ((ushort)(i + 1), 8));
        Assert.InRange(right, 45, 50);
    }

    private static ulong[] Blocks(int conversation, int count) => [.. Enumerable.Range(0, count).Select(i => PromptBlocks.OfText($"{conversation}/{i}"))];
}
