using System.Security.Cryptography;
using Microsoft.Data.Sqlite;

namespace Glimmer.Platform.Store;

/// <summary>
/// Backups while the store is used. SQLite's own form is a copy of the database file made by its online backup. The
/// portable form (<see cref="StoreDump"/>) holds the rows of all tables as compressed JSON lines and restores into
/// either database. Either is written beside its place and moved there whole.
/// </summary>
internal static class StoreBackup
{
    private static ReadOnlySpan<byte> SqliteMark => "SQLite format 3\0"u8;

    public static void Write(PlatformStore store, StoreConnections connections, string path, bool portable)
    {
        path = Path.GetFullPath(path);
        if (File.Exists(path))
            throw new StoreException($"The backup {path} exists already. Choose another name.");
        string draft = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6))}.tmp";
        try
        {
            Create(draft);
            if (store.Kind == StoreKind.Sqlite && !portable)
            {
                CopySqlite(connections, draft);
            }
            else
            {
                using FileStream file = File.OpenWrite(draft);
                store.Read(session => StoreDump.Write(session, file, store.Now), snapshot: true);
                file.Flush(flushToDisk: true);
            }

            File.Move(draft, path, overwrite: false);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"The backup {path} cannot be written: {fault.Message} Choose another place.", fault);
        }
        finally
        {
            File.Delete(draft);
            File.Delete(draft + "-journal");
        }
    }

    public static void Restore(StoreSettings settings, string path)
    {
        byte[] head = new byte[16];
        try
        {
            using FileStream file = File.OpenRead(path);
            int length = file.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
            if (length < 2)
                throw new StoreException($"{path} is not a backup of the store: it is empty.");
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"The backup {path} cannot be read: {fault.Message}", fault);
        }

        if (settings.Kind == StoreKind.Sqlite && File.Exists(settings.FilePath))
            throw new StoreException($"There is a store already: {settings.FilePath}. Move it away (with the files {StoreSettings.FileName}-wal and {StoreSettings.FileName}-shm), or choose another folder (Glimmer:DataFolder).");
        if (head.AsSpan().SequenceEqual(SqliteMark))
        {
            if (settings.Kind != StoreKind.Sqlite)
                throw new StoreException($"{path} is a copy of a SQLite store, which PostgreSQL cannot read. Restore it into SQLite, make a portable backup there, and restore that.");
            RestoreSqlite(settings, path);
        }
        else if (head[0] == 0x1f && head[1] == 0x8b)
        {
            StoreDump.Restore(settings, path);
        }
        else
        {
            throw new StoreException($"{path} is not a backup of the store.");
        }
    }

    private static void Create(string path)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        new FileStream(path, options).Dispose();
    }

    private static void CopySqlite(StoreConnections connections, string path)
    {
        using StoreConnection source = connections.OpenWriter();
        using var target = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString());
        target.Open();
        ((SqliteConnection)source.Connection).BackupDatabase(target);
        using SqliteCommand command = target.CreateCommand();

        // The copy is one file that needs no log beside it.
        command.CommandText = "PRAGMA journal_mode=DELETE";
        command.ExecuteNonQuery();
    }

    private static void RestoreSqlite(StoreSettings settings, string path)
    {
        _ = SqliteEngine.Version;
        string draft = settings.FilePath + ".restore.tmp";
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(settings.FilePath)!);
            File.Delete(draft);
            Create(draft);
            File.Copy(path, draft, overwrite: true);
            using (var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = draft, Pooling = false }.ToString()))
            {
                connection.Open();
                using SqliteCommand command = connection.CreateCommand();
                command.CommandText = "PRAGMA integrity_check(1)";
                string? verdict = command.ExecuteScalar() as string;
                if (verdict != "ok")
                    throw new StoreException($"The backup {path} is damaged: {verdict}");
                command.CommandText = "SELECT COUNT(*) FROM sqlite_master WHERE name = 'schema_version'";
                if ((long)command.ExecuteScalar()! == 0)
                    throw new StoreException($"{path} is a SQLite database, but not a backup of the store.");
            }

            File.Move(draft, settings.FilePath, overwrite: false);
        }
        catch (SqliteException fault)
        {
            throw new StoreException($"The backup {path} is damaged: {fault.Message}", fault);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            throw new StoreException($"The store {settings.FilePath} cannot be made: {fault.Message}", fault);
        }
        finally
        {
            File.Delete(draft);
        }

        // Brings an older backup up to date, and refuses a newer one.
        try
        {
            PlatformStore.Open(settings).Dispose();
        }
        catch (StoreException)
        {
            File.Delete(settings.FilePath);
            throw;
        }
    }
}
