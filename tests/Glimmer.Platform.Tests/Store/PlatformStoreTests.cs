using System.Net;
using System.Net.Sockets;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Tests.Store;

public sealed class PlatformStoreTests
{
    private const string Poison = "'; DROP TABLE accounts; --\u0000\"\\\t\n%_中文😀";

    [Theory, EachStore]
    public void Opening_makes_the_schema_once(StoreKind kind)
    {
        using var test = new TestStore(kind);
        using (PlatformStore first = test.Open())
            Assert.Contains("0001_accounts", first.Upgrades);
        using PlatformStore second = test.Open();
        Assert.Empty(second.Upgrades);
        Assert.Equal(kind, second.Kind);
        Assert.DoesNotContain("Password", second.Description);
    }

    [Theory, EachStore]
    public void Values_come_back_as_they_went_in(StoreKind kind)
    {
        using var test = new TestStore(kind);
        using PlatformStore store = test.Open();
        string text = kind == StoreKind.Postgres ? Poison.Replace("\0", "", StringComparison.Ordinal) : Poison;
        long id = store.Write(session => Insert(session, text));
        Assert.Equal(text, store.Read(session => session.Scalar<string>("SELECT name FROM accounts WHERE id = @id", new { id })));
        (long number, string? nothing) = store.Read(session => session.First<(long, string?)>("SELECT version, NULL FROM accounts WHERE name = @text", new { text }));
        Assert.Equal(1, number);
        Assert.Null(nothing);
        long[] ids = [id, id + 1];
        Assert.Equal([id], store.Read(session => session.List<long>($"SELECT id FROM accounts WHERE {session.Dialect.In("id", "@ids")}", new { ids })));
    }

    [Theory, EachStore]
    public void A_transaction_that_throws_leaves_nothing(StoreKind kind)
    {
        using var test = new TestStore(kind);
        using PlatformStore store = test.Open();
        Assert.Throws<InvalidOperationException>(() => store.Write(session =>
        {
            Insert(session, "half");
            throw new InvalidOperationException();
        }));
        Assert.Equal(0, store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM accounts")));
        Exception twice = Assert.ThrowsAny<Exception>(() => store.Write(session =>
        {
            Insert(session, "a", "same");
            Insert(session, "b", "same");
        }));
        Assert.True(StoreDialect.IsDuplicate(twice));
        Assert.False(StoreDialect.IsTransient(twice));
    }

    [Fact]
    public async Task A_connection_that_is_closed_as_soon_as_it_is_made_is_the_databases_absence()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        Task closing = CloseAllAsync();
        var settings = new StoreSettings { DataFolder = "", ConnectionString = $"Host=127.0.0.1;Port={((IPEndPoint)listener.LocalEndpoint).Port};Username=u;Database=d;Timeout=30;Pooling=false" };
        using var connections = new StoreConnections(settings);

        // Whether the client notices before its first byte, with it or after it is a matter of microseconds.
        for (int i = 0; i < 500; i++)
        {
            Exception fault = Assert.ThrowsAny<Exception>(connections.OpenWriter);
            Assert.True(PlatformStore.IsAbsence(fault), fault.ToString());
        }

        listener.Stop();
        await closing;

        async Task CloseAllAsync()
        {
            try
            {
                while (true)
                    (await listener.AcceptSocketAsync()).Close(0);
            }
            catch (Exception fault) when (fault is SocketException or InvalidOperationException)
            {
                // The test has ended.
            }
        }
    }

    [Fact]
    public void The_sqlite_file_is_private_and_reading_sessions_cannot_write()
    {
        using var test = new TestStore(StoreKind.Sqlite);
        using PlatformStore store = test.Open();
        Assert.ThrowsAny<Exception>(() => store.Read(session => Insert(session, "no")));
        if (!OperatingSystem.IsWindows())
        {
            foreach (string file in Directory.GetFiles(test.Folder))
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(file));
        }

        Assert.Equal("wal", store.Read(session => session.Scalar<string>("PRAGMA journal_mode")));
    }

    [Theory]
    [InlineData(StoreDurability.Full, 2, "on")]
    [InlineData(StoreDurability.Normal, 1, "off")]
    [InlineData(StoreDurability.Off, 0, "off")]
    public void Durability_reaches_the_database(StoreDurability durability, int sqlite, string postgres)
    {
        using var file = new TestStore(StoreKind.Sqlite, change: settings => settings with { Durability = durability });
        using (PlatformStore store = file.Open())
            Assert.Equal(sqlite, store.Write(session => session.Scalar<long>("PRAGMA synchronous")));
        using var server = new TestStore(StoreKind.Postgres, change: settings => settings with { Durability = durability });
        using (PlatformStore store = server.Open())
            Assert.Equal(postgres, store.Write(session => session.Scalar<string>("SHOW synchronous_commit")));
    }

    [Fact]
    public void A_store_that_cannot_be_opened_is_named()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.File("glimmer.db"), new string('x', 5000));
        Assert.Contains(folder.File("glimmer.db"), Assert.Throws<StoreException>(() => PlatformStore.Open(new StoreSettings { DataFolder = folder.Path })).Message);
        File.WriteAllText(folder.File("occupied"), "");
        Assert.Contains("Glimmer:DataFolder", Assert.Throws<StoreException>(() => PlatformStore.Open(new StoreSettings { DataFolder = folder.File("occupied/x") })).Message);
        string message = Assert.Throws<StoreException>(() => PlatformStore.Open(new StoreSettings { DataFolder = folder.Path, ConnectionString = "Host=127.0.0.1;Port=1;Database=d;Username=u;Password=hush" })).Message;
        Assert.Contains("Glimmer:Store:ConnectionString", message);
        Assert.DoesNotContain("hush", message);
        Assert.Contains("Glimmer:Store:ConnectionString", Assert.Throws<StoreException>(() => PlatformStore.Open(new StoreSettings { DataFolder = folder.Path, ConnectionString = "nonsense" })).Message);
    }

    [Theory, EachStore]
    public void Many_processes_may_open_a_new_store_and_write_at_once(StoreKind kind)
    {
        using var test = new TestStore(kind);
        Parallel.For(0, 6, new ParallelOptions { MaxDegreeOfParallelism = 6 }, i =>
        {
            using PlatformStore store = test.Open();
            for (int j = 0; j < 20; j++)
                store.Write(session => Insert(session, $"{i} {j}"));
        });
        using PlatformStore all = test.Open();
        List<long> versions = all.Read(session => session.List<long>("SELECT version FROM accounts ORDER BY version"));
        Assert.Equal(Enumerable.Range(1, 120).Select(i => (long)i), versions);
    }

    [Theory, EachStore]
    public async Task Changes_of_another_process_are_told(StoreKind kind)
    {
        using var test = new TestStore(kind);
        await using PlatformStore here = test.Open();
        await using PlatformStore there = test.Open();
        var heard = new TaskCompletionSource<long>(TaskCreationOptions.RunContinuationsAsynchronously);
        int calls = 0;
        using IDisposable watch = here.Changes.Watch("accounts", 0, version =>
        {
            // A watcher that fails is asked again.
            if (Interlocked.Increment(ref calls) == 1)
                throw new InvalidOperationException();
            heard.TrySetResult(version);
        });
        await there.WriteAsync(session => Insert(session, "new"));
        Assert.Equal(1, await heard.Task.WaitAsync(TimeSpan.FromMinutes(2)));
    }

    [Theory, EachStore]
    public void A_snapshot_sees_one_state(StoreKind kind)
    {
        using var test = new TestStore(kind);
        using PlatformStore store = test.Open();
        store.Write(session => Insert(session, "first"));
        store.Read(session =>
        {
            long before = session.Scalar<long>("SELECT COUNT(*) FROM accounts");
            store.Write(other => Insert(other, "second"));
            Assert.Equal(before, session.Scalar<long>("SELECT COUNT(*) FROM accounts"));
            return 0;
        }, snapshot: true);
        Assert.Equal(2, store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM accounts")));
    }

    internal static long Insert(StoreSession session, string name, string? publicId = null) => session.Scalar<long>(
        "INSERT INTO accounts (public_id, name, created, version) VALUES (@publicId, @name, 0, @version) RETURNING id",
        new { publicId = publicId ?? Guid.NewGuid().ToString(), name, version = session.NextVersion("accounts") });
}
