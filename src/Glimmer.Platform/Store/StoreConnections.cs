using System.Collections.Concurrent;
using System.Data.Common;
using Microsoft.Data.Sqlite;
using Npgsql;

namespace Glimmer.Platform.Store;

/// <summary>A connection and what is prepared on it.</summary>
internal sealed class StoreConnection(DbConnection connection, StoreDialect dialect) : IDisposable
{
    private readonly StoreStatements _statements = new();

    public DbConnection Connection { get; } = connection;

    public StoreSession Session() => new(Connection, dialect, _statements);

    public void Dispose()
    {
        _statements.Clear();
        Connection.Dispose();
    }
}

/// <summary>Opens connections with the store's settings, and keeps some that read.</summary>
internal sealed class StoreConnections : IDisposable
{
    private const int MaxIdle = 8;
    private readonly ConcurrentBag<StoreConnection> _idle = [];
    private readonly ConcurrentBag<CommitMark> _marks = [];
    private readonly TimeProvider _time;
    private readonly NpgsqlDataSource? _postgres;
    private readonly string _sqlite = "";
    private readonly string _synchronous;
    private volatile bool _closed;

    /// <exception cref="StoreException">The folder cannot be used or the connection string is wrong.</exception>
    public StoreConnections(StoreSettings settings)
    {
        _time = settings.Time;
        _synchronous = settings.Durability switch { StoreDurability.Full => "FULL", StoreDurability.Normal => "NORMAL", _ => "OFF" };
        if (settings.Kind == StoreKind.Postgres)
        {
            Dialect = StoreDialect.Postgres;
            _postgres = Postgres(settings);
            return;
        }

        Dialect = StoreDialect.Sqlite;
        _ = SqliteEngine.Version;
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(settings.FilePath)!);

            // Made here so that only its owner may read it; SQLite gives the files beside it the same rights.
            var options = new FileStreamOptions { Mode = FileMode.OpenOrCreate, Access = FileAccess.ReadWrite, Share = FileShare.ReadWrite | FileShare.Delete };
            if (!OperatingSystem.IsWindows())
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            if (!File.Exists(settings.FilePath))
                new FileStream(settings.FilePath, options).Dispose();
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"The store {settings.FilePath} cannot be made: {fault.Message} Make its folder writable, or choose another one (Glimmer:DataFolder).", fault);
        }

        _sqlite = new SqliteConnectionStringBuilder { DataSource = settings.FilePath, Mode = SqliteOpenMode.ReadWrite, ForeignKeys = true, Pooling = false, DefaultTimeout = 30 }.ToString();
    }

    public StoreDialect Dialect { get; }

    /// <summary>Milliseconds since 1970.</summary>
    public long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    /// <summary>A connection that may write. The caller keeps and disposes it.</summary>
    public StoreConnection OpenWriter()
    {
        if (_postgres is not null)
            return new StoreConnection(Connect(_postgres), Dialect);
        return OpenSqlite(readOnly: false);
    }

    /// <summary>A connection that only reads; give it back with <see cref="Return(StoreConnection, bool)"/>.</summary>
    public StoreConnection Rent()
    {
        if (_idle.TryTake(out StoreConnection? idle))
            return idle;
        return _postgres is not null ? new StoreConnection(Connect(_postgres), Dialect) : OpenSqlite(readOnly: true);
    }

    /// <summary>Takes a reading connection back; one that failed is closed.</summary>
    public void Return(StoreConnection connection, bool healthy)
    {
        // PostgreSQL's connections have a pool of their own, which also notices dead ones.
        if (healthy && _postgres is null && !_closed && _idle.Count < MaxIdle)
            _idle.Add(connection);
        else
            connection.Dispose();
    }

    /// <summary>A mark for one transaction; give it back with <see cref="Return(CommitMark)"/>.</summary>
    public CommitMark RentMark() => _marks.TryTake(out CommitMark? mark) ? mark : new CommitMark();

    /// <summary>Takes a mark back once it is known what became of the transaction, or nobody asks any more.</summary>
    public void Return(CommitMark mark) => _marks.Add(mark);

    /// <summary>Forgets the connections of the pool: their server went away, and the next one shall be a new one.</summary>
    public void Forget() => _postgres?.Clear();

    /// <summary>A PostgreSQL connection outside the pool, for listening.</summary>
    public NpgsqlConnection OpenListener() => Connect(_postgres!);

    private static NpgsqlConnection Connect(NpgsqlDataSource postgres)
    {
        try
        {
            return postgres.OpenConnection();
        }
        catch (IOException fault)
        {
            // Npgsql wraps what sockets throw, but not that one was closed between its connecting and its first use.
            throw new NpgsqlException("The connection was closed as soon as it was made.", fault);
        }
    }

    public void Dispose()
    {
        _closed = true;
        while (_idle.TryTake(out StoreConnection? connection))
            connection.Dispose();
        _postgres?.Dispose();
    }

    private StoreConnection OpenSqlite(bool readOnly)
    {
        var connection = new SqliteConnection(_sqlite);
        try
        {
            connection.Open();
            using SqliteCommand command = connection.CreateCommand();

            // secure_delete: what a person had deleted is gone from the file, not only from its tables.
            command.CommandText =
                $"PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous={_synchronous}; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-16384;"
                + $"PRAGMA journal_size_limit=67108864; PRAGMA secure_delete=ON; PRAGMA query_only={(readOnly ? 1 : 0)};";
            command.ExecuteNonQuery();
            return new StoreConnection(connection, Dialect);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    private static NpgsqlDataSource Postgres(StoreSettings settings)
    {
        try
        {
            var text = new NpgsqlConnectionStringBuilder(settings.ConnectionString);
            if (text.MaxAutoPrepare == 0)
                text.MaxAutoPrepare = 128;
            text.ApplicationName ??= "glimmer";
            if (settings.Durability != StoreDurability.Full)
                text.Options = $"{text.Options} -c synchronous_commit=off".Trim();
            return NpgsqlDataSource.Create(text);
        }
        catch (Exception fault) when (fault is ArgumentException or FormatException or KeyNotFoundException)
        {
            throw new StoreException($"The setting Glimmer:Store:ConnectionString is not a connection string: {fault.Message} Use for example \"Host=localhost;Database=glimmer;Username=glimmer;Password=…\".", fault);
        }
    }
}
