using Glimmer.Engine.Memory;
using Glimmer.Engine.Tests.Fakes;

namespace Glimmer.Engine.Tests.Memory;

public sealed class PrefixSpillTests : IDisposable
{
    private const int PageBytes = 1000;
    private static readonly byte[] _identity = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"glimmer-spill-{Guid.NewGuid():n}");
    private readonly FaultLog _log = new();

    public void Dispose()
    {
        if (Directory.Exists(_folder))
            Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public void Pages_come_back_also_after_a_restart_and_not_for_another_identity()
    {
        SpillKey key;
        using (PrefixSpill spill = Open()!)
        {
            key = spill.Root("me").Next([1, 2, 3]);
            Assert.NotEqual(key, spill.Root("you").Next([1, 2, 3]));
            Assert.NotEqual(key, spill.Root("me").Next([1, 2]).Next([3]));
            Assert.True(spill.TryKeep(key, Page(7)));
            spill.Flush();
            Assert.Equal(Page(7), Read(spill, key));
            Assert.Null(Read(spill, key.Next([4])));
            Assert.Equal((1, 1), (spill.Written, spill.Restored));
        }

        using (PrefixSpill again = Open()!)
            Assert.Equal(Page(7), Read(again, key));
        byte[] other = [.. _identity.Reverse()];
        using (PrefixSpill different = PrefixSpill.Open(_folder, 1 << 20, other, PageBytes, _log)!)
            Assert.False(different.Contains(key));
        Assert.Empty(_log.Faults);
    }

    [Fact]
    public void The_file_is_private_and_belongs_to_one_process_at_a_time()
    {
        using PrefixSpill spill = Open()!;
        string file = Assert.Single(Directory.GetFiles(_folder));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_folder));
        }

        Assert.Null(Open());
        Assert.Contains("cannot be used", Assert.Single(_log.Faults), StringComparison.Ordinal);
    }

    [Fact]
    public void The_file_stays_within_its_bound_and_keeps_what_was_read()
    {
        const int Slots = 4;
        long bound = 4096 + Slots * 1088;
        using PrefixSpill spill = PrefixSpill.Open(_folder, bound, _identity, PageBytes, _log)!;
        SpillKey[] keys = [.. Enumerable.Range(0, 12).Select(i => spill.Root("").Next([i]))];
        for (int i = 0; i < keys.Length; i++)
        {
            Assert.True(spill.TryKeep(keys[i], Page(i)));
            spill.Flush();
            Assert.Equal(Page(0), Read(spill, keys[0]));
        }

        Assert.InRange(new FileInfo(Directory.GetFiles(_folder)[0]).Length, 1, bound);
        int there = 0;
        for (int i = 0; i < keys.Length; i++)
        {
            if (Read(spill, keys[i]) is not { } page)
                continue;
            Assert.Equal(Page(i), page);
            there++;
        }

        Assert.Equal(Slots, there);
        Assert.Empty(_log.Faults);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_damaged_file_is_never_believed(int seed)
    {
        Random random = new(seed);
        SpillKey[] keys;
        using (PrefixSpill spill = Open()!)
        {
            keys = [.. Enumerable.Range(0, 6).Select(i => spill.Root("").Next([i]))];
            for (int i = 0; i < keys.Length; i++)
            {
                Assert.True(spill.TryKeep(keys[i], Page(i)));
                spill.Flush();
            }
        }

        string file = Directory.GetFiles(_folder)[0];
        byte[] good = File.ReadAllBytes(file);
        for (int round = 0; round < 60; round++)
        {
            byte[] bad = [.. good];
            switch (round % 3)
            {
                case 0:
                    bad = bad[..random.Next(bad.Length)];
                    break;
                case 1:
                    bad[random.Next(bad.Length)] ^= (byte)(1 << random.Next(8));
                    break;
                default:
                    random.NextBytes(bad.AsSpan(random.Next(bad.Length)));
                    break;
            }

            File.WriteAllBytes(file, bad);
            using PrefixSpill spill = Open()!;
            for (int i = 0; i < keys.Length; i++)
            {
                if (Read(spill, keys[i]) is { } page)
                    Assert.Equal(Page(i), page);
                else
                    Assert.False(spill.Contains(keys[i]));
                // Whatever was lost can be kept again.
                Assert.True(spill.TryKeep(keys[i], Page(i)));
                spill.Flush();
                Assert.Equal(Page(i), Read(spill, keys[i]));
            }
        }
    }

    [Fact]
    public void A_file_without_room_for_a_page_is_refused_with_a_line()
    {
        Assert.Null(PrefixSpill.Open(_folder, 4500, _identity, PageBytes, _log));
        Assert.Contains("no room", Assert.Single(_log.Faults), StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task Evicted_prompts_come_back_from_disk_with_the_same_answer(int guesses)
    {
        EngineOptions options = Rig.Options with { Pages = 12, PrefixSpill = _folder, ModelIdentity = "fake", SpeculativeTokens = guesses };
        int[][] prompts = [.. Enumerable.Range(0, 4).Select(i => Rig.Prompt(i, 200))];
        SamplingOptions sampled = new() { Seed = 3, TopP = 0.9f };
        long restored = 0;
        for (int start = 0; start < 2; start++)
        {
            using FakeModel model = new();
            using InferenceEngine engine = new(model, options, logger: _log);
            for (int round = 0; round < 3; round++)
            {
                foreach (int[] prompt in prompts)
                {
                    RecordingSink sink = engine.Start(prompt, 12, sampled, tenant: "a");
                    await sink.Ended.Soon();
                    Assert.Equal(Rig.Alone(model, prompt, 12, sampled), sink.Tokens);
                    if (start > 0 || round > 0)
                        Assert.Equal(192, sink.CachedTokens);
                }
            }

            await engine.AssertNoLeakAsync().Soon();
            EngineStatistics statistics = engine.GetStatistics();
            Assert.True(statistics.RestoredPages > 0);
            restored += statistics.RestoredPages;
            // Another tenant finds nothing, though the tokens are the same.
            RecordingSink stranger = engine.Start(prompts[0], 5, sampled, tenant: $"b{start}");
            await stranger.Ended.Soon();
            Assert.Equal(0, stranger.CachedTokens);
        }

        Assert.Empty(_log.Faults);
        Assert.True(restored > 20, $"{restored} pages restored");
    }

    [Fact]
    public async Task Restoring_beside_running_answers_changes_none_of_them()
    {
        EngineOptions options = Rig.Options with { Pages = 40, PrefixSpill = _folder, ModelIdentity = "fake" };
        using FakeModel model = new(context: 2048);
        using InferenceEngine engine = new(model, options, logger: _log);
        int[] first = Rig.Prompt(1, 900), second = Rig.Prompt(2, 900), running = Rig.Prompt(3, 20);
        SamplingOptions endless = Rig.Greedy with { LogitBias = new Dictionary<int, float> { [Rig.Stop] = -100 } };
        await engine.Start(first, 3).Ended.Soon();
        await engine.Start(second, 3).Ended.Soon();
        RecordingSink answer = engine.Start(running, 200, endless);
        RecordingSink again = engine.Start(first, 3);
        await Task.WhenAll(answer.Ended.Soon(), again.Ended.Soon());
        Assert.Equal(Rig.Alone(model, running, 200, endless), answer.Tokens);
        Assert.Equal(Rig.Alone(model, first, 3), again.Tokens);
        Assert.True(engine.GetStatistics().RestoredPages > 0);
        await engine.AssertNoLeakAsync().Soon();
    }

    [Fact]
    public async Task Nothing_is_written_unless_switched_on()
    {
        string before = Environment.CurrentDirectory;
        using FakeModel model = new();
        using InferenceEngine engine = new(model, Rig.Options with { Pages = 8 });
        for (int i = 0; i < 5; i++)
            await engine.Start(Rig.Prompt(i, 150), 4).Ended.Soon();
        Assert.Equal(0, engine.GetStatistics().SpilledPages);
        Assert.False(Directory.Exists(_folder));
        Assert.Throws<ArgumentException>(() => new EngineOptions { PrefixSpill = before }.Validate());
    }

    private PrefixSpill? Open() => PrefixSpill.Open(_folder, 1 << 20, _identity, PageBytes, _log);

    private static byte[] Page(int value) => [.. Enumerable.Range(0, PageBytes).Select(i => (byte)(i * 31 + value))];

    private static byte[]? Read(PrefixSpill spill, SpillKey key)
    {
        byte[] page = new byte[PageBytes];
        return spill.TryRestore(key, page) ? page : null;
    }
}
