using Microsoft.Data.Sqlite;
using Npgsql;

namespace Glimmer.Platform.Store;

/// <summary>
/// The few places where the two databases want different words. SQL everywhere else runs on both: parameters as
/// <c>@name</c>, integers and instants as BIGINT, truth as 0 and 1, bytes as BLOB or BYTEA, <c>RETURNING</c>,
/// <c>ON CONFLICT … DO UPDATE</c>; no <c>-&gt;&gt;</c>, no STRICT, no date functions.
/// </summary>
internal sealed class StoreDialect
{
    public static readonly StoreDialect Sqlite = new(StoreKind.Sqlite);
    public static readonly StoreDialect Postgres = new(StoreKind.Postgres);

    private StoreDialect(StoreKind kind) => Kind = kind;

    public StoreKind Kind { get; }

    /// <summary>Ends a SELECT whose rows are about to be changed. SQLite's writers are alone anyway.</summary>
    public string ForUpdate => Kind == StoreKind.Postgres ? " FOR UPDATE" : "";

    /// <summary>A column's value in a list parameter (an array).</summary>
    public string In(string column, string parameter) => Kind == StoreKind.Postgres ? $"{column} = ANY({parameter})" : $"{column} IN {parameter}";

    /// <summary>Whether trying the same transaction again may succeed: somebody else's lock, a lost connection, a full disk.</summary>
    public static bool IsTransient(Exception fault) => fault switch
    {
        // BUSY, LOCKED, NOMEM, IOERR, FULL, CANTOPEN, PROTOCOL
        SqliteException sqlite => sqlite.SqliteErrorCode is 5 or 6 or 7 or 10 or 13 or 14 or 15,
        // serialisation, deadlock, class 53 (resources), 57P (shutdown), 08 (connection), read-only standby
        PostgresException postgres => postgres.IsTransient || postgres.SqlState is "40001" or "40P01" or "57P01" or "57P02" or "57P03" or "25006"
            || postgres.SqlState.StartsWith("53", StringComparison.Ordinal) || postgres.SqlState.StartsWith("08", StringComparison.Ordinal),
        NpgsqlException npgsql => npgsql.IsTransient || npgsql.InnerException is IOException or System.Net.Sockets.SocketException or TimeoutException,
        _ => false,
    };

    /// <summary>Whether nobody answers at PostgreSQL's end who could do the work: no connection, starting or stopping, no room, read-only.</summary>
    public static bool IsAbsence(Exception fault) => fault switch
    {
        PostgresException postgres => postgres.SqlState is "57P01" or "57P02" or "57P03" or "25006"
            || postgres.SqlState.StartsWith("53", StringComparison.Ordinal) || postgres.SqlState.StartsWith("08", StringComparison.Ordinal),
        NpgsqlException npgsql => npgsql.IsTransient || npgsql.InnerException is IOException or System.Net.Sockets.SocketException or TimeoutException,
        _ => false,
    };

    /// <summary>Whether only this connection was ended; a new one may be had.</summary>
    public static bool IsEndOfConnection(Exception fault) => fault is PostgresException { SqlState: "57P01" or "57P02" };

    /// <summary>Whether a unique index refused the row.</summary>
    public static bool IsDuplicate(Exception fault) => fault switch
    {
        SqliteException sqlite => sqlite.SqliteExtendedErrorCode is 1555 or 2067 or 2579,   // PRIMARYKEY, UNIQUE, ROWID
        PostgresException postgres => postgres.SqlState == PostgresErrorCodes.UniqueViolation,
        _ => false,
    };
}
