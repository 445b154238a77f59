using System.Collections.Concurrent;
using System.Data;
using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Glimmer.Platform.Store;

/// <summary>
/// The platform's database: a SQLite file in the data folder, or PostgreSQL. Opening it brings its schema up to date.
/// Nothing on the path of a request waits for it: what requests need lives in memory and follows it, what they leave
/// behind goes through <see cref="Writes"/>.
/// </summary>
public sealed class PlatformStore : IAsyncDisposable, IDisposable
{
    private const int CheckpointTries = 12;
    private readonly StoreConnections _connections;
    private readonly SemaphoreSlim _readers = new(16);
    private readonly ConcurrentQueue<Task> _lastWrites = new();
    private int _disposed;

    private PlatformStore(StoreSettings settings, StoreConnections connections, IReadOnlyList<string> upgrades)
    {
        Settings = settings;
        _connections = connections;
        Upgrades = upgrades;
        Presence = new StorePresence(settings);
        Changes = new StoreChanges(connections, Presence, settings);
        Writes = new WriteQueue(connections, Changes, Presence, settings);
    }

    /// <summary>Which database it is.</summary>
    public StoreKind Kind => Dialect.Kind;

    /// <summary>What was opened, for messages and logs; never holds a password.</summary>
    public string Description => Describe(Settings);

    /// <summary>The steps of the schema that opening applied, such as <c>0001_accounts</c>.</summary>
    public IReadOnlyList<string> Upgrades { get; }

    /// <summary>The steps of a newer version that it has; this version goes on with them.</summary>
    public IReadOnlyList<string> Newer { get; private set; } = [];

    /// <summary>Whether opening made it.</summary>
    public bool IsNew => Upgrades.Count == StoreMigrations.Of(Kind).Count;

    /// <summary>Something an operator should know about the database, or null.</summary>
    public string? Warning => Kind == StoreKind.Sqlite && SqliteEngine.IsBundled
        ? $"The bundled SQLite {SqliteEngine.Version} is in use, which gets no fixes. Install the system's library (libsqlite3-0)."
        : null;

    /// <summary>Why writes wait now (the database is away, the disk is full); null when all is well.</summary>
    public string? Trouble => Writes.Trouble?.Message;

    /// <summary>Whether the database answers.</summary>
    public StorePresence Presence { get; }

    /// <summary>Called when following changes or a write that nobody waits for failed.</summary>
    public Action<Exception>? Faulted
    {
        get => Changes.Faulted;
        set
        {
            Changes.Faulted = value;
            Writes.PostFailed = value;
        }
    }

    internal StoreSettings Settings { get; }

    internal StoreDialect Dialect => _connections.Dialect;

    /// <summary>The background writer.</summary>
    internal WriteQueue Writes { get; }

    /// <summary>News of changes, also those of other processes.</summary>
    internal StoreChanges Changes { get; }

    internal TimeProvider Time => Settings.Time;

    /// <summary>Now, as the store keeps instants: UTC in milliseconds since 1970.</summary>
    internal long Now => Settings.Time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>Now, for instants that nodes compare with each other: by the database's clock where there are several (<see cref="StoreSettings.DatabaseClock"/>).</summary>
    internal long SharedNow(StoreSession session) => Settings.DatabaseClock ? session.Scalar<long>("SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint") : Now;

    /// <summary>
    /// Loads what opening a SQLite store needs, whichever it is: the native library, the steps of the schema, and the code that asks. For another
    /// thread, while the settings are still read; opening works without it.
    /// </summary>
    /// <exception cref="StoreException">There is no SQLite library.</exception>
    public static void WarmUp()
    {
        _ = SqliteEngine.Version;
        _ = StoreMigrations.Of(StoreKind.Sqlite);
        using var memory = new SqliteConnection("Data Source=:memory:");
        memory.Open();
        using var connection = new StoreConnection(memory, StoreDialect.Sqlite);
        StoreMigrations.Create(connection.Session());
    }

    /// <summary>Opens the store and brings its schema up to date.</summary>
    /// <exception cref="StoreException">It cannot be opened, or was written by a newer version.</exception>
    public static PlatformStore Open(StoreSettings settings) => Open(settings, StoreMigrations.Of(settings.Kind));

    /// <summary>Opens the store with a schema of its own, for tests of upgrades.</summary>
    internal static PlatformStore Open(StoreSettings settings, IReadOnlyList<StoreMigration> steps)
    {
        var connections = new StoreConnections(settings);
        try
        {
            IReadOnlyList<StoreMigration> applied = StoreMigrations.Apply(connections, steps, settings.Time.GetUtcNow());
            var store = new PlatformStore(settings, connections, [.. applied.Select(step => step.ToString())]);
            store.Newer = store.Read(session => StoreMigrations.Newer(session, steps));
            return store;
        }
        catch (Exception fault)
        {
            connections.Dispose();
            if (fault is DbException)
                throw Unusable(settings, fault);
            throw;
        }
    }

    /// <summary>Whether something failed because PostgreSQL does not answer, so that it may work later.</summary>
    public static bool IsAbsence(Exception? fault)
    {
        for (; fault is not null; fault = fault.InnerException)
        {
            if (fault is StoreAwayException || StoreDialect.IsAbsence(fault))
                return true;
        }

        return false;
    }

    /// <summary>Reads on the calling thread.</summary>
    /// <param name="read">Gets a session that must not write. Runs again when the connection was lost.</param>
    /// <param name="snapshot">Whether all its statements see the same state.</param>
    /// <exception cref="StoreAwayException">The database is away.</exception>
    internal T Read<T>(Func<StoreSession, T> read, bool snapshot = false)
    {
        for (int attempt = 0; ; attempt++)
        {
            ObjectDisposedException.ThrowIf(_disposed != 0, this);
            if (Presence.IsAway)
                throw new StoreAwayException();
            StoreConnection? connection = null;
            bool healthy = false;
            try
            {
                connection = _connections.Rent();
                StoreSession session = connection.Session();
                using DbTransaction? transaction = snapshot ? StoreTransactions.BeginSnapshot(connection.Connection) : null;
                session.Transaction = transaction;
                T result = read(session);
                healthy = true;
                return result;
            }
            catch (Exception fault) when (attempt < 3 && StoreDialect.IsTransient(fault))
            {
                // A connection of the pool whose server went away; the next one is made anew.
            }
            catch (Exception fault) when (StoreDialect.IsAbsence(fault))
            {
                throw new StoreAwayException(fault);
            }
            finally
            {
                if (connection is not null)
                    _connections.Return(connection, healthy);
            }
        }
    }

    /// <summary>Reads on the thread pool, a bounded number at a time.</summary>
    internal async Task<T> ReadAsync<T>(Func<StoreSession, T> read, bool snapshot = false, CancellationToken cancel = default)
    {
        await _readers.WaitAsync(cancel);
        try
        {
            return await Task.Run(() => Read(read, snapshot), cancel);
        }
        finally
        {
            _readers.Release();
        }
    }

    /// <summary>Writes in a transaction of its own on the calling thread, for commands and start-up. Tries again what may pass.</summary>
    /// <param name="write">May run more than once; touches nothing but its session.</param>
    internal T Write<T>(Func<StoreSession, T> write)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                T result = default!;
                using StoreConnection connection = _connections.OpenWriter();
                Changes.Tell(StoreTransactions.Run(_connections, connection, session => result = write(session)));
                return result;
            }
            catch (Exception fault) when (attempt < 8 && StoreDialect.IsTransient(fault))
            {
                Thread.Sleep(10 << attempt);
            }
        }
    }

    /// <inheritdoc cref="Write{T}"/>
    internal void Write(Action<StoreSession> write) =>
        Write(session =>
        {
            write(session);
            return true;
        });

    /// <summary>Runs one transaction on the calling thread, once. When it throws, nobody knows whether it was committed.</summary>
    internal T Exchange<T>(Func<StoreSession, T> write)
    {
        ObjectDisposedException.ThrowIf(_disposed != 0, this);
        using StoreConnection connection = _connections.OpenWriter();
        try
        {
            T result = default!;
            StoreTransactions.Make(connection, session => result = write(session));
            return result;
        }
        catch (InvalidOperationException fault) when (connection.Connection.State != ConnectionState.Open)
        {
            // One who was reading when the connection ended may say that the reader is closed, and not why.
            throw new StoreAwayException(fault);
        }
    }

    /// <summary>Writes through the background writer; goes on when it is durable. See <see cref="WriteQueue"/>.</summary>
    internal Task<T> WriteAsync<T>(Func<StoreSession, T> write, CancellationToken cancel) => Writes.WriteAsync(write, patient: false, cancel: cancel);

    /// <inheritdoc cref="WriteAsync{T}(Func{StoreSession, T}, CancellationToken)"/>
    internal Task<T> WriteAsync<T>(Func<StoreSession, T> write, bool patient = false, CancellationToken cancel = default) => Writes.WriteAsync(write, patient, cancel: cancel);

    /// <summary>Moves SQLite's log into the file and empties it, so that deleted data is gone from both. Nothing to do elsewhere.</summary>
    internal void Checkpoint()
    {
        if (Kind != StoreKind.Sqlite)
            return;
        using StoreConnection connection = _connections.OpenWriter();

        // Not 0 when somebody still reads what is in the log. Each try waits for readers as long as a writer does.
        for (int tries = 1; connection.Session().Scalar<long>("PRAGMA wal_checkpoint(TRUNCATE)") != 0; tries++)
        {
            if (tries < CheckpointTries)
                continue;
            Faulted?.Invoke(new StoreException($"The log of {Settings.FilePath} could not be emptied, because something has been reading it for a minute: what was deleted is in it until the next time."));
            return;
        }
    }

    /// <summary>Copies the store to a file while it is used. See <see cref="StoreBackup"/>.</summary>
    /// <param name="path">The file to make; must not exist.</param>
    /// <param name="portable">Whether to write the portable form on SQLite too, which PostgreSQL can restore.</param>
    /// <exception cref="StoreException">The file exists or cannot be written.</exception>
    public void Backup(string path, bool portable = false) => StoreBackup.Write(this, _connections, path, portable);

    /// <summary>The steps of the schema that it has, the first one first, such as <c>0001_accounts</c>.</summary>
    public IReadOnlyList<string> Steps() => Read(session =>
        (StoreMigrations.Applied(session) ?? []).Select(step => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{step.Number:0000}_{step.Name}")).ToList());

    /// <summary>Has the database check itself; empty when it finds nothing. Reads every page of SQLite's file; PostgreSQL answers for itself.</summary>
    public IReadOnlyList<string> Check()
    {
        if (Kind != StoreKind.Sqlite)
            return [];
        return Read(session =>
        {
            List<string> faults = session.List<string>("PRAGMA integrity_check(100)");
            faults.Remove("ok");
            using DbDataReader foreign = session.Read("PRAGMA foreign_key_check");
            while (faults.Count < 100 && foreign.Read())
                faults.Add($"A row of {foreign.GetValue(0)} (number {foreign.GetValue(1)}) refers to a row of {foreign.GetValue(2)} that is not there.");
            return faults;
        });
    }

    /// <summary>Makes a store from a backup. The store must not exist yet.</summary>
    /// <param name="settings">The store to make.</param>
    /// <param name="path">A backup of either form.</param>
    /// <exception cref="StoreException">There is a store already, or the file is not a whole backup.</exception>
    public static void Restore(StoreSettings settings, string path) => StoreBackup.Restore(settings, path);

    /// <summary>Writes what waits and closes.</summary>
    public async ValueTask DisposeAsync()
    {
        Changes.Close();   // first: a watcher that meets the closing store knows then why
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
            return;
        var followed = Task.WhenAll(_lastWrites);
        await Writes.StopAsync(followed);
        await followed.WaitAsync(TimeSpan.FromSeconds(5)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Changes.Dispose();
        _connections.Dispose();   // not the readers' semaphore: who waits for it hears then that the store is closed
    }

    /// <summary>Has the closing of the store take the writes of one who still gives them, and wait for what follows the last one, stored or failed.</summary>
    /// <param name="lastWrite">Completes when that is done.</param>
    internal void WaitFor(Task lastWrite) => _lastWrites.Enqueue(lastWrite);

    /// <inheritdoc cref="DisposeAsync"/>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    internal static StoreException Unusable(StoreSettings settings, Exception fault) => fault is SqliteException
        ? new StoreException($"The store {settings.FilePath} cannot be opened: {fault.Message} Make it readable and writable, restore a backup, or choose another folder (Glimmer:DataFolder).", fault)
        : new StoreException($"The store {Describe(settings)} cannot be opened: {fault.Message} Start PostgreSQL, or correct Glimmer:Store:ConnectionString.", fault);

    private static string Describe(StoreSettings settings)
    {
        if (settings.Kind == StoreKind.Sqlite)
            return settings.FilePath;
        var text = new NpgsqlConnectionStringBuilder(settings.ConnectionString);
        return $"{text.Database ?? text.Username} on {text.Host}:{text.Port}";
    }
}
