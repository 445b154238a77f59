using Glimmer.Engine.Memory;

namespace Glimmer.Engine.Tests.Memory;

public sealed class PrefixCacheTests
{
    private const int PageTokens = 4;

    [Fact]
    public void Matches_whole_pages_and_the_beginning_of_the_next()
    {
        (PagePool pool, PrefixCache cache) = Make(16);
        int[] pages = Put(pool, cache, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        int[] found = new int[16];

        Assert.Equal(new PrefixMatch(2, pages[2], 2), cache.Match("", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13], found));
        Assert.Equal(pages[..2], found[..2]);
        Assert.Equal(new PrefixMatch(1, pages[1], 3), cache.Match("", [1, 2, 3, 4, 5, 6, 7, 0], found));
        Assert.Equal(new PrefixMatch(0, -1, 0), cache.Match("", [2, 2, 3, 4], found));
        Assert.Equal(new PrefixMatch(0, -1, 0), cache.Match("", [], found));
    }

    [Fact]
    public void A_duplicate_page_is_swapped_for_the_cached_one()
    {
        (PagePool pool, PrefixCache cache) = Make(16);
        int[] first = Put(pool, cache, [1, 2, 3, 4]);
        Assert.True(pool.TryTake(out int page));
        int[] pages = [page];

        cache.Insert("", [1, 2, 3, 4], pages, keepPartial: false);

        Assert.Equal(first, pages);
        Assert.Equal(1, pool.Holders(first[0]));
        Assert.Equal((1, 0, 15), (pool.InUse, pool.Cached, pool.Free));
    }

    [Fact]
    public void Scopes_do_not_see_each_other_and_go_with_their_last_page()
    {
        (PagePool pool, PrefixCache cache) = Make(16);
        for (int round = 0; round < 3; round++)
        {
            int[] mine = Put(pool, cache, [1, 2, 3, 4, 5], "me"), yours = Put(pool, cache, [1, 2, 3, 4, 6], "you");
            int[] found = new int[4];

            Assert.Equal(new PrefixMatch(1, mine[1], 1), cache.Match("me", [1, 2, 3, 4, 5, 6], found));
            Assert.Equal(mine[0], found[0]);
            Assert.Equal(new PrefixMatch(1, yours[1], 1), cache.Match("you", [1, 2, 3, 4, 6], found));
            Assert.Equal(new PrefixMatch(0, -1, 0), cache.Match("other", [1, 2, 3, 4, 6], found));
            Assert.Null(cache.FindFault());
            while (cache.EvictOne())
                Assert.Null(cache.FindFault());
            Assert.Equal(0, cache.Scopes);
        }
    }

    [Fact]
    public void A_longer_page_takes_the_place_of_its_own_beginning()
    {
        (PagePool pool, PrefixCache cache) = Make(16);
        Put(pool, cache, [1, 2]);
        Put(pool, cache, [1, 2, 3]);
        Put(pool, cache, [1]);

        Assert.Equal(1, cache.Nodes);
        Assert.Equal(3, cache.Match("", [1, 2, 3, 4], new int[4]).PartialTokens);
        Assert.Null(cache.FindFault());
    }

    [Fact]
    public void Evicts_the_leaf_that_was_not_used_for_longest_and_never_one_that_is_held()
    {
        (PagePool pool, PrefixCache cache) = Make(16);
        int[] old = Put(pool, cache, [1, 1, 1, 1, 2, 2, 2, 2]);
        int[] young = Put(pool, cache, [3, 3, 3, 3]);
        cache.Match("", [1, 1, 1, 1], new int[4]);
        pool.Retain(young[0]);

        Assert.True(cache.EvictOne());
        Assert.False(pool.IsCached(old[1]));
        Assert.True(cache.EvictOne());
        Assert.False(pool.IsCached(old[0]));
        Assert.False(cache.EvictOne());
        Assert.True(pool.IsCached(young[0]));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Agrees_with_a_plain_list_of_everything_ever_inserted(int seed)
    {
        Random random = new(seed);
        (PagePool pool, PrefixCache cache) = Make(400);
        List<int[]> inserted = [];
        int[] found = new int[400];
        for (int round = 0; round < 150; round++)
        {
            int[] tokens = [.. Enumerable.Range(0, random.Next(1, 14)).Select(_ => random.Next(2))];
            if (random.Next(2) == 0)
            {
                Put(pool, cache, tokens);
                inserted.Add(tokens);
            }

            PrefixMatch match = cache.Match("", tokens, found);
            int expected = inserted.Count == 0 ? 0 : inserted.Max(other => other.AsSpan().CommonPrefixLength(tokens));
            Assert.Equal(expected, match.FullPages * PageTokens + match.PartialTokens);
            Assert.Null(cache.FindFault());
            Assert.Equal(pool.Pages, pool.Free + pool.Cached + pool.InUse);
        }

        while (cache.EvictOne())
            Assert.Null(cache.FindFault());
        Assert.Equal((0, 400), (cache.Nodes, pool.Free));
    }

    [Fact]
    public void The_pool_refuses_to_release_or_retain_what_nobody_holds()
    {
        PagePool pool = new(2);
        Assert.Throws<InvalidOperationException>(() => pool.Release(0));
        Assert.Throws<InvalidOperationException>(() => pool.Retain(0));
        Assert.Throws<InvalidOperationException>(() => pool.HoldForCache(0));
        Assert.Throws<InvalidOperationException>(() => pool.DropFromCache(0));
    }

    private static (PagePool Pool, PrefixCache Cache) Make(int pages)
    {
        PagePool pool = new(pages);
        return (pool, new PrefixCache(pool, PageTokens));
    }

    /// <summary>Computes a sequence, caches it and lets it go; returns the pages that hold it.</summary>
    private static int[] Put(PagePool pool, PrefixCache cache, int[] tokens, string scope = "")
    {
        int[] pages = new int[(tokens.Length + PageTokens - 1) / PageTokens];
        for (int i = 0; i < pages.Length; i++)
            Assert.True(pool.TryTake(out pages[i]));
        cache.Insert(scope, tokens, pages, keepPartial: true);
        foreach (int page in pages.Reverse())
            pool.Release(page);
        return pages;
    }
}
