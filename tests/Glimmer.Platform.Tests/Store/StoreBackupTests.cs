using System.IO.Compression;
using System.Text;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Tests.Store;

public sealed class StoreBackupTests
{
    [Theory]
    [InlineData(StoreKind.Sqlite, StoreKind.Sqlite, false)]
    [InlineData(StoreKind.Sqlite, StoreKind.Sqlite, true)]
    [InlineData(StoreKind.Sqlite, StoreKind.Postgres, true)]
    [InlineData(StoreKind.Postgres, StoreKind.Postgres, true)]
    [InlineData(StoreKind.Postgres, StoreKind.Sqlite, true)]
    public void What_was_backed_up_comes_back(StoreKind from, StoreKind to, bool portable)
    {
        using var source = new TestStore(from);
        using var target = new TestStore(to);
        string path = source.File("backup");
        string[] before;
        using (PlatformStore store = source.Open())
        {
            Fill(store);
            before = Rows(store);
            store.Backup(path, portable);
            store.Write(session => PlatformStoreTests.Insert(session, "after the backup"));
            Assert.Contains("exists", Assert.Throws<StoreException>(() => store.Backup(path)).Message);
        }

        PlatformStore.Restore(target.Settings, path);
        using (PlatformStore store = target.Open())
        {
            Assert.Empty(store.Upgrades);
            Assert.Equal(before, Rows(store));

            // Numbers go on after the highest one ever given out, not after the highest one left.
            Assert.Equal(42, store.Write(session => PlatformStoreTests.Insert(session, "new")));
            Assert.Equal(42, store.Read(session => session.Version("accounts")));
        }

        Assert.Contains("already", Assert.Throws<StoreException>(() => PlatformStore.Restore(target.Settings, path)).Message);
        Assert.Empty(Directory.GetFiles(source.Folder, "*.tmp"));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
    }

    [Theory, EachStore]
    public void A_damaged_backup_is_refused_and_leaves_no_store(StoreKind kind)
    {
        using var source = new TestStore(StoreKind.Sqlite);
        string path = source.File("backup");
        using (PlatformStore store = source.Open())
        {
            Fill(store);
            store.Backup(path, portable: true);
        }

        using var target = new TestStore(kind);
        byte[] whole = File.ReadAllBytes(path);
        string text = Unzip(whole);
        string[] lines = text.Split('\n');
        var damaged = new List<byte[]>
        {
            Array.Empty<byte>(),
            "hello, I am no backup"u8.ToArray(),
            whole[..(whole.Length / 2)],
            Zip(""),
            Zip("{}\n"),
            Zip("[1]\n"),
            Zip(text.Replace("\"glimmer_store\":1", "\"glimmer_store\":2", StringComparison.Ordinal)),
            Zip(text.Replace("\"steps\":[[1,", "\"steps\":[[8888,", StringComparison.Ordinal)),
            Zip(text.Replace("\"table\":\"accounts\"", "\"table\":\"accounts; DROP\"", StringComparison.Ordinal)),
            Zip(text.Replace("\"public_id\"", "\"public_id\\\" --\"", StringComparison.Ordinal)),
            Zip(string.Join('\n', lines.Where((_, i) => i != 4))),
            Zip(string.Join('\n', lines[..^3])),
            Zip(text.Replace("[[1,", "[[\"x\",", StringComparison.Ordinal)),
            Zip(text.Replace("{\"b64\":", "{\"b65\":", StringComparison.Ordinal)),
        };
        var random = new Random(5);
        for (int i = 0; i < 40; i++)
        {
            byte[] copy = [.. whole];
            copy[random.Next(10, copy.Length - 8)] ^= (byte)(1 << random.Next(8));
            damaged.Add(copy);
        }

        string bad = source.File("bad");
        foreach (byte[] content in damaged)
        {
            File.WriteAllBytes(bad, content);
            Assert.Throws<StoreException>(() => PlatformStore.Restore(target.Settings, bad));
            if (kind == StoreKind.Sqlite)
                Assert.False(File.Exists(target.Settings.FilePath));
            else
                target.Erase();
        }

        PlatformStore.Restore(target.Settings, path);
    }

    [Fact]
    public void A_damaged_copy_is_refused()
    {
        using var source = new TestStore(StoreKind.Sqlite);
        using (PlatformStore store = source.Open())
        {
            Fill(store);
            store.Backup(source.File("backup"));
        }

        byte[] content = File.ReadAllBytes(source.File("backup"));
        content.AsSpan(4096, 8192).Fill(0x5a);
        File.WriteAllBytes(source.File("bad"), content);
        using var target = new TestStore(StoreKind.Sqlite);
        Assert.Contains("damaged", Assert.Throws<StoreException>(() => PlatformStore.Restore(target.Settings, source.File("bad"))).Message);
        Assert.False(File.Exists(target.Settings.FilePath));
        using var server = new TestStore(StoreKind.Postgres);
        Assert.Contains("portable", Assert.Throws<StoreException>(() => PlatformStore.Restore(server.Settings, source.File("backup"))).Message);
    }

    private static void Fill(PlatformStore store) => store.Write(session =>
    {
        for (int i = 0; i < 40; i++)
        {
            long account = PlatformStoreTests.Insert(session, $"a\tb\nc\r\\N \\. {i} \" ' 中文😀", $"acc{i}");
            long project = session.Scalar<long>("INSERT INTO projects (account_id, public_id, name, created) VALUES (@account, @id, 'p', @created) RETURNING id", new { account, id = $"p{i}", created = long.MaxValue });
            session.Execute(
                "INSERT INTO access_keys (account_id, project_id, public_id, name, salt, hash, sealed, created, version) VALUES (@account, @project, @id, '', @bytes, @bytes, @empty, -1, 1)",
                new { account, project, id = $"k{i}", bytes = Enumerable.Range(0, 256).Select(b => (byte)b).ToArray(), empty = Array.Empty<byte>() });
        }

        long last = PlatformStoreTests.Insert(session, "gone");
        session.Execute("DELETE FROM accounts WHERE id = @last", new { last });
    });

    private static string[] Rows(PlatformStore store) =>
    [
        .. store.Read(session => session.List<string>("SELECT id || ' ' || public_id || ' ' || name || ' ' || created || ' ' || version FROM accounts ORDER BY id")),
        .. store.Read(session => session.List<string>("SELECT id || ' ' || public_id || ' ' || created FROM projects ORDER BY id")),
        .. store.Read(session => session.List<(string Id, byte[] Salt, byte[] Sealed)>("SELECT public_id, salt, sealed FROM access_keys ORDER BY id"))
            .Select(row => $"{row.Id} {Convert.ToHexString(row.Salt)} {row.Sealed.Length}"),
    ];

    private static string Unzip(byte[] content)
    {
        using var zip = new GZipStream(new MemoryStream(content), CompressionMode.Decompress);
        using var reader = new StreamReader(zip);
        return reader.ReadToEnd();
    }

    private static byte[] Zip(string text)
    {
        var result = new MemoryStream();
        using (var zip = new GZipStream(result, CompressionLevel.Fastest))
            zip.Write(Encoding.UTF8.GetBytes(text));
        return result.ToArray();
    }
}
