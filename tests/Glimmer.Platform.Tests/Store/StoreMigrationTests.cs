using Glimmer.Platform.Ledger;
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
                old.Exchange(session => session.Execute("INSERT INTO accounts (public_id, name, created, version) VALUES ('acc', 'old', 1, 1)"));
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
    public void A_newer_store_that_needs_a_newer_version_and_an_edited_step_are_refused_by_name(StoreKind kind)
    {
        using var test = new TestStore(kind);
        StoreMigration[] newer = [.. StoreMigrations.Of(kind), new StoreMigration(9000, "future", "CREATE TABLE future (id BIGINT)")];
        PlatformStore.Open(test.Settings, newer).Dispose();
        newer[^1] = new StoreMigration(9000, "future", "CREATE TABLE future (id BIGINT, more TEXT)");
        Assert.Contains("9000_future", Assert.Throws<StoreException>(() => PlatformStore.Open(test.Settings, newer)).Message);
        newer[^1] = new StoreMigration(9000, "future", "CREATE TABLE future (id BIGINT)".ReplaceLineEndings("\r\n"));
        PlatformStore.Open(test.Settings, newer).Dispose();
    }

    [Theory, EachStore]
    public async Task Nodes_of_two_versions_share_a_store_whose_new_steps_only_add(StoreKind kind)
    {
        // The older build is one that lacks the last step; it runs while the newer one upgrades, and is started again afterwards.
        IReadOnlyList<StoreMigration> old = StoreMigrations.Of(kind);
        StoreMigration[] expanded =
        [
            .. old,
            new(9000, "expand", "ALTER TABLE ledger_usage ADD COLUMN colour TEXT; ALTER TABLE ledger_lots ADD COLUMN weight BIGINT NOT NULL DEFAULT 7; CREATE TABLE future (id BIGINT PRIMARY KEY)"),
        ];
        using var test = new TestStore(kind);
        using PlatformStore running = PlatformStore.Open(test.Settings, old);
        await using PlatformLedger before = PlatformLedger.Open(running, new LedgerSettings { SweepEvery = TimeSpan.Zero });
        await before.DepositAsync("a", Money.Of(1, Currency.Usd), "d1");
        using PlatformStore newer = PlatformStore.Open(test.Settings, expanded);
        await using PlatformLedger beside = PlatformLedger.Open(newer, new LedgerSettings { SweepEvery = TimeSpan.Zero });
        Assert.Equal(["9000_expand"], newer.Upgrades);
        Price price = Tests.Ledger.PriceTests.Tokens("1", "1", "1", per: 1000);
        foreach (PlatformLedger ledger in new[] { before, beside, before })
        {
            await ledger.DepositAsync("b", Money.Of(1, Currency.Usd), Guid.NewGuid().ToString("N"));
            await Tests.Ledger.TestLedger.Spend(ledger, "a", price, 1);
        }

        using PlatformStore again = PlatformStore.Open(test.Settings, old);
        await using PlatformLedger restarted = PlatformLedger.Open(again, new LedgerSettings { SweepEvery = TimeSpan.Zero });
        Assert.Equal(["9000_expand"], again.Newer);
        Assert.Empty(newer.Newer);
        await Tests.Ledger.TestLedger.Spend(restarted, "a", price, 1);
        Assert.Empty(await restarted.AuditAsync());
        Assert.Equal(0.996m, restarted.BalanceOf("a", Currency.Usd).Cash.Amount);

        // What removes or changes says which step a build must know; one that knows it goes on, one that does not is told.
        StoreMigration[] contracted = [.. expanded, new(9001, "contract", "-- min_reader: 9000\nDROP TABLE future")];
        PlatformStore.Open(test.Settings, contracted).Dispose();
        PlatformStore.Open(test.Settings, expanded).Dispose();
        string refusal = Assert.Throws<StoreException>(() => PlatformStore.Open(test.Settings, old)).Message;
        Assert.Contains("9001_contract", refusal, StringComparison.Ordinal);
        Assert.Contains("knows step 9000", refusal, StringComparison.Ordinal);
    }

    [Theory, EachStore]
    public void A_store_of_a_version_that_knew_no_such_rule_is_upgraded(StoreKind kind)
    {
        using var test = new TestStore(kind);
        PlatformStore.Open(test.Settings, [.. StoreMigrations.Of(kind).SkipLast(1)]).Dispose();
        using (PlatformStore old = PlatformStore.Open(test.Settings, [.. StoreMigrations.Of(kind).SkipLast(1)]))
            old.Exchange(session => session.Execute("ALTER TABLE schema_version DROP COLUMN min_reader"));
        using PlatformStore store = test.Open();
        Assert.Single(store.Upgrades);
        Assert.Equal(StoreMigrations.Of(kind).Count, store.Steps().Count);
    }

    [Theory]
    [InlineData(StoreKind.Sqlite)]
    [InlineData(StoreKind.Postgres)]
    public void Steps_only_add_unless_they_say_what_a_build_must_know(StoreKind kind)
    {
        // Those up to 0041 were there before the rule: every build knows them.
        foreach (StoreMigration step in StoreMigrations.Of(kind).Where(step => step.Number > 41 && step.MinReader == 0))
        {
            string sql = string.Join('\n', step.Sql.Split('\n').Where(static line => !line.StartsWith("--", StringComparison.Ordinal))).ToUpperInvariant();
            foreach (string statement in sql.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            {
                bool adds = statement.StartsWith("CREATE TABLE", StringComparison.Ordinal)
                    || statement.StartsWith("CREATE INDEX", StringComparison.Ordinal)
                    || statement.StartsWith("INSERT INTO", StringComparison.Ordinal)
                    || (statement.StartsWith("CREATE UNIQUE INDEX", StringComparison.Ordinal) && step.Sql.Contains("CREATE TABLE", StringComparison.OrdinalIgnoreCase))
                    || (statement.StartsWith("ALTER TABLE", StringComparison.Ordinal) && statement.Contains(" ADD COLUMN ", StringComparison.Ordinal)
                        && (!statement.Contains("NOT NULL", StringComparison.Ordinal) || statement.Contains("DEFAULT", StringComparison.Ordinal)));
                Assert.True(adds, $"{step}: builds that do not know this step could not go on after it. Only add, or write -- min_reader: NNNN (docs/store.md). {statement}");
            }
        }
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
