using System.Buffers;
using System.Data.Common;
using System.Globalization;
using System.Text;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Glimmer.Platform.Store;

/// <summary>A statement prepared once and run often. No reflection, no parsing per run.</summary>
internal abstract class StoreStatement : IDisposable
{
    /// <summary>Begins a run in a transaction.</summary>
    public abstract void Use(DbTransaction? transaction);

    /// <summary>Sets the next parameter.</summary>
    public abstract StoreStatement With(long value);

    /// <inheritdoc cref="With(long)"/>
    public abstract StoreStatement With(string? value);

    /// <inheritdoc cref="With(long)"/>
    public abstract StoreStatement With(byte[]? value);

    /// <inheritdoc cref="With(long)"/>
    public abstract StoreStatement With(long? value);

    /// <inheritdoc cref="With(long)"/>
    public abstract StoreStatement With(double value);

    /// <summary>Runs it; gives the number of rows it changed.</summary>
    public abstract int Execute();

    /// <summary>Runs it; gives the first column of its first row, null when there is none.</summary>
    public abstract object? Scalar();

    public abstract void Dispose();

    protected static InvalidOperationException Miscounted(int parameters, int set, string sql) =>
        new($"The statement has {parameters} parameters, {set} were set: {sql}");
}

/// <summary>By a command of the provider.</summary>
internal sealed class CommandStatement : StoreStatement
{
    private readonly DbCommand _command;
    private int _set;
    private bool _prepared;

    public CommandStatement(DbConnection connection, string sql)
    {
        _command = connection.CreateCommand();
        _command.CommandText = sql;
    }

    public override void Use(DbTransaction? transaction)
    {
        _command.Transaction = transaction;
        _set = 0;
    }

    public override StoreStatement With(long value) => Set(System.Data.DbType.Int64, value);

    public override StoreStatement With(string? value) => Set(System.Data.DbType.String, value ?? (object)DBNull.Value);

    public override StoreStatement With(byte[]? value) => Set(System.Data.DbType.Binary, value ?? (object)DBNull.Value);

    public override StoreStatement With(long? value) => Set(System.Data.DbType.Int64, value ?? (object)DBNull.Value);

    public override StoreStatement With(double value) => Set(System.Data.DbType.Double, value);

    public override int Execute()
    {
        Ready();
        return _command.ExecuteNonQuery();
    }

    public override object? Scalar()
    {
        Ready();
        return _command.ExecuteScalar() is { } value and not DBNull ? value : null;
    }

    public override void Dispose() => _command.Dispose();

    private StoreStatement Set(System.Data.DbType type, object value)
    {
        if (_set == _command.Parameters.Count)
        {
            DbParameter parameter = _command.CreateParameter();
            parameter.ParameterName = $"@p{_set}";
            parameter.DbType = type;
            _command.Parameters.Add(parameter);
        }

        DbParameter set = _command.Parameters[_set++];
        if (set.DbType != type)
            set.DbType = type;
        set.Value = value;
        return this;
    }

    private void Ready()
    {
        if (_set != _command.Parameters.Count)
            throw Miscounted(_command.Parameters.Count, _set, _command.CommandText);
        if (!_prepared)
        {
            _command.Prepare();
            _prepared = true;
        }

        _set = 0;
    }
}

/// <summary>
/// By SQLite itself: every settled request runs some of these, and the provider's commands allocate a reader, an enumerator and a binder for each parameter of each run.
/// </summary>
internal sealed class SqliteStatement : StoreStatement
{
    private readonly SqliteConnection _connection;
    private readonly sqlite3_stmt _statement;
    private readonly string _sql;
    private readonly int[] _places;
    private int _set;

    public SqliteStatement(SqliteConnection connection, string sql)
    {
        _connection = connection;
        _sql = sql;
        Check(raw.sqlite3_prepare_v2(connection.Handle, sql, out _statement));
        _places = new int[raw.sqlite3_bind_parameter_count(_statement)];
        for (int i = 0; i < _places.Length; i++)
            _places[i] = raw.sqlite3_bind_parameter_index(_statement, string.Create(CultureInfo.InvariantCulture, $"@p{i}"));
    }

    public override void Use(DbTransaction? transaction) => _set = 0;

    public override StoreStatement With(long value)
    {
        Check(raw.sqlite3_bind_int64(_statement, Place(), value));
        return this;
    }

    public override StoreStatement With(long? value)
    {
        Check(value is { } number ? raw.sqlite3_bind_int64(_statement, Place(), number) : raw.sqlite3_bind_null(_statement, Place()));
        return this;
    }

    public override StoreStatement With(string? value)
    {
        if (value is null)
        {
            Check(raw.sqlite3_bind_null(_statement, Place()));
            return this;
        }

        // A text of no bytes has no address, which would be NULL.
        if (value.Length == 0)
        {
            Check(raw.sqlite3_bind_text(_statement, Place(), ""));
            return this;
        }

        // SQLite copies what it is given.
        int most = Encoding.UTF8.GetMaxByteCount(value.Length);
        byte[]? rented = most > 512 ? ArrayPool<byte>.Shared.Rent(most) : null;
        Span<byte> text = rented ?? stackalloc byte[512];
        Check(raw.sqlite3_bind_text(_statement, Place(), (ReadOnlySpan<byte>)text[..Encoding.UTF8.GetBytes(value, text)]));
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented, clearArray: true);
        return this;
    }

    public override StoreStatement With(byte[]? value)
    {
        Check(value is null ? raw.sqlite3_bind_null(_statement, Place()) : value.Length == 0 ? raw.sqlite3_bind_zeroblob(_statement, Place(), 0) : raw.sqlite3_bind_blob(_statement, Place(), value));
        return this;
    }

    public override StoreStatement With(double value)
    {
        Check(raw.sqlite3_bind_double(_statement, Place(), value));
        return this;
    }

    public override int Execute()
    {
        Ready();
        try
        {
            int code;
            while ((code = raw.sqlite3_step(_statement)) == raw.SQLITE_ROW)
            {
                // What it returns is not wanted.
            }

            Check(code == raw.SQLITE_DONE ? raw.SQLITE_OK : code);
            return raw.sqlite3_changes(_connection.Handle);
        }
        finally
        {
            raw.sqlite3_reset(_statement);
        }
    }

    public override object? Scalar()
    {
        Ready();
        try
        {
            int code = raw.sqlite3_step(_statement);
            if (code == raw.SQLITE_DONE)
                return null;
            Check(code == raw.SQLITE_ROW ? raw.SQLITE_OK : code);
            object? value = raw.sqlite3_column_type(_statement, 0) switch
            {
                raw.SQLITE_INTEGER => raw.sqlite3_column_int64(_statement, 0),
                raw.SQLITE_FLOAT => raw.sqlite3_column_double(_statement, 0),
                raw.SQLITE_TEXT => raw.sqlite3_column_text(_statement, 0).utf8_to_string(),
                raw.SQLITE_BLOB => raw.sqlite3_column_blob(_statement, 0).ToArray(),
                _ => null,
            };

            // A statement that changes rows has done so only when it has run to its end.
            while ((code = raw.sqlite3_step(_statement)) == raw.SQLITE_ROW)
            {
                // Only the first row is asked for.
            }

            Check(code == raw.SQLITE_DONE ? raw.SQLITE_OK : code);
            return value;
        }
        finally
        {
            raw.sqlite3_reset(_statement);
        }
    }

    public override void Dispose() => _statement.Dispose();

    private int Place() => _set < _places.Length ? _places[_set++] : throw Miscounted(_places.Length, _set + 1, _sql);

    private void Ready()
    {
        if (_set != _places.Length)
            throw Miscounted(_places.Length, _set, _sql);
        _set = 0;
    }

    private void Check(int code)
    {
        if (code != raw.SQLITE_OK)
            SqliteException.ThrowExceptionForRC(code, _connection.Handle);
    }
}
