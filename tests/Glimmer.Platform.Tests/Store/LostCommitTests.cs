using System.Collections.Concurrent;
using System.Globalization;
using Glimmer.Platform.Store;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Store;

/// <summary>What became of a commit that nobody answered.</summary>
public sealed class LostCommitTests
{
    // Before marks, 60 crashes were enough to see acknowledged writes lost: another transaction had got the number of theirs.
    private static readonly int _crashes = int.Parse(Environment.GetEnvironmentVariable("GLIMMER_CRASHES") ?? "3", CultureInfo.InvariantCulture);

    [Fact]
    public void A_transaction_is_not_taken_for_another_one_that_a_crashed_server_gave_its_number()
    {
        using var test = new TestStore(StoreKind.Postgres);
        using PlatformStore store = test.Open();
        using var connections = new StoreConnections(test.Settings);
        using StoreConnection connection = connections.OpenWriter();
        var lost = new CommitMark();
        var committed = new CommitMark();
        Assert.NotEqual(0, Leave(connection, lost, commit: false));
        long number = Leave(connection, committed, commit: true);
        Assert.True(StoreTransactions.WasCommitted(connections, number, committed, new TimeoutException(), goOn: null));
        Assert.False(StoreTransactions.WasCommitted(connections, number, lost, new TimeoutException(), goOn: null));

        // Nor for an earlier one of its own writer.
        Leave(connection, committed, commit: false);
        Assert.False(StoreTransactions.WasCommitted(connections, number, committed, new TimeoutException(), goOn: null));
        Assert.False(StoreTransactions.WasCommitted(connections, number + 1_000_000, committed, new TimeoutException(), goOn: null));

        static long Leave(StoreConnection connection, CommitMark mark, bool commit)
        {
            using System.Data.Common.DbTransaction transaction = connection.Connection.BeginTransaction();
            StoreSession session = connection.Session();
            session.Transaction = transaction;
            long number = mark.Leave(session, now: 0);
            if (commit)
                transaction.Commit();
            return number;
        }
    }

    [Fact]
    public void Marks_of_writers_long_gone_are_forgotten()
    {
        var time = new ManualTime();
        using var test = new TestStore(StoreKind.Postgres, time);
        using (PlatformStore old = test.Open())
            old.Write(static _ => { });
        time.Advance(TimeSpan.FromDays(31));
        using PlatformStore store = test.Open();
        store.Write(static _ => { });
        store.Write(static _ => { });
        Assert.Equal([time.GetUtcNow().ToUnixTimeMilliseconds()], store.Read(static session => session.List<long>("SELECT at FROM store_commits")));
    }

    [Fact]
    public void An_exchange_whose_connection_ends_says_that_the_database_is_away()
    {
        using var test = new TestStore(StoreKind.Postgres);
        using PlatformStore store = test.Open();
        Assert.Throws<StoreAwayException>(() => store.Exchange<int>(session =>
        {
            session.Connection.Close();
            throw new InvalidOperationException("The reader is closed");
        }));
        Assert.Throws<InvalidOperationException>(() => store.Exchange<int>(static _ => throw new InvalidOperationException("A fault of ours")));
    }

    [Fact]
    public async Task Writers_of_several_processes_lose_nothing_that_was_acknowledged_when_the_server_crashes()
    {
        using var postgres = PostgresCluster.Start();
        Assert.SkipWhen(postgres.Missing is not null, postgres.Missing ?? "");
        using var folder = new TemporaryFolder();
        PlatformStore[] stores = [.. Enumerable.Range(0, 4).Select(_ => PlatformStore.Open(new StoreSettings { ConnectionString = postgres.ConnectionString, DataFolder = folder.Path }))];
        stores[0].Write(session => session.Execute("CREATE TABLE lost_commits (id BIGINT PRIMARY KEY)"));
        using var stop = new CancellationTokenSource();
        long next = 0;
        var acknowledged = new ConcurrentBag<long>();
        Task[] writers = [.. Enumerable.Range(0, 32).Select(writer => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                long id = Interlocked.Increment(ref next);
                await stores[writer % stores.Length].Writes.WriteAsync(session => session.Execute("INSERT INTO lost_commits (id) VALUES (@id)", new { id }), patient: true);
                acknowledged.Add(id);
            }
        }))];
        for (int i = 0; i < _crashes; i++)
        {
            int before = acknowledged.Count;
            await Eventually.HoldsAsync(() => acknowledged.Count > before + 50);
            await Task.Run(postgres.Restart);
        }

        await stop.CancelAsync();
        await Task.WhenAll(writers);
        HashSet<long> stored = [.. stores[0].Read(session => session.List<long>("SELECT id FROM lost_commits"))];
        Assert.Superset(acknowledged.ToHashSet(), stored);
        Assert.Equal(acknowledged.Count, stored.Count);
        foreach (PlatformStore store in stores)
            await store.DisposeAsync();
    }
}
