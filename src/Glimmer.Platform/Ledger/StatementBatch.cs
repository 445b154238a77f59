using System.Collections.Concurrent;
using System.Globalization;
using Glimmer.Platform.Store;
using Npgsql;

namespace Glimmer.Platform.Ledger;

/// <summary>
/// Many small statements whose results nobody needs: on PostgreSQL sent together, so that a group takes a few round trips instead of
/// hundreds; on SQLite, which has none, run at once as prepared statements.
/// </summary>
internal sealed class StatementBatch(StoreSession session)
{
    private const int Most = 500;
    private static readonly ConcurrentDictionary<string, string> _positional = new(StringComparer.Ordinal);
    private NpgsqlBatch? _batch;

    /// <summary>Adds a statement with parameters <c>@p0</c>, <c>@p1</c> … of types long and string.</summary>
    public void Add(string sql, params ReadOnlySpan<object?> values)
    {
        if (session.Connection is not NpgsqlConnection postgres)
        {
            StoreStatement statement = session.Statement(sql);
            foreach (object? value in values)
            {
                if (value is string text)
                    statement.With(text);
                else
                    statement.With((long?)value);
            }

            statement.Execute();
            return;
        }

        _batch ??= new NpgsqlBatch(postgres, (NpgsqlTransaction?)session.Transaction);
        var command = new NpgsqlBatchCommand(_positional.GetOrAdd(sql, static text => Positional(text)));
        foreach (object? value in values)
        {
            command.Parameters.Add(value switch
            {
                long number => new NpgsqlParameter<long> { TypedValue = number },
                string text => new NpgsqlParameter<string> { TypedValue = text },
                _ => new NpgsqlParameter { Value = DBNull.Value },
            });
        }

        _batch.BatchCommands.Add(command);
        if (_batch.BatchCommands.Count >= Most)
            Flush();
    }

    /// <summary>Sends what was added.</summary>
    public void Flush()
    {
        if (_batch is null)
            return;
        using NpgsqlBatch batch = _batch;
        _batch = null;
        batch.ExecuteNonQuery();
    }

    // From the highest number down, so that @p1 is not taken for the beginning of @p12.
    private static string Positional(string sql)
    {
        for (int i = 63; i >= 0; i--)
            sql = sql.Replace(string.Create(CultureInfo.InvariantCulture, $"@p{i}"), string.Create(CultureInfo.InvariantCulture, $"${i + 1}"), StringComparison.Ordinal);
        return sql;
    }
}
