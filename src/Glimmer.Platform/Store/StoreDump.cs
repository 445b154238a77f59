using System.Data.Common;
using System.Globalization;
using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Npgsql;

namespace Glimmer.Platform.Store;

/// <summary>
/// The portable form of a backup: gzip over JSON lines. A head names the form and the schema's steps; then each table in
/// the order of its making with its rows as arrays (bytes as <c>{"b64":"…"}</c>); then the last numbers given out by the
/// identity columns; then an end with the number of rows, without which the file is not whole.
/// </summary>
internal static class StoreDump
{
    private const int Form = 1;
    private const int LongestLine = 64 << 20;

    /// <summary>Writes all tables as the session's snapshot sees them.</summary>
    /// <returns>Number of rows.</returns>
    public static long Write(StoreSession session, Stream file, long now)
    {
        using var zip = new GZipStream(file, CompressionLevel.Fastest, leaveOpen: true);
        var line = new MemoryStream();
        using var json = new Utf8JsonWriter(line);

        void EndLine()
        {
            json.Flush();
            line.WriteByte((byte)'\n');
            zip.Write(line.GetBuffer(), 0, (int)line.Length);
            line.SetLength(0);
            json.Reset();
        }

        json.WriteStartObject();
        json.WriteNumber("glimmer_store", Form);
        json.WriteNumber("created", now);
        json.WriteString("from", session.Dialect.Kind == StoreKind.Sqlite ? "sqlite" : "postgres");
        json.WriteStartArray("steps");
        foreach ((long number, string name, _, _) in StoreMigrations.Applied(session) ?? [])
        {
            json.WriteStartArray();
            json.WriteNumberValue(number);
            json.WriteStringValue(name);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        EndLine();

        long rows = 0;
        foreach (string table in StoreCatalog.Tables(session).Where(static table => table is not ("schema_version" or "store_commits")))
        {
            using DbDataReader reader = session.Read($"SELECT * FROM \"{table}\"");
            json.WriteStartObject();
            json.WriteString("table", table);
            json.WriteStartArray("columns");
            for (int i = 0; i < reader.FieldCount; i++)
                json.WriteStringValue(reader.GetName(i));
            json.WriteEndArray();
            json.WriteEndObject();
            EndLine();
            while (reader.Read())
            {
                json.WriteStartArray();
                for (int i = 0; i < reader.FieldCount; i++)
                    WriteValue(json, reader.GetValue(i), table, reader.GetName(i));
                json.WriteEndArray();
                EndLine();
                rows++;
            }
        }

        foreach ((string table, string column, long last) in StoreCatalog.Identities(session))
        {
            json.WriteStartObject();
            json.WriteString("identity", table);
            json.WriteString("column", column);
            json.WriteNumber("last", last);
            json.WriteEndObject();
            EndLine();
        }

        json.WriteStartObject();
        json.WriteNumber("end", rows);
        json.WriteEndObject();
        EndLine();
        return rows;
    }

    /// <summary>Makes a store of the dump's schema, fills it in one transaction, and brings it up to date.</summary>
    public static void Restore(StoreSettings settings, string path)
    {
        bool made = false;
        try
        {
            using FileStream file = File.OpenRead(path);
            using var zip = new GZipStream(file, CompressionMode.Decompress);
            using var lines = new DumpLines(zip, path, LongestLine);
            IReadOnlyList<StoreMigration> steps = StepsOf(settings.Kind, lines.Next(), path);
            using var connections = new StoreConnections(settings);
            made = settings.Kind == StoreKind.Sqlite;
            using (StoreConnection connection = connections.OpenWriter())
            {
                if (StoreMigrations.Applied(connection.Session()) is not null)
                    throw new StoreException("There is a store already. Restore into an empty database or schema (Glimmer:Store:ConnectionString).");
            }

            StoreMigrations.Apply(connections, steps, settings.Time.GetUtcNow());
            using (StoreConnection connection = connections.OpenWriter())
                StoreTransactions.Make(connection, session => Fill(session, lines, path));
            StoreMigrations.Apply(connections, StoreMigrations.Of(settings.Kind), settings.Time.GetUtcNow());
            made = false;
        }
        catch (Exception fault) when (fault is InvalidDataException or JsonException or KeyNotFoundException or FormatException or InvalidOperationException or EndOfStreamException)
        {
            throw new StoreException($"The backup {path} is damaged: {fault.Message}", fault);
        }
        catch (DbException fault)
        {
            throw new StoreException($"The backup {path} cannot be restored: {fault.Message}", fault);
        }
        finally
        {
            if (made)
            {
                foreach (string suffix in (string[])["", "-wal", "-shm"])
                    File.Delete(settings.FilePath + suffix);
            }
        }
    }

    private static IReadOnlyList<StoreMigration> StepsOf(StoreKind kind, JsonElement head, string path)
    {
        if (head.ValueKind != JsonValueKind.Object || !head.TryGetProperty("glimmer_store", out JsonElement form))
            throw new StoreException($"{path} is not a backup of the store.");
        if (form.GetInt32() != Form)
            throw new StoreException($"The backup {path} has form {form.GetInt32()}; this version reads form {Form}.");
        IReadOnlyList<StoreMigration> all = StoreMigrations.Of(kind);
        var steps = new List<StoreMigration>();
        foreach (JsonElement step in head.GetProperty("steps").EnumerateArray())
        {
            long number = step[0].GetInt64();
            steps.Add(all.FirstOrDefault(known => known.Number == number)
                ?? throw new StoreException($"The backup {path} was made by a newer version: it has step {number:0000}_{step[1].GetString()}. Use the newer version."));
        }

        return steps;
    }

    private static void Fill(StoreSession session, DumpLines lines, string path)
    {
        HashSet<string> known = [.. StoreCatalog.Tables(session)];
        session.Execute("DELETE FROM store_topics");
        JsonElement line = lines.Next();
        long rows = 0;
        while (line.TryGetProperty("table", out JsonElement name))
        {
            string table = name.GetString()!;
            string[] columns = [.. line.GetProperty("columns").EnumerateArray().Select(column => column.GetString()!)];
            if (!known.Contains(table) || columns.Except(StoreCatalog.Columns(session, table), StringComparer.Ordinal).Any())
                throw new StoreException($"The backup {path} is damaged: it names a table or column that its schema does not have ({table}).");
            using IRowSink sink = session.Dialect.Kind == StoreKind.Sqlite ? new StatementSink(session, table, columns) : new CopySink(session, table, columns);
            for (line = lines.Next(); line.ValueKind == JsonValueKind.Array; line = lines.Next())
            {
                if (line.GetArrayLength() != columns.Length)
                    throw new StoreException($"The backup {path} is damaged: a row of {table} has {line.GetArrayLength()} values instead of {columns.Length}.");
                sink.Write(line);
                rows++;
            }

            sink.Complete();
        }

        for (; line.TryGetProperty("identity", out JsonElement table); line = lines.Next())
            StoreCatalog.SetIdentity(session, table.GetString()!, line.GetProperty("column").GetString()!, line.GetProperty("last").GetInt64(), known);
        if (line.GetProperty("end").GetInt64() != rows)
            throw new StoreException($"The backup {path} is damaged: it should hold {line.GetProperty("end").GetInt64()} rows and holds {rows}.");
    }

    private static void WriteValue(Utf8JsonWriter json, object value, string table, string column)
    {
        switch (value)
        {
            case DBNull:
                json.WriteNullValue();
                break;
            case long whole:
                json.WriteNumberValue(whole);
                break;
            case int whole:
                json.WriteNumberValue(whole);
                break;
            case short whole:
                json.WriteNumberValue(whole);
                break;
            case double real:
                json.WriteNumberValue(real);
                break;
            case string text:
                json.WriteStringValue(text);
                break;
            case byte[] bytes:
                json.WriteStartObject();
                json.WriteBase64String("b64", bytes);
                json.WriteEndObject();
                break;
            default:
                throw new StoreException($"The column {table}.{column} has a type ({value.GetType().Name}) that a portable backup cannot hold.");
        }
    }

    private interface IRowSink : IDisposable
    {
        void Write(JsonElement row);

        void Complete();
    }

    private sealed class StatementSink(StoreSession session, string table, string[] columns) : IRowSink
    {
        private readonly string _sql = $"INSERT INTO \"{table}\" ({string.Join(", ", columns.Select(column => $"\"{column}\""))}) VALUES ({string.Join(", ", columns.Select((_, i) => $"@p{i}"))})";

        public void Write(JsonElement row)
        {
            StoreStatement statement = session.Statement(_sql);
            foreach (JsonElement value in row.EnumerateArray())
            {
                _ = value.ValueKind switch
                {
                    JsonValueKind.Null => statement.With((string?)null),
                    JsonValueKind.Number when value.TryGetInt64(out long whole) => statement.With(whole),
                    JsonValueKind.Number => statement.With(value.GetDouble()),
                    JsonValueKind.String => statement.With(value.GetString()),
                    _ => statement.With(value.GetProperty("b64").GetBytesFromBase64()),
                };
            }

            statement.Execute();
        }

        public void Complete()
        {
        }

        public void Dispose()
        {
        }
    }

    private sealed class CopySink(StoreSession session, string table, string[] columns) : IRowSink
    {
        private readonly TextWriter _copy = ((NpgsqlConnection)session.Connection).BeginTextImport(
            $"COPY \"{table}\" ({string.Join(", ", columns.Select(column => $"\"{column}\""))}) FROM STDIN");

        private bool _complete;

        public void Write(JsonElement row)
        {
            var text = new StringBuilder();
            foreach (JsonElement value in row.EnumerateArray())
            {
                if (text.Length > 0)
                    text.Append('\t');
                _ = value.ValueKind switch
                {
                    JsonValueKind.Null => text.Append("\\N"),
                    JsonValueKind.Number => text.Append(CultureInfo.InvariantCulture, $"{value.GetRawText()}"),
                    JsonValueKind.String => text.Append(value.GetString()!
                        .Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\t", "\\t", StringComparison.Ordinal)
                        .Replace("\n", "\\n", StringComparison.Ordinal).Replace("\r", "\\r", StringComparison.Ordinal)),
                    _ => text.Append("\\\\x").Append(Convert.ToHexStringLower(value.GetProperty("b64").GetBytesFromBase64())),
                };
            }

            _copy.Write(text.Append('\n'));
        }

        public void Complete()
        {
            _copy.Dispose();
            _complete = true;
        }

        public void Dispose()
        {
            if (!_complete && _copy is NpgsqlCopyTextWriter copy)
                copy.Cancel();
        }
    }
}

/// <summary>Lines of a dump, each one JSON value of bounded length.</summary>
internal sealed class DumpLines(Stream stream, string path, int longest) : IDisposable
{
    private readonly byte[] _buffer = new byte[64 << 10];
    private readonly MemoryStream _line = new();
    private int _start;
    private int _length;

    public void Dispose() => _line.Dispose();

    /// <exception cref="StoreException">The file ends.</exception>
    public JsonElement Next()
    {
        _line.SetLength(0);
        while (true)
        {
            if (_start == _length)
            {
                _length = stream.Read(_buffer);
                _start = 0;
                if (_length == 0)
                    throw new StoreException($"The backup {path} is not whole: it ends too early.");
            }

            int end = _buffer.AsSpan(_start, _length - _start).IndexOf((byte)'\n');
            int part = end < 0 ? _length - _start : end;
            _line.Write(_buffer, _start, part);
            _start += end < 0 ? part : part + 1;
            if (_line.Length > longest)
                throw new StoreException($"The backup {path} is damaged: a line is longer than {longest >> 20} MiB.");
            if (end < 0)
                continue;
            using JsonDocument document = JsonDocument.Parse(_line.GetBuffer().AsMemory(0, (int)_line.Length), new JsonDocumentOptions { MaxDepth = 4 });
            return document.RootElement.Clone();
        }
    }
}
