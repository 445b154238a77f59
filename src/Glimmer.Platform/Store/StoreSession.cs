using System.Collections.ObjectModel;
using System.Data.Common;
using Dapper;
using Microsoft.Data.Sqlite;

namespace Glimmer.Platform.Store;

/// <summary>
/// One connection, mostly inside one transaction; valid only in the call that handed it out, on one thread at a time.
/// SQL as <see cref="StoreDialect"/> describes it; parameters are members of an object (<c>new { id }</c>).
/// </summary>
internal sealed class StoreSession(DbConnection connection, StoreDialect dialect, StoreStatements statements)
{
    private SortedDictionary<string, long>? _touched;

    /// <summary>The provider's connection, for bulk work (COPY, prepared statements).</summary>
    public DbConnection Connection { get; } = connection;

    /// <summary>The open transaction; null in a session that only reads.</summary>
    public DbTransaction? Transaction { get; internal set; }

    public StoreDialect Dialect { get; } = dialect;

    /// <summary>Topics changed in this transaction, and their versions when it is committed.</summary>
    internal IReadOnlyDictionary<string, long> Touched => (IReadOnlyDictionary<string, long>?)_touched ?? ReadOnlyDictionary<string, long>.Empty;

    /// <summary>Runs a statement; gives the number of rows it changed.</summary>
    public int Execute(string sql, object? parameters = null) => Connection.Execute(sql, parameters, Transaction);

    /// <summary>The first column of the first row; default when there is no row.</summary>
    public T? Scalar<T>(string sql, object? parameters = null) => Connection.ExecuteScalar<T>(sql, parameters, Transaction);

    /// <summary>The first row; default when there is none.</summary>
    public T? First<T>(string sql, object? parameters = null) => Connection.QueryFirstOrDefault<T>(sql, parameters, Transaction);

    /// <summary>All rows.</summary>
    public List<T> List<T>(string sql, object? parameters = null) => Connection.Query<T>(sql, parameters, Transaction).AsList();

    /// <summary>Reads rows one by one; dispose the reader before the next statement.</summary>
    public DbDataReader Read(string sql, object? parameters = null) => (DbDataReader)Connection.ExecuteReader(sql, parameters, Transaction);

    /// <summary>
    /// A prepared statement that stays with the connection, for statements run thousands of times. Parameters are
    /// set by position, in the order of their first use as <c>@p0</c>, <c>@p1</c> …
    /// </summary>
    public StoreStatement Statement(string sql) => statements.Get(Connection, Transaction, sql);

    /// <summary>
    /// The next version of a topic, and the promise that watchers in all processes hear of it once this transaction is
    /// committed. Rows that carry the version they were changed at can be followed: transactions that take a version of
    /// the same topic are committed in the order of their versions.
    /// </summary>
    public long NextVersion(string topic)
    {
        long version = (long)Statement("INSERT INTO store_topics (topic, version) VALUES (@p0, 1) ON CONFLICT (topic) DO UPDATE SET version = store_topics.version + 1 RETURNING version").With(topic).Scalar()!;
        (_touched ??= new(StringComparer.Ordinal))[topic] = version;
        return version;
    }

    /// <summary>The version of a topic now; 0 when it never changed.</summary>
    public long Version(string topic) => Scalar<long?>("SELECT version FROM store_topics WHERE topic = @topic", new { topic }) ?? 0;
}

/// <summary>The prepared statements of one connection.</summary>
internal sealed class StoreStatements
{
    private readonly Dictionary<string, StoreStatement> _statements = new(StringComparer.Ordinal);

    public StoreStatement Get(DbConnection connection, DbTransaction? transaction, string sql)
    {
        if (!_statements.TryGetValue(sql, out StoreStatement? statement))
            _statements.Add(sql, statement = connection is SqliteConnection sqlite ? new SqliteStatement(sqlite, sql) : new CommandStatement(connection, sql));
        statement.Use(transaction);
        return statement;
    }

    public void Clear()
    {
        foreach (StoreStatement statement in _statements.Values)
            statement.Dispose();
        _statements.Clear();
    }
}
