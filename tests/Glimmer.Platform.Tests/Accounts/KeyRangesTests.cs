using System.Text;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;

namespace Glimmer.Platform.Tests.Accounts;

public sealed class KeyRangesTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Ranges_read_elsewhere_give_what_one_reader_and_SQLite_give(int ranges)
    {
        using var sqliteTest = new TestStore(StoreKind.Sqlite);
        using PlatformStore sqlite = sqliteTest.Open();
        Fill(sqlite);
        var expected = new Keys();
        sqlite.Read(session => DirectoryReader.Read(sqlite, session, 0, expected), snapshot: true);
        Assert.Equal(Kept, expected.Texts.Count);

        using var test = new TestStore(StoreKind.Postgres);
        using PlatformStore store = test.Open();
        Fill(store);
        var read = new Keys();
        store.Read(
            session =>
            {
                KeyRanges.Read(store, session, read, ranges);
                return true;
            },
            snapshot: true);
        Assert.Equal(expected.Texts, read.Texts);
        Assert.Equal(Kept, read.Given);
    }

    [Fact]
    public void Ranges_that_nobody_else_can_read_are_read_by_the_session()
    {
        using var test = new TestStore(StoreKind.Postgres);
        using PlatformStore store = test.Open();
        Fill(store);
        var whole = new Keys();
        var read = new Keys();
        store.Read(
            session =>
            {
                KeyRanges.Read(store, session, whole, 1);
                KeyRanges.Read(store, session, read, 3, "00000000-00000000-0");
                return true;
            },
            snapshot: true);
        Assert.Equal(whole.Texts, read.Texts);
        Assert.Equal(Kept, read.Given);
    }

    [Fact]
    public void What_is_written_meanwhile_is_not_read_by_halves()
    {
        using var test = new TestStore(StoreKind.Postgres);
        using PlatformStore store = test.Open();
        Fill(store);
        var read = new Keys();
        store.Read(
            session =>
            {
                session.Version(AccountDirectory.Topic);   // the snapshot is of now
                store.Write(writer => writer.Execute("UPDATE access_keys SET name = 'later'"));
                KeyRanges.Read(store, session, read, 4);
                return true;
            },
            snapshot: true);
        Assert.Equal(Kept, read.Given);
        Assert.DoesNotContain(read.Texts, static text => text.Contains("later", StringComparison.Ordinal));
    }

    [Fact]
    public void Few_keys_and_small_pools_are_read_on_one_connection()
    {
        using var test = new TestStore(StoreKind.Postgres, change: static settings => settings with { ConnectionString = settings.ConnectionString + ";Maximum Pool Size=2" });
        using PlatformStore store = test.Open();
        Fill(store);
        Assert.Equal(1, store.Read(session => KeyRanges.CountFor(store, session), snapshot: true));
        store.Write(static session => session.Execute("UPDATE access_keys SET id = id + 10000000"));
        Assert.Equal(1, store.Read(session => KeyRanges.CountFor(store, session), snapshot: true));
    }

    private const int Rows = 700;
    private const int Kept = Rows - (Rows / 7);

    /// <summary>Keys of every form: usual ones, deleted ones, ones with rules, a former secret, an id or a secret of another length.</summary>
    private static void Fill(PlatformStore store) => store.Write(session =>
    {
        long account = (long)session.Statement("INSERT INTO accounts (public_id, name, created, version) VALUES ('acc-1', 'One', 1, 1) RETURNING id").Scalar()!;
        long project = (long)session.Statement("INSERT INTO projects (account_id, public_id, name, created) VALUES (@p0, 'proj-1', 'Default', 1) RETURNING id").With(account).Scalar()!;
        for (int i = 0; i < Rows; i++)
        {
            byte[] salt = Bytes(16, i);
            byte[] hash = new byte[32];
            KeySecrets.Hash(salt, Secret(i), hash);
            session.Execute(
                "INSERT INTO access_keys (account_id, project_id, public_id, name, salt, hash, sealed, created, version, expires, last_used, disabled, deleted, models, old_salt, old_hash, old_sealed, old_until, operator) "
                + "VALUES (@account, @project, @id, @name, @salt, @hash, @box, @i, 1, @expires, @used, @disabled, @deleted, @models, @oldSalt, @oldHash, @oldSealed, @oldUntil, @isOperator)",
                new
                {
                    account,
                    project,
                    id = i % 11 == 5 ? $"own-{i}" : $"{i:x32}",
                    name = $"key {i % 9}",
                    salt,
                    hash,
                    box = Bytes(i % 13 == 4 ? 60 : 52, i),
                    i,
                    expires = i % 5 == 0 ? (long?)(i + 1_000_000) : null,
                    used = i % 4 == 0 ? (long?)(i * 60_000L) : null,
                    disabled = i % 17 == 0 ? 1 : 0,
                    deleted = i % 7 == 0 ? (long?)3 : null,
                    models = i % 10 == 3 ? "glm-4.7" : null,
                    oldSalt = i % 19 == 2 ? Bytes(16, i + 1) : null,
                    oldHash = i % 19 == 2 ? Bytes(32, i + 2) : null,
                    oldSealed = i % 19 == 2 ? Bytes(52, i + 3) : null,
                    oldUntil = i % 19 == 2 ? (long?)99 : null,
                    isOperator = i % 23 == 1 ? 1 : 0,
                });
        }
    });

    private static byte[] Bytes(int count, int seed) => [.. Enumerable.Range(seed, count).Select(static number => (byte)number)];

    private static byte[] Secret(long i) => Encoding.UTF8.GetBytes($"secret {i}");

    private sealed class Keys : IDirectorySink
    {
        public SortedSet<string> Texts { get; } = new(StringComparer.Ordinal);

        public int Given { get; private set; }

        public void Account(AccountEntry account)
        {
        }

        public void Project(long id, string publicId)
        {
        }

        public void Key(KeyEntry key)
        {
            Given++;
            Assert.True(key.Matches(Secret(key.Created), 0));
            string former = key.Extras?.Former is { } old ? $"{Convert.ToHexString(old.Salt)} {Convert.ToHexString(old.Hash)} {Convert.ToHexString(old.Sealed)} {key.Extras.FormerUntil}" : "";
            string own = key.Extras?.Own is { } secret ? Convert.ToHexString(secret.Sealed) : "";
            Texts.Add($"{key.Index:x32} {key.Number} {key.AccountId} {key.ProjectId} {key.Name} {key.Created} {key.Expires} {key.LastUsed} {key.Disabled} {key.Key.Id} {key.Key.IsOperator} {string.Join(',', key.Key.Rules.Models ?? [])} {former} {own}");
        }

        public void KeyGone(UInt128 index) => Assert.Fail("Deleted keys are not read.");

        public void Lock(long account, string endUser, long until)
        {
        }

        public void LockGone(long account, string endUser)
        {
        }
    }
}
