using System.Runtime.InteropServices;
using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace Glimmer.Platform.Store;

/// <summary>
/// Chooses the native SQLite: the system's library, which gets security fixes, or else the one that comes with the
/// package. <c>GLIMMER_SQLITE=bundled</c> forces the latter.
/// </summary>
internal static class SqliteEngine
{
    /// <summary>SQL here uses RETURNING, which came with this version.</summary>
    private static readonly Version _oldest = new(3, 35);
    private static readonly Lazy<Version> _ready = new(Start);

    /// <summary>Whether the library in use is the package's own, which is old.</summary>
    public static bool IsBundled { get; private set; }

    /// <summary>Version of the library in use. The first call loads it.</summary>
    /// <exception cref="StoreException">There is none, or it is too old.</exception>
    public static Version Version => _ready.Value;

    private static Version Start()
    {
        NativeLibrary.SetDllImportResolver(typeof(SQLite3Provider_e_sqlite3).Assembly, static (name, assembly, path) =>
        {
            if (name != "e_sqlite3")
                return 0;
            if (!string.Equals(Environment.GetEnvironmentVariable("GLIMMER_SQLITE"), "bundled", StringComparison.Ordinal))
            {
                foreach (string candidate in (string[])["libsqlite3.so.0", "libsqlite3.so", "libsqlite3.dylib"])
                {
                    if (NativeLibrary.TryLoad(candidate, out nint handle))
                    {
                        if (IsNewEnough(handle))
                            return handle;
                        NativeLibrary.Free(handle);
                    }
                }
            }

            IsBundled = true;
            return 0;   // the package's own, found by the runtime
        });

        try
        {
            raw.SetProvider(new SQLite3Provider_e_sqlite3());
            using var connection = new SqliteConnection("Data Source=:memory:");
            connection.Open();
            var version = Version.Parse(connection.ServerVersion);
            return version >= _oldest
                ? version
                : throw new StoreException($"The SQLite library is {version}; {_oldest} or later is needed. Install libsqlite3-0, or use PostgreSQL (Glimmer:Store:ConnectionString).");
        }
        catch (DllNotFoundException fault)
        {
            throw new StoreException("No SQLite library was found. Install libsqlite3-0, or use PostgreSQL (Glimmer:Store:ConnectionString).", fault);
        }
    }

    private static unsafe bool IsNewEnough(nint library)
    {
        if (!NativeLibrary.TryGetExport(library, "sqlite3_libversion_number", out nint function))
            return false;
        return ((delegate* unmanaged<int>)function)() >= (_oldest.Major * 1_000_000) + (_oldest.Minor * 1_000);
    }
}
