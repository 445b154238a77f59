using System.Collections.Immutable;

namespace Glimmer.Platform.Ledger;

/// <summary>One line of a price: so much money for so many units of a kind.</summary>
/// <param name="Kind">The kind of unit.</param>
/// <param name="Amount">What <paramref name="Per"/> units cost; not negative.</param>
/// <param name="Per">How many units that buys, e.g. 1,000,000 tokens or 1 image; 1 to 10⁹.</param>
public readonly record struct PriceLine(UnitKind Kind, Money Amount, int Per);

/// <summary>
/// What a model costs, as one version of the catalogue says. Immutable and made once per version, not per request.
/// Rounding rule: the lines of a request are added exactly as fractions and rounded once, half to even, to a
/// ledger unit; a line's share of the total is the difference of the rounded running sums, so that shares add up to
/// the total. List prices have at most three places per million tokens, so nothing is rounded with them.
/// </summary>
public sealed class Price
{
    private readonly long[] _perUnit = new long[UsageUnits.Kinds];
    private readonly long _denominator = 1;
    private readonly int _priced;

    /// <summary>A price with its lines.</summary>
    /// <param name="model">Model code as the catalogue spells it; billed to this name.</param>
    /// <param name="catalogueVersion">The version of the catalogue that says so.</param>
    /// <param name="currency">Currency of all lines.</param>
    /// <param name="lines">At most one per kind; a kind without a line is free.</param>
    /// <param name="family">Model family that packs name; null for none.</param>
    /// <exception cref="ArgumentException">A line is negative, of another currency, or doubled, or the lines have no common denominator below 10¹².</exception>
    public Price(string model, long catalogueVersion, Currency currency, ImmutableArray<PriceLine> lines, string? family = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(model);
        Model = model;
        CatalogueVersion = catalogueVersion;
        Currency = currency;
        Lines = lines.IsDefault ? [] : lines;
        Family = family;
        foreach (PriceLine line in Lines)
        {
            if ((uint)line.Kind >= UsageUnits.Kinds)
                throw new ArgumentException($"{line.Kind} is not a kind of unit.", nameof(lines));
            if (line.Amount.IsNegative || line.Amount.Currency != currency)
                throw new ArgumentException($"The price of {line.Kind} is {line.Amount}; it must be at least 0 {currency}.", nameof(lines));
            if (line.Per is < 1 or > 1_000_000_000)
                throw new ArgumentException($"The price of {line.Kind} is per {line.Per} units; legal is 1 to 1000000000.", nameof(lines));
            if ((_priced & (1 << (int)line.Kind)) != 0)
                throw new ArgumentException($"There are two prices of {line.Kind}.", nameof(lines));
            _priced |= 1 << (int)line.Kind;
            _denominator = Common(_denominator, line.Per);
            IsFree &= line.Amount.IsZero;
        }

        foreach (PriceLine line in Lines)
        {
            // So that no request, however large, costs more than money can say: pricing never fails later.
            Int128 scaled = (Int128)line.Amount.Units * (_denominator / line.Per);
            if (scaled > long.MaxValue || scaled * UsageUnits.Most(line.Kind) / _denominator > long.MaxValue / (2 * UsageUnits.Kinds))
                throw new ArgumentException($"The price of {line.Kind} is too high: {line.Amount} per {line.Per}; legal is below 0.17 a token or millisecond, 380 a piece.", nameof(lines));
            _perUnit[(int)line.Kind] = (long)scaled;
        }
    }

    /// <summary>Model code as the catalogue spells it.</summary>
    public string Model { get; }

    /// <summary>Model family, for packs; null for none.</summary>
    public string? Family { get; }

    /// <summary>The version of the catalogue that says so; stored with each usage row.</summary>
    public long CatalogueVersion { get; }

    /// <summary>Currency of the lines.</summary>
    public Currency Currency { get; }

    /// <summary>The lines.</summary>
    public ImmutableArray<PriceLine> Lines { get; }

    /// <summary>Whether nothing in it costs anything: such requests are recorded and never charged.</summary>
    public bool IsFree { get; } = true;

    /// <summary>A model that costs nothing.</summary>
    public static Price Free(string model, long catalogueVersion, Currency currency = default, string? family = null) =>
        new(model, catalogueVersion, currency, [], family);

    /// <summary>
    /// How many units of a kind are billed under that kind's own line: computed input without the cached, output without
    /// the reasoning, where these have lines of their own.
    /// </summary>
    public int Billable(UnitKind kind, in UsageUnits units) => kind switch
    {
        UnitKind.Input => Has(UnitKind.CachedInput) ? units.Input - units.CachedInput : units.Input,
        UnitKind.CachedInput => Has(UnitKind.CachedInput) ? units.CachedInput : 0,
        UnitKind.Output => Has(UnitKind.Reasoning) ? units.Output - units.Reasoning : units.Output,
        UnitKind.Reasoning => Has(UnitKind.Reasoning) ? units.Reasoning : 0,
        _ => units[kind],
    };

    /// <summary>What these units cost.</summary>
    public Money Cost(in UsageUnits units)
    {
        Int128 sum = 0;
        foreach (PriceLine line in Lines)
            sum += (Int128)_perUnit[(int)line.Kind] * Billable(line.Kind, units);
        return Money.FromUnits(Round(sum), Currency);
    }

    /// <summary>
    /// What each kind costs of billable counts, by <see cref="UnitKind"/>; returns the total. The shares add up to it.
    /// </summary>
    /// <param name="billable">Counts by kind, as <see cref="Billable"/> gives them, less what packs paid for.</param>
    /// <param name="shares">Receives ledger units by kind.</param>
    internal long CostOf(ReadOnlySpan<int> billable, Span<long> shares)
    {
        shares.Clear();
        Int128 sum = 0;
        long before = 0;
        foreach (PriceLine line in Lines)
        {
            sum += (Int128)_perUnit[(int)line.Kind] * billable[(int)line.Kind];
            long now = Round(sum);
            shares[(int)line.Kind] = now - before;
            before = now;
        }

        return before;
    }

    private bool Has(UnitKind kind) => (_priced & (1 << (int)kind)) != 0;

    private long Round(Int128 sum)
    {
        (Int128 whole, Int128 rest) = Int128.DivRem(sum, _denominator);
        Int128 twice = rest * 2;
        if (twice > _denominator || (twice == _denominator && !Int128.IsEvenInteger(whole)))
            whole++;
        return checked((long)whole);
    }

    private static long Common(long a, long b)
    {
        long x = a, y = b;
        while (y != 0)
            (x, y) = (y, x % y);
        long product = checked(a / x * b);
        return product <= 1_000_000_000_000
            ? product
            : throw new ArgumentException("The lines of a price are per numbers of units that have no common multiple below 10^12.");
    }
}
