using System.Numerics;
using Glimmer.Platform.Ledger;

namespace Glimmer.Platform.Tests.Ledger;

/// <summary>The ledger's rules once more, written as plainly as can be: the oracle of <see cref="HistoryTests"/>. Knows no store, lock or cache.</summary>
internal sealed class PlainAccount
{
    private long _serial;

    public BigInteger Cash { get; private set; }

    public List<PlainLot> Lots { get; } = [];

    public List<PlainHold> Holds { get; } = [];

    public BigInteger Deposited { get; private set; }

    public BigInteger Revenue { get; private set; }

    public BigInteger Given { get; private set; }

    public BigInteger Broken { get; private set; }

    public IEnumerable<PlainLot> Credits(long now) => Lots.Where(lot => lot.Scope is null && lot.Units > 0 && now < lot.Expires).OrderBy(lot => lot.Expires).ThenBy(lot => lot.Created).ThenBy(lot => lot.Serial);

    public IEnumerable<PlainLot> Packs(long now) => Lots.Where(lot => lot.Scope is not null && lot.Quantity > 0 && now < lot.Expires).OrderBy(lot => lot.Expires).ThenBy(lot => lot.Created).ThenBy(lot => lot.Serial);

    public BigInteger Free(long now) => Cash + Sum(Credits(now).Select(lot => lot.Units)) - Sum(Holds.Select(hold => hold.Money));

    public PlainHold? Reserve(Price price, UsageUnits worst, long now)
    {
        Dictionary<UnitKind, long> rest = Counts(price, worst);
        var packs = new List<(PlainLot, long)>();
        foreach (PlainLot pack in Packs(now).Where(pack => pack.Covers(price)))
        {
            long free = pack.Quantity - Holds.SelectMany(hold => hold.Packs).Where(part => part.Item1 == pack).Sum(part => part.Item2);
            long taken = 0;
            foreach (UnitKind kind in pack.Scope!.Kinds.Order())
            {
                long part = Math.Max(0, Math.Min(rest.GetValueOrDefault(kind), free - taken));
                rest[kind] = rest.GetValueOrDefault(kind) - part;
                taken += part;
            }

            if (taken > 0)
                packs.Add((pack, taken));
        }

        BigInteger money = Cost(price, rest);
        BigInteger funds = Free(now);
        if (!(money == 0 || funds > 0 || (funds == 0 && packs.Count > 0)))
            return null;
        var hold = new PlainHold(money, packs);
        Holds.Add(hold);
        return hold;
    }

    public BigInteger Settle(PlainHold hold, Price price, UsageUnits used, long now)
    {
        Holds.Remove(hold);
        Dictionary<UnitKind, long> rest = Counts(price, used);
        foreach (PlainLot pack in Packs(now).Where(pack => pack.Covers(price)).ToList())
        {
            foreach (UnitKind kind in pack.Scope!.Kinds.Order())
            {
                long part = Math.Min(rest.GetValueOrDefault(kind), pack.Quantity);
                if (part == 0)
                    continue;
                rest[kind] -= part;
                BigInteger left = pack.Granted * (pack.Quantity - part) / pack.GrantedQuantity;
                Revenue += pack.Units - left;
                pack.Quantity -= part;
                pack.Units = left;
            }
        }

        BigInteger money = Cost(price, rest);
        Pay(money, now);
        Revenue += money;
        return money;
    }

    public void Pay(BigInteger money, long now)
    {
        foreach (PlainLot lot in Credits(now).ToList())
        {
            BigInteger part = BigInteger.Min(lot.Units, money);
            lot.Units -= part;
            money -= part;
        }

        Cash -= money;
    }

    public bool Buy(BigInteger price, long now)
    {
        if (price > 0 && Free(now) < price)
            return false;
        Pay(price, now);
        return true;
    }

    public void BuyPlan(BigInteger price) => Revenue += price;

    public void Deposit(BigInteger amount)
    {
        Cash += amount;
        Deposited += amount;
    }

    public bool Withdraw(BigInteger amount, long now)
    {
        if (BigInteger.Min(Cash, Cash + Sum(Credits(now).Select(lot => lot.Units))) - Sum(Holds.Select(hold => hold.Money)) < amount)
            return false;
        Cash -= amount;
        Deposited -= amount;
        return true;
    }

    public void Give(BigInteger amount, long created, long expires)
    {
        Lots.Add(new PlainLot(++_serial, amount, 0, created, expires, null) { Units = amount });
        Given += amount;
    }

    public void AddPack(BigInteger price, long quantity, PackScope scope, long created, long expires) =>
        Lots.Add(new PlainLot(++_serial, price, quantity, created, expires, scope) { Units = price, Quantity = quantity });

    public void Refund(BigInteger amount)
    {
        Cash += amount;
        Given += amount;
    }

    public void Sweep(long now)
    {
        foreach (PlainLot lot in Lots.Where(lot => now >= lot.Expires))
        {
            Broken += lot.Units;
            lot.Units = 0;
            lot.Quantity = 0;
        }
    }

    /// <summary>What came in is what is left, what was earned and what expired.</summary>
    public BigInteger Imbalance() => Deposited + Given - Cash - Sum(Lots.Select(lot => lot.Units)) - Revenue - Broken;

    private static Dictionary<UnitKind, long> Counts(Price price, UsageUnits units) =>
        price.Lines.ToDictionary(line => line.Kind, line => (long)price.Billable(line.Kind, units));

    private static BigInteger Cost(Price price, Dictionary<UnitKind, long> counts)
    {
        BigInteger numerator = 0, denominator = 1;
        foreach (PriceLine line in price.Lines)
        {
            numerator = (numerator * line.Per) + ((BigInteger)line.Amount.Units * counts[line.Kind] * denominator);
            denominator *= line.Per;
        }

        BigInteger cost = BigInteger.DivRem(numerator, denominator, out BigInteger rest);
        return rest * 2 > denominator || (rest * 2 == denominator && !cost.IsEven) ? cost + 1 : cost;
    }

    private static BigInteger Sum(IEnumerable<BigInteger> values) => values.Aggregate(BigInteger.Zero, (sum, value) => sum + value);
}

/// <summary>Credits, or a pack when it has a scope.</summary>
internal sealed class PlainLot(long serial, BigInteger granted, long quantity, long created, long expires, PackScope? scope)
{
    public long Serial => serial;

    public BigInteger Granted { get; } = granted;

    public long GrantedQuantity { get; } = quantity;

    public long Created => created;

    public long Expires => expires;

    public PackScope? Scope => scope;

    public BigInteger Units { get; set; }

    public long Quantity { get; set; }

    public bool Covers(Price price) => Scope!.Models.Count == 0 || Scope.Models.Contains(price.Model) || Scope.Models.Contains(price.Family ?? "");
}

/// <summary>What a running request has set aside.</summary>
internal sealed record PlainHold(BigInteger Money, List<(PlainLot, long)> Packs);
