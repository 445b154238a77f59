using System.Globalization;

namespace Glimmer.Cli.Tests.EndToEnd;

/// <summary>What others do at the same time changes nobody's answer, and those who leave leave nothing behind.</summary>
[Collection(TinyServerTests.Name)]
public sealed class ConcurrencyTests(TinyServer server)
{
    private const int Streams = 64;

    [Fact]
    public async Task Sixty_four_streams_at_once_say_what_each_says_alone()
    {
        Dictionary<string, object?>[] bodies = [.. Enumerable.Range(0, Streams).Select(Mixed)];
        SaidAnswer[] alone = new SaidAnswer[Streams];
        for (int i = 0; i < Streams; i++)
            alone[i] = await server.AskAsync(bodies[i]);

        SaidAnswer[] together = await Task.WhenAll(bodies.Select(body => server.AskAsync(body)));

        Assert.Equal(alone, together);
        Assert.True(alone.Select(answer => answer.CompletionTokens).Distinct().Count() > 10, "the lengths are meant to be mixed");
        await server.AssertIdleAsync(TimeSpan.FromMinutes(2));
    }

    [Fact]
    public async Task A_thousand_requests_with_many_cancelled_leave_nothing_behind()
    {
        int count = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_SOAK_REQUESTS"), CultureInfo.InvariantCulture, out int asked) ? asked : 1000;
        Random random = new(4711);
        (Dictionary<string, object?> Body, TimeSpan? Patience)[] plan =
            [.. Enumerable.Range(0, count).Select(i => (Mixed(i + random.Next(1000)), random.Next(10) < 3 ? TimeSpan.FromMilliseconds(random.Next(0, 120)) : (TimeSpan?)null))];
        int answered = 0, left = 0;
        await Parallel.ForEachAsync(plan, new ParallelOptions { MaxDegreeOfParallelism = 48 }, async (one, _) =>
        {
            using CancellationTokenSource patience = one.Patience is { } time ? new(time) : new();
            try
            {
                Assert.NotEqual("", (await server.AskAsync(one.Body, patience.Token)).Finish);
                Interlocked.Increment(ref answered);
            }
            catch (OperationCanceledException) when (one.Patience is not null)
            {
                Interlocked.Increment(ref left);
            }
        });

        Assert.Equal(count, answered + left);
        Assert.True(left > count / 20, $"only {left} of {count} left early");
        await server.AssertIdleAsync(TimeSpan.FromMinutes(2));
        Assert.Equal("stop", (await server.AskAsync(KnownRequest.All[0].Body())).Finish);
    }

    // Greedy and random answers, with and without thinking, streamed, of 5 to 240 tokens.
    private static Dictionary<string, object?> Mixed(int i)
    {
        KnownRequest known = KnownRequest.All[i * 37 % KnownRequest.All.Count];
        int length = 5 + i * 61 % 236;
        return i % 3 == 0
            ? known.Body(("stream", true), ("max_tokens", length))
            : known.Body(("stream", true), ("max_tokens", length), ("do_sample", true), ("temperature", 1), ("top_p", 1), ("seed", 1000 + i));
    }
}
