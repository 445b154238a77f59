using System.Reflection;
using Glimmer.Platform.Store;
using Glimmer.Testing;
using Npgsql;
using Xunit.Sdk;
using Xunit.v3;

namespace Glimmer.Platform.Tests.Store;

/// <summary>Runs a theory on every database: its one parameter is a <see cref="StoreKind"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class EachStoreAttribute : DataAttribute
{
    public override ValueTask<IReadOnlyCollection<ITheoryDataRow>> GetData(MethodInfo testMethod, DisposalTracker disposalTracker) =>
        new([new TheoryDataRow<StoreKind>(StoreKind.Sqlite), new TheoryDataRow<StoreKind>(StoreKind.Postgres)]);

    public override bool SupportsDiscoveryEnumeration() => true;
}

/// <summary>A fresh store of either kind, gone at the end. On a machine without PostgreSQL its tests are skipped with the reason.</summary>
internal sealed class TestStore : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly string? _schema;

    public TestStore(StoreKind kind, TimeProvider? time = null, Func<StoreSettings, StoreSettings>? change = null)
    {
        string connection = "";
        if (kind == StoreKind.Postgres)
        {
            if (PostgresServer.Missing is { } reason)
                Assert.Skip(reason);
            connection = PostgresServer.ConnectionString(out _schema);
            Administer($"CREATE SCHEMA {_schema}");
        }

        Settings = new StoreSettings
        {
            DataFolder = _folder.Path,
            ConnectionString = connection,
            Durability = StoreDurability.Off,
            ChangePoll = TimeSpan.FromMilliseconds(50),
            Time = time ?? TimeProvider.System,
        };
        Settings = change?.Invoke(Settings) ?? Settings;
    }

    public StoreSettings Settings { get; }

    public string Folder => _folder.Path;

    public string File(string name) => _folder.File(name);

    /// <summary>Opens the store (again). The caller disposes it before this.</summary>
    public PlatformStore Open() => PlatformStore.Open(Settings);

    /// <summary>Removes all that the store holds, so that another may be made in its place.</summary>
    public void Erase()
    {
        if (_schema is not null)
            Administer($"DROP SCHEMA {_schema} CASCADE; CREATE SCHEMA {_schema}");
        else
            Array.ForEach(Directory.GetFiles(_folder.Path, StoreSettings.FileName + "*"), System.IO.File.Delete);
    }

    public void Dispose()
    {
        if (_schema is not null)
            Administer($"DROP SCHEMA {_schema} CASCADE");
        _folder.Dispose();
    }

    /// <summary>Runs a statement on PostgreSQL; gives the number of its rows.</summary>
    public static int Administer(string sql)
    {
        using var connection = new NpgsqlConnection(PostgresServer.Administration);
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        using NpgsqlDataReader reader = command.ExecuteReader();
        int rows = 0;
        while (reader.Read())
            rows++;
        return rows;
    }
}
