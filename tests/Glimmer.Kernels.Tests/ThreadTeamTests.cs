using System.Diagnostics;
using Glimmer.Testing;

namespace Glimmer.Kernels.Tests;

public class ThreadTeamTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(16)]
    public void Every_part_runs_exactly_once(int threads)
    {
        using var team = new ThreadTeam(threads);
        var random = new Random(threads);
        for (int round = 0; round < 2000; round++)
        {
            int parts = random.Next(40);
            int[] runs = new int[parts];
            team.Run(parts, runs, static (counts, part) => Interlocked.Increment(ref counts[part]));
            Assert.All(runs, count => Assert.Equal(1, count));
        }
    }

    [Fact]
    public void A_late_thread_never_takes_a_part_of_the_next_operation()
    {
        // Short operations of changing length, more threads than processors: threads are put aside between reading the ticket and taking a part.
        using var team = new ThreadTeam(Environment.ProcessorCount + 3);
        var body = new CheckedBody(new int[64]);
        for (int round = 0; round < 60_000; round++)
        {
            body.Parts = 2 + round * 7 % 61;
            Array.Clear(body.Runs);
            team.Run(body.Parts, ref body);
            for (int part = 0; part < body.Runs.Length; part++)
                Assert.Equal(part < body.Parts ? 1 : 0, body.Runs[part]);
        }
    }

    [Fact]
    public void Operations_after_a_pause_wake_the_sleeping_threads()
    {
        using var team = new ThreadTeam(4);
        for (int round = 0; round < 20; round++)
        {
            Thread.Sleep(2); // far longer than threads spin
            int[] sum = new int[1];
            team.Run(64, sum, static (s, part) => Interlocked.Add(ref s[0], part));
            Assert.Equal(63 * 64 / 2, sum[0]);
        }
    }

    [Fact]
    public void All_threads_take_part()
    {
        using var team = new ThreadTeam(3);
        using var together = new Barrier(3);
        bool met = true;
        team.Run(3, together, (barrier, _) => met &= barrier.SignalAndWait(TimeSpan.FromMinutes(2)));
        Assert.True(met, "three parts that wait for each other need three threads");
    }

    [Fact]
    public void Results_written_by_parts_are_visible_to_the_caller()
    {
        using var team = new ThreadTeam(4);
        long[] values = new long[512];
        for (int round = 1; round < 500; round++)
        {
            team.Run(values.Length, (values, round), static (state, part) => state.values[part] = (long)part * state.round);
            for (int i = 0; i < values.Length; i++)
                Assert.Equal((long)i * round, values[i]);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(4)]
    public void An_exception_reaches_the_caller_and_the_team_goes_on(int threads)
    {
        using var team = new ThreadTeam(threads);
        for (int round = 0; round < 50; round++)
        {
            int bad = round % 8;
            var failure = Assert.Throws<FormatException>(() => team.Run(8, bad, static (which, part) =>
            {
                if (part == which)
                    throw new FormatException("part " + which);
            }));
            Assert.Equal("part " + bad, failure.Message);
            int[] runs = new int[8];
            team.Run(8, runs, static (counts, part) => Interlocked.Increment(ref counts[part]));
            Assert.All(runs, count => Assert.Equal(1, count));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Nested_calls_are_refused(int threads)
    {
        using var team = new ThreadTeam(threads);
        Assert.Throws<InvalidOperationException>(() =>
            team.Run(2, team, static (inner, _) => inner.Run(2, 0, static (_, _) => { })));
        team.Run(2, 0, static (_, _) => { });
    }

    [Fact]
    public void A_struct_body_allocates_nothing_and_keeps_its_changes()
    {
        using var team = new ThreadTeam(2);
        long[] sums = new long[64];
        var body = new AddBody(sums);
        for (int warm = 0; warm < 100; warm++)
            team.Run(64, ref body);
        int rounds = 100;
        Assert.Equal(0, Allocation.Least(() =>
        {
            for (int round = 0; round < 500; round++)
                team.Run(64, ref body);
            rounds += 500;
        }));
        Assert.Equal(rounds * 63, sums[63]);
        Assert.Equal(rounds * 64, body.Calls);
    }

    [Fact]
    public void Disposing_ends_the_threads_whether_asleep_or_awake()
    {
        for (int round = 0; round < 50; round++)
        {
            var team = new ThreadTeam(4);
            if (round % 2 == 0)
                team.Run(16, 0, static (_, _) => { });
            if (round % 3 == 0)
                Thread.Sleep(1);
            team.Dispose();
            team.Dispose();
            Assert.Throws<ObjectDisposedException>(() => team.Run(1, 0, static (_, _) => { }));
        }
    }

    [Fact]
    public void A_slow_part_is_waited_for()
    {
        using var team = new ThreadTeam(2);
        bool[] done = new bool[4];
        team.Run(4, done, static (flags, part) =>
        {
            if (part == 3)
                Thread.Sleep(30);
            flags[part] = true;
        });
        Assert.DoesNotContain(false, done);
    }

    [Fact]
    public void Many_more_threads_than_processors_still_finish()
    {
        using var team = new ThreadTeam(Environment.ProcessorCount * 8);
        int[] sum = new int[1];
        for (int round = 0; round < 300; round++)
            team.Run(100, sum, static (s, _) => Interlocked.Increment(ref s[0]));
        Assert.Equal(30_000, sum[0]);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(5000)]
    public void An_impossible_size_is_refused(int threads) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new ThreadTeam(threads));

    private struct CheckedBody(int[] runs) : IParallelBody
    {
        public int Parts;

        public int[] Runs { get; } = runs;

        public readonly void Invoke(int part) => Interlocked.Increment(ref Runs[part]);
    }

    private struct AddBody(long[] sums) : IParallelBody
    {
        public int Calls;

        public void Invoke(int part)
        {
            sums[part] += part;
            Interlocked.Increment(ref Calls);
        }
    }
}
