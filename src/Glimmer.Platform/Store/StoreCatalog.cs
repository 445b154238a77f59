namespace Glimmer.Platform.Store;

/// <summary>What tables a database has, asked in its own way.</summary>
internal static class StoreCatalog
{
    /// <summary>All tables in the order they were made, so that a table stands after those it refers to.</summary>
    public static List<string> Tables(StoreSession session) => session.List<string>(session.Dialect.Kind == StoreKind.Sqlite
        ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~' ORDER BY rowid"
        : "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' ORDER BY oid");

    /// <summary>The columns of a table.</summary>
    public static List<string> Columns(StoreSession session, string table) => session.List<string>(
        session.Dialect.Kind == StoreKind.Sqlite
            ? "SELECT name FROM pragma_table_info(@table)"
            : "SELECT column_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = @table",
        new { table });

    /// <summary>The last numbers that identity columns gave out.</summary>
    public static List<(string Table, string Column, long Last)> Identities(StoreSession session)
    {
        if (session.Dialect.Kind == StoreKind.Sqlite)
        {
            return session.Scalar<long>("SELECT COUNT(*) FROM sqlite_master WHERE name = 'sqlite_sequence'") == 0
                ? []
                : session.List<(string, string, long)>("SELECT name, 'id', seq FROM sqlite_sequence ORDER BY name");
        }

        var result = new List<(string, string, long)>();
        foreach ((string table, string column) in session.List<(string, string)>(
            "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = current_schema() AND is_identity = 'YES' ORDER BY table_name"))
        {
            long? last = session.Scalar<long?>(
                "SELECT last_value FROM pg_sequences WHERE format('%I.%I', schemaname, sequencename) = pg_get_serial_sequence(format('%I.%I', current_schema(), @table::text), @column)",
                new { table, column });
            if (last is { } number)
                result.Add((table, column, number));
        }

        return result;
    }

    /// <summary>Makes an identity column go on after a number.</summary>
    public static void SetIdentity(StoreSession session, string table, string column, long last, HashSet<string> tables)
    {
        if (!tables.Contains(table))
            throw new StoreException($"The backup names an unknown table ({table}).");
        if (session.Dialect.Kind == StoreKind.Postgres)
        {
            session.Execute("SELECT setval(pg_get_serial_sequence(format('%I.%I', current_schema(), @table::text), @column), @last)", new { table, column, last });
            return;
        }

        if (session.Execute("UPDATE sqlite_sequence SET seq = @last WHERE name = @table", new { table, last }) == 0)
            session.Execute("INSERT INTO sqlite_sequence (name, seq) VALUES (@table, @last)", new { table, last });
    }
}
