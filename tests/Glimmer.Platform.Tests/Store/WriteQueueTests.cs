using Glimmer.Platform.Store;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Store;

public sealed class WriteQueueTests
{
    [Theory, EachStore]
    public async Task Writes_of_many_callers_share_transactions_and_keep_their_order(StoreKind kind)
    {
        using var test = new TestStore(kind);
        await using PlatformStore store = test.Open();
        Create(store);
        Task gate = Hold(store, out ManualResetEventSlim release);
        Task[] writers = [.. Enumerable.Range(0, 8).Select(w => Task.Run(async () =>
        {
            for (int i = 0; i < 100; i++)
                Assert.Equal(1, await store.WriteAsync(session => session.Execute("INSERT INTO notes (writer, number) VALUES (@w, @i)", new { w, i })));
        }))];
        await Eventually.HoldsAsync(() => store.Writes.Waiting >= 8);
        release.Set();
        await gate;
        await Task.WhenAll(writers);
        Assert.Equal(800, Count(store));
        Assert.True(store.Writes.Batches < store.Writes.Written);
        for (int w = 0; w < 8; w++)
            Assert.Equal(Enumerable.Range(0, 100).Select(i => (long)i), store.Read(session => session.List<long>("SELECT number FROM notes WHERE writer = @w ORDER BY id", new { w })));
    }

    [Theory, EachStore]
    public async Task A_bad_write_fails_alone(StoreKind kind)
    {
        using var test = new TestStore(kind);
        await using PlatformStore store = test.Open();
        Create(store);
        Exception? unheard = null;
        store.Writes.PostFailed = fault => unheard = fault;
        Task gate = Hold(store, out ManualResetEventSlim release);
        var tasks = new List<Task>();
        for (int i = 0; i < 50; i++)
        {
            int number = i;
            tasks.Add(store.WriteAsync(session => session.Execute(number % 10 == 7 ? "INSERT INTO nothing VALUES (1)" : "INSERT INTO notes (writer, number) VALUES (1, @number)", new { number })));
        }

        Assert.True(store.Writes.TryPost(session => session.Execute("INSERT INTO nothing VALUES (2)")));
        release.Set();
        await gate;
        for (int i = 0; i < 50; i++)
        {
            if (i % 10 == 7)
                await Assert.ThrowsAnyAsync<System.Data.Common.DbException>(() => tasks[i]);
            else
                await tasks[i];
        }

        await store.Writes.FlushAsync();
        Assert.NotNull(unheard);
        Assert.Equal(Enumerable.Range(0, 50).Where(i => i % 10 != 7).Select(i => (long)i), store.Read(session => session.List<long>("SELECT number FROM notes ORDER BY id")));
    }

    [Theory, EachStore]
    public async Task A_lane_hands_over_neighbours_at_once(StoreKind kind)
    {
        using var test = new TestStore(kind);
        await using PlatformStore store = test.Open();
        Create(store);
        int calls = 0;
        WriteLane<long> lane = store.Writes.Lane<long>((session, values) =>
        {
            calls++;
            foreach (long value in values)
                session.Statement("INSERT INTO notes (writer, number) VALUES (@p0, @p1)").With(5).With(value).Execute();
        });
        Task gate = Hold(store, out ManualResetEventSlim release);
        for (int i = 0; i < 99; i++)
            Assert.True(lane.TryPost(i));
        Task last = lane.WriteAsync(99);
        release.Set();
        await Task.WhenAll(gate, last);
        Assert.Equal(1, calls);
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (long)i), store.Read(session => session.List<long>("SELECT number FROM notes WHERE writer = 5 ORDER BY id")));
        await lane.WriteAsync(100);
        Assert.Equal(101, Count(store));
    }

    [Theory, EachStore]
    public async Task A_full_queue_refuses_posts_and_makes_others_wait(StoreKind kind)
    {
        using var test = new TestStore(kind, change: settings => settings with { WriteQueueLimit = 4 });
        await using PlatformStore store = test.Open();
        Create(store);
        Task gate = Hold(store, out ManualResetEventSlim release);
        for (int i = 0; i < 4; i++)
            Assert.True(store.Writes.TryPost(session => session.Execute("INSERT INTO notes (writer, number) VALUES (1, 1)")));
        Assert.False(store.Writes.TryPost(static _ => { }));
        using var cancel = new CancellationTokenSource();
        Task given = store.WriteAsync(session => session.Execute("INSERT INTO notes (writer, number) VALUES (1, 2)"), cancel.Token);
        Assert.False(given.IsCompleted);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => given);
        release.Set();
        await gate;
        await store.Writes.FlushAsync();
        Assert.Equal(4, Count(store));
    }

    [Theory, EachStore]
    public async Task Closing_writes_what_waits_and_takes_no_more(StoreKind kind)
    {
        using var test = new TestStore(kind);
        PlatformStore store = test.Open();
        Create(store);
        for (int i = 0; i < 500; i++)
            Assert.True(store.Writes.TryPost(session => session.Execute("INSERT INTO notes (writer, number) VALUES (1, 1)")));
        await store.DisposeAsync();
        await store.DisposeAsync();
        Assert.False(store.Writes.TryPost(static _ => { }));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => store.WriteAsync(static _ => 1));
        using PlatformStore again = test.Open();
        Assert.Equal(500, Count(again));
    }

    [Theory, EachStore]
    public async Task Closing_takes_the_writes_of_one_who_gives_each_when_the_one_before_is_stored(StoreKind kind)
    {
        using var test = new TestStore(kind);
        PlatformStore store = test.Open();
        Create(store);
        _ = Hold(store, out ManualResetEventSlim release);
        store.WaitFor(GiveAsync());
        Task closing = store.DisposeAsync().AsTask();
        release.Set();
        await closing;
        using PlatformStore again = test.Open();
        Assert.Equal(20, Count(again));

        async Task GiveAsync()
        {
            for (int i = 0; i < 20; i++)
            {
                await store.WriteAsync(session => session.Execute("INSERT INTO notes (writer, number) VALUES (1, 1)"));
                await Task.Delay(1);
            }
        }
    }

    [Fact]
    public async Task A_lock_held_elsewhere_is_waited_out()
    {
        using var test = new TestStore(StoreKind.Sqlite);
        await using PlatformStore store = test.Open();
        await using PlatformStore other = test.Open();
        Create(store);
        using var held = new ManualResetEventSlim();
        Task<int>? write = null;
        other.Write(session =>
        {
            session.Execute("INSERT INTO notes (writer, number) VALUES (9, 9)");
            write = store.WriteAsync(inner => inner.Execute("INSERT INTO notes (writer, number) VALUES (1, 1)"));
            Thread.Sleep(100);
            Assert.False(write.IsCompleted);
        });
        await write!;
        Assert.Equal(2, Count(store));
    }

    [Fact]
    public async Task A_lost_connection_is_made_again_and_nothing_is_written_twice()
    {
        using var test = new TestStore(StoreKind.Postgres);
        await using PlatformStore store = test.Open();
        Create(store);
        string name = new Npgsql.NpgsqlConnectionStringBuilder(test.Settings.ConnectionString).ApplicationName!;
        Task[] writes = [.. Enumerable.Range(0, 200).Select(i => Task.Run(() => store.WriteAsync(session => session.Execute("INSERT INTO notes (writer, number) VALUES (1, @i)", new { i }))))];
        int killed = 0;
        for (int i = 0; i < 10; i++)
            killed += TestStore.Administer($"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{name}'");
        await Task.WhenAll(writes);
        Assert.Equal(Enumerable.Range(0, 200).Select(i => (long)i), store.Read(session => session.List<long>("SELECT number FROM notes ORDER BY number")));
        Assert.True(killed > 0);
        Assert.Null(store.Trouble);
    }

    private static void Create(PlatformStore store) => store.Write(session => session.Execute(session.Dialect.Kind == StoreKind.Sqlite
        ? "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, writer BIGINT, number BIGINT)"
        : "CREATE TABLE notes (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, writer BIGINT, number BIGINT)"));

    private static long Count(PlatformStore store) => store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM notes"));

    /// <summary>Keeps the writer busy, so that what follows gathers into one batch.</summary>
    private static Task Hold(PlatformStore store, out ManualResetEventSlim release)
    {
        var began = new ManualResetEventSlim();
        var go = new ManualResetEventSlim();
        Task task = store.Writes.WriteAsync(_ =>
        {
            began.Set();
            go.Wait();
        });
        Assert.True(began.Wait(Eventually.Patience));
        release = go;
        return task;
    }
}
