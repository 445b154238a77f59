using Glimmer.Engine;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>However the engine is set up, the answers are the reference's.</summary>
[Collection(TinyServerTests.Name)]
public sealed class EngineOptionsTests
{
    [Fact]
    public Task One_at_a_time() => AssertKnownAnswersAsync(new EngineOptions { KvBytes = 64L << 20, Threads = 2, MaxBatch = 1 }, _ => { });

    [Fact]
    public Task Small_passes_without_a_cache() =>
        AssertKnownAnswersAsync(
            new EngineOptions { KvBytes = 64L << 20, Threads = 2, PrefixCache = false, PrefillTokens = 37, MixedPrefillTokens = 11 },
            statistics => Assert.Equal(0, statistics.CachedTokens));

    [Fact]
    public Task With_guesses() =>
        AssertKnownAnswersAsync(
            new EngineOptions { KvBytes = 64L << 20, Threads = 2, SpeculativeTokens = 4 },
            statistics => Assert.True(statistics.AcceptedTokens > 0, "nothing was guessed right"));

    [Fact]
    public Task With_pages_that_run_out() =>
        AssertKnownAnswersAsync(
            new EngineOptions { Pages = 14, PageTokens = 32, Threads = 2 },
            statistics => Assert.True(statistics.Preemptions > 0, "no answer had to make room"),
            known => known.Row.GreedyIds.Length > 50 && known.Row.PromptIds.Length < 200);

    private static async Task AssertKnownAnswersAsync(EngineOptions options, Action<EngineStatistics> check, Func<KnownRequest, bool>? which = null)
    {
        await using TinyServer server = new(options);
        await server.InitializeAsync();
        KnownRequest[] sample = which is null ? [.. KnownRequest.All.Where((_, i) => i % 2 == 0)] : [.. KnownRequest.All.Where(which)];
        await Parallel.ForEachAsync(sample, new ParallelOptions { MaxDegreeOfParallelism = 24 }, async (known, cancel) =>
            Assert.Equal(known.Reference(server.Package), await server.AskAsync(known.Body(), cancel)));
        await server.AssertIdleAsync(TimeSpan.FromMinutes(2));
        check(server.Backend.Engine.GetStatistics());
    }
}
