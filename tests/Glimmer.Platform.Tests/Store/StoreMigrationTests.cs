using Glimmer.Platform.Store;

namespace Glimmer.Platform.Tests.Store;

public sealed class StoreMigrationTests
{
    [Fact]
    public void Both_databases_have_the_same_steps()
    {
        Assert.Equal(StoreMigrations.Of(StoreKind.Sqlite).Select(step => step.ToString()), StoreMigrations.Of(StoreKind.Postgres).Select(step => step.ToString()));
        Assert.Distinct(StoreMigrations.Of(StoreKind.Sqlite).Select(step => step.Number));
    }

    [Fact]
    public void Both_databases_have_the_same_tables_and_columns()
    {
        Assert.Equal(Shape(StoreKind.Sqlite), Shape(StoreKind.Postgres));

        static string[] Shape(StoreKind kind)
        {
            using var test = new TestStore(kind);
            using PlatformStore store = test.Open();
            return store.Read(session => StoreCatalog.Tables(session).Order(StringComparer.Ordinal)
                .Select(table => $"{table}({string.Join(", ", StoreCatalog.Columns(session, table))})").ToArray());
        }
    }

    [Theory, EachStore]
    public void Every_earlier_version_can_be_upgraded_with_its_rows(StoreKind kind)
    {
        IReadOnlyList<StoreMigration> all = StoreMigrations.Of(kind);
        using var test = new TestStore(kind);
        for (int version = 1; version < all.Count; version++)
        {
            using (PlatformStore old = PlatformStore.Open(test.Settings, [.. all.Take(version)]))
            {
                // The columns that the first version has; later ones must come with a default.
                old.Write(session => session.Execute("INSERT INTO accounts (public_id, name, created, version) VALUES ('acc', 'old', 1, 1)"));
            }

            using (PlatformStore store = test.Open())
            {
                Assert.Equal(all.Skip(version).Select(step => step.ToString()), store.Upgrades);
                Assert.Equal("old", store.Read(session => session.Scalar<string>("SELECT name FROM accounts")));
            }

            test.Erase();
        }
    }

    [Theory, EachStore]
    public void A_newer_store_and_an_edited_step_are_refused_by_name(StoreKind kind)
    {
        using var test = new TestStore(kind);
        StoreMigration[] newer = [.. StoreMigrations.Of(kind), new StoreMigration(9000, "future", "CREATE TABLE future (id BIGINT)")];
        PlatformStore.Open(test.Settings, newer).Dispose();
        Assert.Contains("9000_future", Assert.Throws<StoreException>(test.Open).Message);
        newer[^1] = new StoreMigration(9000, "future", "CREATE TABLE future (id BIGINT, more TEXT)");
        Assert.Contains("9000_future", Assert.Throws<StoreException>(() => PlatformStore.Open(test.Settings, newer)).Message);
        newer[^1] = new StoreMigration(9000, "future", "CREATE TABLE future (id BIGINT)".ReplaceLineEndings("\r\n"));
        PlatformStore.Open(test.Settings, newer).Dispose();
    }

    [Theory, EachStore]
    public void A_step_that_fails_leaves_the_former_version(StoreKind kind)
    {
        using var test = new TestStore(kind);
        StoreMigration[] steps =
        [
            new(1, "one", "CREATE TABLE one (id BIGINT); INSERT INTO one VALUES (1)"),
            new(2, "two", "CREATE TABLE two (id BIGINT); INSERT INTO nothing VALUES (1)"),
        ];
        Assert.Contains("0002_two", Assert.Throws<StoreException>(() => PlatformStore.Open(test.Settings, steps)).Message);
        using PlatformStore store = PlatformStore.Open(test.Settings, [steps[0]]);
        Assert.Equal(1, store.Read(session => session.Scalar<long>("SELECT COUNT(*) FROM one")));
        Assert.DoesNotContain("two", store.Read(StoreCatalog.Tables));
    }

    [Theory, EachStore]
    public void A_lower_number_that_came_later_is_applied_too(StoreKind kind)
    {
        using var test = new TestStore(kind);
        StoreMigration late = new(5, "late", "CREATE TABLE late (id BIGINT)");
        StoreMigration high = new(20, "high", "CREATE TABLE high (id BIGINT)");
        PlatformStore.Open(test.Settings, [high]).Dispose();
        using PlatformStore store = PlatformStore.Open(test.Settings, [late, high]);
        Assert.Equal(["0005_late"], store.Upgrades);
    }
}
