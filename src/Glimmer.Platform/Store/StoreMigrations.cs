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

    public override string ToString() => $"{Number:0000}_{Name}";
}

/// <summary>
/// Brings a database to the schema of this build, forward only. Steps are embedded files
/// (<c>Store/Migrations/sqlite/0001_accounts.sql</c>), one transaction each, under a lock. A step once released is never
/// edited: the database remembers its checksum.
/// </summary>
internal static class StoreMigrations
{
    private const string Tables = """
        CREATE TABLE IF NOT EXISTS schema_version (number BIGINT PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied BIGINT NOT NULL);
        CREATE TABLE IF NOT EXISTS store_topics (topic TEXT PRIMARY KEY, version BIGINT NOT NULL);
        """;

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
        while (!ready)
        {
            StoreTransactions.Run(connections, connection, session =>
            {
                Lock(session);
                session.Execute(Tables);
                List<StoreMigration> missing = Missing(Applied(session) ?? [], steps);
                ready = missing.Count == 0;
                if (ready)
                    return;
                StoreMigration step = missing[0];
                try
                {
                    session.Execute(step.Sql);
                }
                catch (System.Data.Common.DbException fault) when (!StoreDialect.IsTransient(fault))
                {
                    throw new StoreException($"The store could not be upgraded by step {step}: {fault.Message} Nothing of the step was kept; go back to the former version, or restore a backup.", fault);
                }

                session.Execute(
                    "INSERT INTO schema_version (number, name, checksum, applied) VALUES (@number, @name, @checksum, @applied)",
                    new { number = (long)step.Number, name = step.Name, checksum = step.Checksum, applied = now.ToUnixTimeMilliseconds() });
                applied.Add(step);
            });
        }

        return applied;
    }

    /// <summary>The steps a database has; null when it is new.</summary>
    public static IReadOnlyList<(long Number, string Name, string Checksum)>? Applied(StoreSession session)
    {
        string ask = session.Dialect.Kind == StoreKind.Sqlite
            ? "SELECT COUNT(*) FROM sqlite_master WHERE name = 'schema_version'"
            : "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = 'schema_version'";
        return session.Scalar<long>(ask) == 0
            ? null
            : session.List<(long Number, string Name, string Checksum)>("SELECT number, name, checksum FROM schema_version ORDER BY number");
    }

    private static List<StoreMigration> Missing(IReadOnlyList<(long Number, string Name, string Checksum)> applied, IReadOnlyList<StoreMigration> steps)
    {
        foreach ((long number, string name, string checksum) in applied)
        {
            StoreMigration? step = steps.FirstOrDefault(step => step.Number == number)
                ?? throw new StoreException($"The store was upgraded by a newer version: it has step {number:0000}_{name}, this version knows steps up to {steps.Select(s => s.Number).DefaultIfEmpty(0).Max():0000}. Use the newer version, or restore a backup made before the upgrade.");
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
