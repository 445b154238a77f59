using System.Data.Common;
using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Platform.Store;

/// <summary>One numbered step of the schema.</summary>
/// <param name="Number">Unique; steps are applied in its order.</param>
/// <param name="Name">What it is about.</param>
/// <param name="Sql">Its statements.</param>
internal sealed record StoreMigration(int Number, string Name, string Sql)
{
    /// <summary>SHA-256 of the statements, whatever the line ends.</summary>
    public string Checksum { get; } = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql.ReplaceLineEndings("\n"))));

    /// <summary>
    /// Number of a step that a build must know to work with a store that has this one; 0 for none: the step only adds what older builds
    /// need not see. Said in the statements as <c>-- min_reader: NNNN</c>.
    /// </summary>
    public int MinReader { get; } = ReaderOf(Sql);

    public override string ToString() => $"{Number:0000}_{Name}";

    private static int ReaderOf(string sql)
    {
        foreach (string line in sql.Split('\n'))
        {
            if (line.StartsWith("-- min_reader:", StringComparison.Ordinal))
                return int.Parse(line.AsSpan(14).Trim(), NumberStyles.None, CultureInfo.InvariantCulture);
        }

        return 0;
    }
}

/// <summary>One step that a database has.</summary>
internal sealed record AppliedMigration(long Number, string Name, string Checksum, long MinReader);

/// <summary>
/// Brings a database to the schema of this build, forward only. Steps are embedded files
/// (<c>Store/Migrations/sqlite/0001_accounts.sql</c>), one transaction each, under a lock; a new SQLite file gets them all in one,
/// so that its first start waits for the disk once. A step once released is never edited: the database remembers its checksum. A build goes on with steps that it does not know where these say that it may
/// (<see cref="StoreMigration.MinReader"/>), so that nodes of two versions share a database while they are replaced one by one.
/// </summary>
internal static class StoreMigrations
{
    private const string Tables = """
        CREATE TABLE IF NOT EXISTS schema_version (number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied BIGINT NOT NULL);
        CREATE TABLE IF NOT EXISTS store_topics (topic TEXT PRIMARY KEY, version BIGINT NOT NULL);
        """;

    // A step waits for its locks so long, then lets those pass that came meanwhile, and tries again.
    private const string Patience = "SET LOCAL lock_timeout = '3s'";
    private const int MostTries = 40;

    private static readonly Lazy<IReadOnlyList<StoreMigration>> _sqlite = new(() => Load("sqlite"));
    private static readonly Lazy<IReadOnlyList<StoreMigration>> _postgres = new(() => Load("postgres"));

    /// <summary>All steps of this build in their order.</summary>
    public static IReadOnlyList<StoreMigration> Of(StoreKind kind) => kind == StoreKind.Sqlite ? _sqlite.Value : _postgres.Value;

    /// <summary>Applies what is missing.</summary>
    /// <param name="connections">The database.</param>
    /// <param name="steps">All steps to have; <see cref="Of"/> outside tests.</param>
    /// <param name="now">The instant to note.</param>
    /// <returns>The steps applied now.</returns>
    /// <exception cref="StoreException">The database is newer than this build, or a step differs from the one applied.</exception>
    public static IReadOnlyList<StoreMigration> Apply(StoreConnections connections, IReadOnlyList<StoreMigration> steps, DateTimeOffset now)
    {
        using StoreConnection connection = connections.OpenWriter();
        bool ready = Applied(connection.Session()) is { } known && Missing(known, steps).Count == 0;
        var applied = new List<StoreMigration>();
        for (int tries = 0; !ready; tries++)
        {
            try
            {
                ApplyNext();
            }
            catch (Npgsql.PostgresException fault) when (fault.SqlState == Npgsql.PostgresErrorCodes.LockNotAvailable && tries < MostTries)
            {
                Thread.Sleep(250);
            }
        }

        return applied;

        void ApplyNext()
        {
            StoreTransactions.Make(connection, session =>
            {
                Lock(session);
                bool whole = session.Dialect.Kind == StoreKind.Sqlite && Applied(session) is null;
                List<StoreMigration> missing = Missing(Create(session), steps);
                int count = whole ? missing.Count : Math.Min(1, missing.Count);
                for (int i = 0; i < count; i++)
                {
                    ApplyStep(session, missing[i], now);
                    applied.Add(missing[i]);
                }

                ready = whole || count == 0;
            });
        }
    }

    /// <summary>Makes the tables that keep the steps, where there are none; gives the steps that the database has.</summary>
    public static IReadOnlyList<AppliedMigration> Create(StoreSession session)
    {
        session.Execute(Tables);
        AddReaders(session);
        return Applied(session) ?? [];
    }

    private static void ApplyStep(StoreSession session, StoreMigration step, DateTimeOffset now)
    {
        try
        {
            session.Execute(step.Sql);
        }
        catch (DbException fault) when (!StoreDialect.IsTransient(fault))
        {
            throw new StoreException($"The store could not be upgraded by step {step}: {fault.Message} Nothing of the step was kept; go back to the former version, or restore a backup.", fault);
        }

        session.Statement("INSERT INTO schema_version (number, name, checksum, applied, min_reader) VALUES (@p0, @p1, @p2, @p3, @p4)")
            .With(step.Number).With(step.Name).With(step.Checksum).With(now.ToUnixTimeMilliseconds()).With(step.MinReader).Execute();
    }

    /// <summary>The steps that a database has and this build does not know, but may go on with.</summary>
    public static IReadOnlyList<string> Newer(StoreSession session, IReadOnlyList<StoreMigration> steps) =>
        [.. (Applied(session) ?? []).Where(applied => !steps.Any(step => step.Number == applied.Number)).Select(static applied => Text(applied.Number, applied.Name))];

    /// <summary>The steps a database has; null when it is new.</summary>
    public static IReadOnlyList<AppliedMigration>? Applied(StoreSession session)
    {
        string ask = session.Dialect.Kind == StoreKind.Sqlite
            ? "SELECT COUNT(*) FROM sqlite_master WHERE name = 'schema_version'"
            : "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'schema_version'";
        if (session.Scalar<long>(ask) == 0)
            return null;

        // Each start asks this before anything else: read by hand, nothing has to be compiled for it.
        var applied = new List<AppliedMigration>();
        using DbDataReader rows = session.Read($"SELECT number, name, checksum, {(HasReaders(session) ? "min_reader" : "CAST(0 AS BIGINT)")} FROM schema_version ORDER BY number");
        while (rows.Read())
            applied.Add(new AppliedMigration(rows.GetInt64(0), rows.GetString(1), rows.GetString(2), rows.GetInt64(3)));
        return applied;
    }

    private static string Text(long number, string name) => string.Create(CultureInfo.InvariantCulture, $"{number:0000}_{name}");

    private static bool HasReaders(StoreSession session) => StoreCatalog.Columns(session, "schema_version").Contains("min_reader");

    // Stores of versions before the column know no step that older builds could not go on with: those refused every unknown one.
    private static void AddReaders(StoreSession session)
    {
        if (!HasReaders(session))
            session.Execute("ALTER TABLE schema_version ADD COLUMN min_reader BIGINT NOT NULL DEFAULT 0");
        if (session.Dialect.Kind == StoreKind.Postgres)
            session.Execute(Patience);
    }

    private static List<StoreMigration> Missing(IReadOnlyList<AppliedMigration> applied, IReadOnlyList<StoreMigration> steps)
    {
        foreach ((long number, string name, string checksum, long reader) in applied)
        {
            if (steps.FirstOrDefault(step => step.Number == number) is not { } step)
            {
                if (reader == 0 || steps.Any(step => step.Number == reader))
                    continue;
                throw new StoreException($"The store was upgraded by a newer version: it has step {Text(number, name)}, which needs a version that knows step {reader:0000}. Use the newer version, or restore a backup made before the upgrade.");
            }

            if (step.Checksum != checksum)
                throw new StoreException($"The store has another form of step {step} than this version (checksum {checksum[..12]}… instead of {step.Checksum[..12]}…). Use the version that made it, or restore a backup.");
        }

        HashSet<long> done = [.. applied.Select(step => step.Number)];
        return [.. steps.Where(step => !done.Contains(step.Number)).OrderBy(step => step.Number)];
    }

    // SQLite: the transaction itself is the lock. PostgreSQL: one lock per schema, gone with the transaction.
    private static void Lock(StoreSession session)
    {
        if (session.Dialect.Kind == StoreKind.Postgres)
            session.Execute("SELECT pg_advisory_xact_lock(7310575, hashtext(current_schema()))");
    }

    private static List<StoreMigration> Load(string folder)
    {
        Assembly assembly = typeof(StoreMigrations).Assembly;
        string prefix = $"Glimmer.Platform.Store.Migrations.{folder}.";
        var steps = new List<StoreMigration>();
        foreach (string resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(prefix, StringComparison.Ordinal)))
        {
            string name = resource[prefix.Length..^4];
            int line = name.IndexOf('_', StringComparison.Ordinal);
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!);
            steps.Add(new StoreMigration(int.Parse(name.AsSpan(0, line), NumberStyles.None, CultureInfo.InvariantCulture), name[(line + 1)..], reader.ReadToEnd()));
        }

        steps.Sort((a, b) => a.Number.CompareTo(b.Number));
        return steps;
    }
}
