namespace Glimmer.Platform.Store;

/// <summary>Which database holds the store.</summary>
public enum StoreKind
{
    /// <summary>One SQLite file in the data folder.</summary>
    Sqlite,

    /// <summary>A PostgreSQL database, which several nodes may share.</summary>
    Postgres,
}

/// <summary>
/// What a finished write survives. Every level survives <c>kill -9</c> of this process, and none ever leaves half of a
/// transaction behind.
/// </summary>
public enum StoreDurability
{
    /// <summary>
    /// Power loss loses nothing. SQLite: <c>synchronous=FULL</c>, the write-ahead log is synced at every commit (group
    /// commit shares the sync). PostgreSQL: <c>synchronous_commit</c> as the server is configured.
    /// </summary>
    Full,

    /// <summary>
    /// Power loss or a crash of the operating system may lose the last commits. SQLite: <c>synchronous=NORMAL</c>, those
    /// since the last checkpoint. PostgreSQL: <c>synchronous_commit=off</c>, those of less than a second.
    /// </summary>
    Normal,

    /// <summary>
    /// Power loss may also damage a SQLite file (<c>synchronous=OFF</c>): for tests and data that can be made again.
    /// On PostgreSQL the same as <see cref="Normal"/>.
    /// </summary>
    Off,
}

/// <summary>Where the store is and how it is kept.</summary>
public sealed record StoreSettings
{
    /// <summary>Name of the SQLite file in the data folder.</summary>
    public const string FileName = "glimmer.db";

    /// <summary>Folder of the SQLite file; made when it is missing.</summary>
    public required string DataFolder { get; init; }

    /// <summary>
    /// Npgsql connection string of a PostgreSQL database; empty for SQLite. Several stores share one database when each
    /// has a <c>Search Path</c> of its own.
    /// </summary>
    public string ConnectionString { get; init; } = "";

    /// <summary>What a finished write survives.</summary>
    public StoreDurability Durability { get; init; } = StoreDurability.Full;

    /// <summary>Most writes that may wait for the writer; more wait for room.</summary>
    public int WriteQueueLimit { get; init; } = 65_536;

    /// <summary>Most writes in one transaction of the writer.</summary>
    public int WriteBatchLimit { get; init; } = 2_048;

    /// <summary>How often another process's changes are looked for.</summary>
    public TimeSpan ChangePoll { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>
    /// Whether instants that nodes compare with each other (leases) are the database's, so that no node's clock matters. On PostgreSQL, unless
    /// a clock of one's own was given.
    /// </summary>
    public bool DatabaseClock
    {
        get => Kind == StoreKind.Postgres && (_databaseClock ?? ReferenceEquals(Time, TimeProvider.System));
        init => _databaseClock = value;
    }

    private readonly bool? _databaseClock;

    /// <summary>The kind that the settings choose.</summary>
    public StoreKind Kind => ConnectionString.Length == 0 ? StoreKind.Sqlite : StoreKind.Postgres;

    /// <summary>Path of the SQLite file.</summary>
    public string FilePath => Path.Combine(Path.GetFullPath(DataFolder), FileName);
}

/// <summary>The store cannot be opened, upgraded, backed up or restored. The message names the cause and what to do.</summary>
public sealed class StoreException : Exception
{
    /// <summary>With the message to show.</summary>
    public StoreException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
