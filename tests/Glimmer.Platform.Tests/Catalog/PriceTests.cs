using Glimmer.Platform.Catalog;
using Glimmer.Platform.Ledger;

namespace Glimmer.Platform.Tests.Catalog;

public sealed class PriceTests
{
    private static readonly Catalogue BuiltIn = Catalogue.Load();

    [Theory]
    [InlineData("glm-5.1", "USD", 1_000_000, 0, 0, "1.40")]
    [InlineData("glm-5.1", "USD", 1_000_000, 1_000_000, 0, "0.26")]
    [InlineData("glm-5.1", "USD", 0, 0, 1_000_000, "4.40")]
    [InlineData("glm-4.7", "USD", 2000, 1200, 500, "0.001712")]
    [InlineData("GLM-4.5-AirX", "USD", 10, 0, 10, "0.000056")]
    [InlineData("glm-4-32b-0414-128k", "USD", 1000, 500, 0, "0.0001")]
    [InlineData("glm-4.7-flash", "USD", 100_000, 0, 100_000, "0.00")]
    [InlineData("glm-4.7-flash", "CNY", 100_000, 0, 100_000, "0.00")]
    [InlineData("glm-4.7", "CNY", 32767, 0, 204, "0.067166")]
    [InlineData("glm-4.7", "CNY", 32767, 0, 205, "0.101171")]
    [InlineData("glm-4.7", "CNY", 32768, 0, 204, "0.134336")]
    [InlineData("glm-4.5", "CNY", 32768, 0, 204, "0.067168")]
    [InlineData("glm-5.1", "CNY", 32767, 0, 1, "0.196626")]
    [InlineData("glm-5.1", "CNY", 32768, 0, 1, "0.262172")]
    [InlineData("glm-4-plus", "CNY", 1_000_000, 0, 1_000_000, "10.00")]
    [InlineData("glm-4-plus", "USD", 1_000_000, 0, 0, "0.70")]
    [InlineData("glm-4.6", "CNY", 1_000_000, 0, 0, "4.32")]
    [InlineData("glm-z1-airx", "USD", 1_000_000, 0, 0, "0.60")]   // answered and priced as its successor, glm-4.6
    [InlineData("glm-4-long", "USD", 1_000_000, 0, 1_000_000, "0.00")]
    public void Tokens_cost_what_the_lists_say(string code, string currency, int input, int cached, int output, string cost)
    {
        CatalogModel model = BuiltIn.Resolve(code)!;
        Price price = BuiltIn.PriceOf(model, Currency.Parse(currency), input, output);
        Assert.Equal(cost, price.Cost(new UsageUnits { Input = input, CachedInput = cached, Output = output }).AmountText);
    }

    [Fact]
    public void Pieces_cost_what_the_lists_say()
    {
        Assert.Equal("0.03", Of("glm-image", new UsageUnits { Images = 2 }));
        Assert.Equal("0.40", Of("vidu2-reference", new UsageUnits { Videos = 1 }));
        Assert.Equal("0.10", Of("search-prime", new UsageUnits { Searches = 10 }));
        Assert.Equal("0.0252", Of("glm-realtime-flash", new UsageUnits { AudioMilliseconds = 60_000 }));

        static string Of(string code, UsageUnits units) => BuiltIn.PriceOf(BuiltIn.Find(code)!, Currency.Usd, 0, 0).Cost(units).AmountText;
    }

    [Fact]
    public void Free_models_are_free_in_both_currencies_and_every_price_names_its_version()
    {
        foreach (string code in "glm-4.7-flash glm-4.5-flash glm-4.6v-flash glm-4-flash-250414 glm-4-flash glm-4.1v-thinking-flash glm-4v-flash cogview-3-flash cogvideox-flash".Split(' '))
        {
            Assert.True(BuiltIn.IsPriced(code));
            Assert.True(BuiltIn.PriceOf(BuiltIn.Find(code)!, Currency.Usd, 100, 100).IsFree && BuiltIn.PriceOf(BuiltIn.Find(code)!, Currency.Cny, 100, 100).IsFree);
        }

        var changed = Catalogue.Load(null, "prices:\n  - { model: glm-4.7, currency: CNY, input: 1 }\n  - { model: glm-4.7-flash, currency: USD, input: 0.1, reasoning: 2 }", 7);
        Assert.Equal(7, changed.Version);
        foreach (CatalogModel model in changed.Models)
            Assert.Equal(7, changed.PriceOf(model, Currency.Usd, 1, 1).CatalogueVersion);
        Assert.Equal("1.00", changed.PriceOf(changed.Find("glm-4.7")!, Currency.Cny, 1_000_000, 1_000_000).Cost(new UsageUnits { Input = 1_000_000, Output = 1_000_000 }).AmountText);
        Assert.False(changed.PriceOf(changed.Find("glm-4.7-flash")!, Currency.Usd, 1, 1).IsFree);
        Assert.Equal("0.60", changed.PriceOf(changed.Find("glm-4.7")!, Currency.Usd, 1, 1).Lines[0].Amount.AmountText);
    }

    [Fact]
    public void Tiers_limit_what_runs_and_how_often()
    {
        CatalogModel plus = BuiltIn.Find("glm-4-plus")!, vision = BuiltIn.Find("glm-4.5v")!;
        Assert.Equal([50, 100, 300, 500, 500], Enumerable.Range(0, 5).Select(tier => BuiltIn.ConcurrencyOf(plus, tier)));
        Assert.Equal([10, 30, 50, 80, 100, 150], new[] { 0, 1, 2, 3, 4, 8 }.Select(tier => BuiltIn.ConcurrencyOf(vision, tier)));
        Assert.Equal([30, 40, 50, 60], Enumerable.Range(0, 4).Select(tier => BuiltIn.ConcurrencyOf(BuiltIn.Find("glm-5.1")!, tier)));
        Assert.Equal([5, 10, 15, 20], Enumerable.Range(0, 4).Select(tier => BuiltIn.ConcurrencyOf(BuiltIn.Find("glm-ocr")!, tier)));
        Assert.False(BuiltIn.RateOf(plus, 0).IsSet);
        var changed = Catalogue.Load(null, "models:\n  - { code: glm-4-plus, per_minute: [60, 600], per_day: [1000, 0] }", 1);
        Assert.Equal((60, 10, 1000), Rate(0));
        Assert.Equal((600, 100, 0), Rate(3));

        (int PerMinute, int Burst, int PerDay) Rate(int tier)
        {
            var rate = changed.RateOf(changed.Find("glm-4-plus")!, tier);
            return (rate.PerMinute, rate.Burst, rate.PerDay);
        }
    }

    [Theory]
    [InlineData("prices:\n  - { model: glm-9, currency: USD, input: 1 }", 2, "glm-9")]
    [InlineData("prices:\n  - { model: glm-4.7, currency: dollars, input: 1 }", 2, "USD")]
    [InlineData("prices:\n  - { model: glm-4.7, currency: USD }", 2, "amount")]
    [InlineData("prices:\n  - { model: glm-4.7, currency: USD, input: -1 }", 2, "input")]
    [InlineData("prices:\n  - { model: glm-4.7, currency: USD, input: 1e3 }", 2, "input")]
    [InlineData("prices:\n  - { model: glm-4.7, currency: USD, input: 0.0000000001 }", 2, "nine decimals")]
    [InlineData("prices:\n  - { model: glm-4.7, currency: USD, colour: 1 }", 2, "colour")]
    [InlineData("prices:\n  - { model: glm-4.7, currency: USD, input_below: x, input: 1 }", 2, "128K")]
    [InlineData("exchange:\n  - { from: USD, to: EUR, rate: 0 }", 2, "rate")]
    [InlineData("exchange:\n  - { from: USD, by: EUR }", 2, "by")]
    [InlineData("limits:\n  - { kinds: [poem], concurrency: [1] }", 2, "kinds")]
    [InlineData("limits:\n  - { kinds: [text], speed: [1] }", 2, "speed")]
    [InlineData("models:\n  - { code: glm-4.7, per_day: [-1] }", 2, "per_day")]
    public void Faults_of_a_version_name_line_and_field(string text, int line, string part)
    {
        CatalogException fault = Assert.Throws<CatalogException>(() => Catalogue.Load(null, text, 12));
        Assert.Contains($"catalogue version 12, line {line}: ", fault.Message);
        Assert.Contains(part, fault.Message);
    }
}
