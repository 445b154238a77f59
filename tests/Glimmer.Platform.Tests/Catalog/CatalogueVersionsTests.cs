using Glimmer.Platform.Catalog;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;
using Glimmer.Platform.Store;
using Glimmer.Platform.Tests.Store;
using Glimmer.Testing;

namespace Glimmer.Platform.Tests.Catalog;

public sealed class CatalogueVersionsTests
{
    private const string Dearer = "prices:\n  - { model: glm-4.7, currency: USD, input: 9, output: 9 }\nmodels:\n  - { code: glm-4.6, state: retired, successor: glm-5 }\n";

    [Theory]
    [EachStore]
    public async Task A_version_counts_once_it_is_in_force_and_going_back_is_putting_an_earlier_one_in_force(StoreKind kind)
    {
        using var files = new TestStore(kind);
        using PlatformStore store = files.Open();
        var source = new CatalogueSource(Catalogue.Load());
        using var versions = CatalogueVersions.Open(store, source, new PlanGate(PlanRules.Load()));
        long first = await versions.AddAsync(VersionKind.Catalogue, Dearer, "admin", "dearer");
        Assert.Equal(0, source.Current.Version);
        Assert.Equal((0L, null), (versions.InForce(VersionKind.Catalogue), versions.Former(VersionKind.Catalogue)));
        await versions.ActivateAsync(VersionKind.Catalogue, first, "admin");
        Assert.Equal((first, "9.00", "glm-5"), (source.Current.Version, CostOf(source), source.Current.Resolve("glm-4.6")!.Code));

        Assert.Equal((first, 0L), (versions.InForce(VersionKind.Catalogue), versions.Former(VersionKind.Catalogue)));
        long second = await versions.AddAsync(VersionKind.Catalogue, "models: []", "admin", "");
        await versions.ActivateAsync(VersionKind.Catalogue, second, "other");
        Assert.Equal((second, first), (versions.InForce(VersionKind.Catalogue), versions.Former(VersionKind.Catalogue)));
        Assert.Equal((second, "0.60"), (source.Current.Version, CostOf(source)));
        await versions.ActivateAsync(VersionKind.Catalogue, first, "admin");
        Assert.Equal((first, "9.00"), (source.Current.Version, CostOf(source)));
        Assert.Equal([(second, false), (first, true)], versions.List().Select(version => (version.Id, version.Active)));
        Assert.Equal(Dearer, versions.TextOf(VersionKind.Catalogue, first));

        // Another node, and a restart.
        var other = new CatalogueSource(Catalogue.Load());
        using var follower = CatalogueVersions.Open(store, other, new PlanGate(PlanRules.Load()));
        Assert.Equal(first, other.Current.Version);
        await versions.ActivateAsync(VersionKind.Catalogue, 0, "admin");
        await Eventually.HoldsAsync(() => other.Current.Version == 0);
        Assert.Equal((0L, 0L), (source.Current.Version, other.Current.Version));
    }

    [Fact]
    public async Task Plans_have_versions_too_and_a_faulty_text_is_never_stored()
    {
        using var files = new TestStore(StoreKind.Sqlite);
        using PlatformStore store = files.Open();
        var gate = new PlanGate(PlanRules.Load());
        using var versions = CatalogueVersions.Open(store, new CatalogueSource(Catalogue.Load()), gate);
        using var text = new StreamReader(typeof(PlanRules).Assembly.GetManifestResourceStream("Glimmer.Platform.Plans.plans.yaml")!);
        long id = await versions.AddAsync(VersionKind.Plans, (await text.ReadToEndAsync()).Replace("amount: 18 ", "amount: 20 "), "admin", "");
        await versions.ActivateAsync(VersionKind.Plans, id, "admin");
        Assert.Equal(20, gate.Rules.PriceOf("lite", PlanCycle.Month, "USD"));
        await versions.ActivateAsync(VersionKind.Plans, 0, "admin");
        Assert.Equal(18, gate.Rules.PriceOf("lite", PlanCycle.Month, "USD"));

        foreach ((VersionKind kind, string faulty, string part) in new[]
        {
            (VersionKind.Catalogue, "models:\n  - { code: a }", "context"),
            (VersionKind.Catalogue, "'; DROP TABLE accounts; --", "YAML"),
            (VersionKind.Plans, "plans: {}", "no plan"),
            (VersionKind.Plans, "", "empty"),
        })
        {
            Assert.Contains(part, (await Assert.ThrowsAsync<CatalogException>(() => versions.AddAsync(kind, faulty, "admin", ""))).Message);
        }

        await Assert.ThrowsAsync<CatalogException>(() => versions.ActivateAsync(VersionKind.Catalogue, id, "admin"));
        await Assert.ThrowsAsync<CatalogException>(() => versions.ActivateAsync(VersionKind.Plans, 99, "admin"));
        Assert.Single(versions.List());
    }

    private static string CostOf(CatalogueSource source) =>
        source.Current.PriceOf(source.Current.Find("glm-4.7")!, Currency.Usd, 1, 1).Cost(new UsageUnits { Input = 1_000_000 }).AmountText;
}
