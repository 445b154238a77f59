using System.Numerics;
using Glimmer.Platform.Ledger;

namespace Glimmer.Platform.Tests.Ledger;

public sealed class PriceTests
{
    [Fact]
    public void The_worked_example_of_cache_billing_comes_out()
    {
        Price price = Tokens("0.01", "0.005", "0.01", per: 1000);
        Assert.Equal("0.019", price.Cost(new UsageUnits { Input = 2000, CachedInput = 1200, Output = 500 }).AmountText);
        Assert.Equal("0.025", price.Cost(new UsageUnits { Input = 2000, Output = 500 }).AmountText);
    }

    [Theory]
    [InlineData("1.4", "0.26", "4.4", 123_457, 100_001, 7_919, "0.09368226")]   // glm-5.1
    [InlineData("0.07", "0.01", "0.4", 1, 1, 1, "0.000000410")]                   // glm-4.7-flashx
    [InlineData("0.04", "0.004", "0.4", 3, 2, 1, "0.000000448")]                  // glm-4.6v-flashx
    public void List_prices_are_never_rounded(string input, string cached, string output, int inputs, int hits, int outputs, string cost)
    {
        Money paid = Tokens(input, cached, output).Cost(new UsageUnits { Input = inputs, CachedInput = hits, Output = outputs });
        Assert.Equal(decimal.Parse(cost, System.Globalization.CultureInfo.InvariantCulture), paid.Amount);
    }

    [Fact]
    public void Without_a_line_of_their_own_cached_input_and_reasoning_cost_what_input_and_output_do()
    {
        Price price = new("m", 1, Currency.Usd, [Line(UnitKind.Input, "1"), Line(UnitKind.Output, "2")]);
        Assert.Equal(14m, price.Cost(new UsageUnits { Input = 10_000_000, CachedInput = 9_000_000, Output = 2_000_000, Reasoning = 1_000_000 }).Amount);
        Price split = new("m", 1, Currency.Usd, [Line(UnitKind.Input, "1"), Line(UnitKind.Output, "2"), Line(UnitKind.Reasoning, "5"), Line(UnitKind.CachedInput, "0")]);
        Assert.Equal(8m, split.Cost(new UsageUnits { Input = 10_000_000, CachedInput = 9_000_000, Output = 2_000_000, Reasoning = 1_000_000 }).Amount);
    }

    [Fact]
    public void Costs_are_exact_sums_rounded_once_half_to_even_and_shares_add_up()
    {
        var random = new Random(7);
        int[] billable = new int[UsageUnits.Kinds];
        long[] shares = new long[UsageUnits.Kinds];
        for (int i = 0; i < 20_000; i++)
        {
            int[] pers = [1, 2, 3, 7, 10, 60, 1000, 1_000_000];
            List<PriceLine> lines = [];
            foreach (UnitKind kind in Enum.GetValues<UnitKind>())
            {
                if (random.Next(2) == 0)
                    lines.Add(new PriceLine(kind, Money.FromUnits(random.NextInt64(random.Next(2) == 0 ? 10 : 170_000_000), Currency.Usd), pers[random.Next(pers.Length)]));
            }

            var price = new Price("m", 1, Currency.Usd, [.. lines]);
            UsageUnits units = Units(random);
            BigInteger numerator = 0, denominator = 1;
            foreach (PriceLine line in lines)
            {
                numerator = (numerator * line.Per) + ((BigInteger)line.Amount.Units * price.Billable(line.Kind, units) * denominator);
                denominator *= line.Per;
            }

            BigInteger expected = BigInteger.DivRem(numerator, denominator, out BigInteger rest);
            if (rest * 2 > denominator || (rest * 2 == denominator && !expected.IsEven))
                expected++;
            Assert.Equal(expected, price.Cost(units).Units);
            Array.Clear(billable);
            foreach (PriceLine line in lines)
                billable[(int)line.Kind] = price.Billable(line.Kind, units);
            Assert.Equal(expected, price.CostOf(billable, shares));
            long sum = 0;
            foreach (long share in shares)
            {
                Assert.True(share >= 0);
                sum += share;
            }

            Assert.Equal(expected, sum);
        }
    }

    [Fact]
    public void Impossible_prices_are_refused_and_the_largest_usage_has_a_cost()
    {
        Assert.Throws<ArgumentException>(() => new Price("m", 1, Currency.Usd, [Line(UnitKind.Input, "-1")]));
        Assert.Throws<ArgumentException>(() => new Price("m", 1, Currency.Usd, [Line(UnitKind.Input, "1"), Line(UnitKind.Input, "2")]));
        Assert.Throws<ArgumentException>(() => new Price("m", 1, Currency.Usd, [new PriceLine(UnitKind.Input, Money.Of(1, Currency.Cny), 1)]));
        Assert.Throws<ArgumentException>(() => new Price("m", 1, Currency.Usd, [new PriceLine(UnitKind.Input, Money.Of(1, Currency.Usd), 0)]));
        Assert.Throws<ArgumentException>(() => new Price("m", 1, Currency.Usd, [new PriceLine(UnitKind.Input, Money.Of(9_000_000_000m, Currency.Usd), 1)]));
        Price dear = new("m", 1, Currency.Usd, [Line(UnitKind.Input, "100000"), Line(UnitKind.Output, "100000"), new PriceLine(UnitKind.Image, Money.Of(300, Currency.Usd), 1)]);
        var most = new UsageUnits { Input = int.MaxValue, Output = int.MaxValue, Images = UsageUnits.MostPieces };
        Assert.Equal(300_000_000m + (2 * 214_748_364.7m), dear.Cost(most).Amount);
        Assert.Throws<InvalidOperationException>(() => Money.Of(1, Currency.Usd) + Money.Of(1, Currency.Cny));
        Assert.Throws<OverflowException>(() => Money.Of(9_000_000_000m, Currency.Usd) + Money.Of(9_000_000_000m, Currency.Usd));
    }

    [Theory]
    [InlineData("12.5", true, "12.50")]
    [InlineData("0.000000001", true, "0.000000001")]
    [InlineData("0.0000000001", false, "")]
    [InlineData("1e3", false, "")]
    [InlineData("1,000", false, "")]
    [InlineData(" 1", false, "")]
    [InlineData("-3", true, "-3.00")]
    [InlineData("9999999999999999999999", false, "")]
    [InlineData("NaN", false, "")]
    public void Amounts_are_read_strictly(string text, bool good, string written)
    {
        Assert.Equal(good, Money.TryParse(text, Currency.Usd, out Money money));
        if (good)
            Assert.Equal(written, money.AmountText);
    }

    [Fact]
    public void Currencies_are_three_letters()
    {
        Assert.Equal("USD", default(Currency).Code);
        Assert.Equal("CNY", Currency.Parse("cny").Code);
        Assert.Equal(Currency.Usd, Currency.Parse("usd"));
        foreach (string? bad in (string?[])["", "US", "USDX", "U5D", null, "ÄÖÜ"])
            Assert.False(Currency.TryParse(bad, out _));
    }

    internal static UsageUnits Units(Random random)
    {
        int most = random.Next(3) == 0 ? 1_000_000 : 2000;
        int input = random.Next(most), output = random.Next(most);
        return new UsageUnits
        {
            Input = input,
            CachedInput = random.Next(input + 1),
            Output = output,
            Reasoning = random.Next(output + 1),
            Images = random.Next(4) == 0 ? random.Next(5) : 0,
            AudioMilliseconds = random.Next(4) == 0 ? random.Next(60_000) : 0,
            Searches = random.Next(4) == 0 ? random.Next(3) : 0,
        };
    }

    internal static Price Tokens(string input, string cached, string output, int per = 1_000_000, string model = "m") =>
        new(model, 1, Currency.Usd, [Line(UnitKind.Input, input, per), Line(UnitKind.CachedInput, cached, per), Line(UnitKind.Output, output, per)]);

    internal static PriceLine Line(UnitKind kind, string amount, int per = 1_000_000) =>
        Money.TryParse(amount, Currency.Usd, out Money money) ? new PriceLine(kind, money, per) : throw new FormatException(amount);
}
