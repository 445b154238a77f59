using System.Text;
using Glimmer.Platform.Nodes;
using Glimmer.Platform.Store;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Nodes;

public sealed class NodeJournalTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    [Theory]
    [InlineData(StoreDurability.Full)]
    [InlineData(StoreDurability.Off)]
    public void What_was_appended_is_read_again_in_its_order(StoreDurability durability)
    {
        byte[][] records = [[], [1], [.. Enumerable.Range(0, 5000).Select(static i => (byte)i)]];
        using (NodeJournal journal = Make(durability: durability))
        {
            Assert.True(journal.IsEmpty);
            Assert.True(journal.TryAppend([records[0], records[1]]));
            Assert.True(journal.TryAppend([records[2]]));
            Assert.Empty(NodeJournal.Orphans(_folder.Path));   // its process lives
        }

        using NodeJournalReader orphan = Assert.Single(NodeJournal.Orphans(_folder.Path));
        List<byte[]> read = orphan.Read(out long torn);
        Assert.Equal(0, torn);
        Assert.Equal("head", Encoding.UTF8.GetString(read[0]));
        Assert.Equal(records, read.Skip(1));
        orphan.Delete();
        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void A_file_that_holds_nothing_goes_with_its_process()
    {
        using (NodeJournal journal = Make())
        {
            Assert.True(journal.TryAppend([new byte[10]]));
            journal.Clear();
            Assert.True(journal.IsEmpty);
        }

        Assert.Empty(Directory.GetFiles(_folder.Path));
    }

    [Fact]
    public void It_never_grows_beyond_its_limit()
    {
        using NodeJournal journal = Make(limit: 200);
        int room = 0;
        while (journal.TryAppend([new byte[20]]))
            room++;
        Assert.InRange(room, 5, 7);
        Assert.InRange(journal.Length, 150, 200);
        Assert.Throws<ArgumentOutOfRangeException>(() => journal.TryAppend([new byte[NodeJournal.MostRecord + 1]]));
    }

    [Fact]
    public void However_it_was_torn_or_damaged_whole_records_before_are_read_and_nothing_else()
    {
        var random = new Random(7);
        byte[][] records = [.. Enumerable.Range(0, 12).Select(i => Bytes(random, random.Next(0, 60)))];
        using (NodeJournal journal = Make())
            Assert.True(journal.TryAppend([.. records.Select(static record => (ReadOnlyMemory<byte>)record)]));
        byte[] whole = File.ReadAllBytes(Assert.Single(Directory.GetFiles(_folder.Path)));
        List<int> ends = [16 + 4];   // magic, then the head's frame and text
        foreach (byte[] record in records)
            ends.Add(ends[^1] + 8 + record.Length);
        Assert.Equal(whole.Length, ends[^1]);
        for (int length = 0; length <= whole.Length; length++)
            Assert.Equal(ends.Count(end => end <= length), NodeJournal.Read(new MemoryStream(whole[..length]), out _).Count);
        int cases = int.TryParse(Environment.GetEnvironmentVariable("GLIMMER_FUZZ_CASES"), out int asked) ? asked : 2000;
        for (int i = 0; i < cases; i++)
        {
            byte[] damaged = [.. whole];
            int at = random.Next(damaged.Length);
            damaged[at] ^= (byte)random.Next(1, 256);
            List<byte[]> read = NodeJournal.Read(new MemoryStream(damaged), out long torn);
            int intact = at < 8 ? 0 : ends.Count(end => end <= at);
            Assert.Equal(intact, read.Count);
            Assert.True(torn > 0);
        }

        for (int i = 0; i < cases; i++)
            _ = NodeJournal.Read(new MemoryStream([.. whole[..8], .. Bytes(random, random.Next(200))]), out _);
    }

    public void Dispose() => _folder.Dispose();

    private static byte[] Bytes(Random random, int length)
    {
        byte[] bytes = new byte[length];
        random.NextBytes(bytes);
        return bytes;
    }

    private NodeJournal Make(long limit = 1 << 20, StoreDurability durability = StoreDurability.Normal) => NodeJournal.Create(_folder.Path, "ledger-1", "head"u8, limit, durability);
}
