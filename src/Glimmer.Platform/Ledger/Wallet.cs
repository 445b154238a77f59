namespace Glimmer.Platform.Ledger;

/// <summary>
/// An account's funds in one currency, in memory: reserve, settle and release under one short lock. Knows nothing of
/// the store, the clock or other wallets. Order of use: packs by expiry, then credits by expiry, then cash.
/// </summary>
internal sealed class Wallet(string accountId, Currency currency, Lot cash)
{
    private readonly Lock _gate = new();
    private readonly List<Lot> _credits = [];
    private readonly List<Lot> _packs = [];
    private long _held;

    public string AccountId { get; } = accountId;

    public Currency Currency { get; } = currency;

    public Lot Cash { get; } = cash;

    /// <summary>Adds a lot of credits or a pack with what it holds.</summary>
    public void Add(Lot lot)
    {
        lock (_gate)
        {
            List<Lot> lots = lot.Kind == LotKind.Pack ? _packs : _credits;
            int at = lots.BinarySearch(lot, Comparer<Lot>.Create(Lot.ByUse));
            lots.Insert(at < 0 ? ~at : at, lot);
        }
    }

    /// <summary>Sets the worst case aside; false when there are not the funds for it.</summary>
    /// <param name="reservation">Receives what was set aside.</param>
    /// <param name="now">Milliseconds since 1970.</param>
    /// <param name="whole">Whether funds must cover the worst case; else they must only be above nothing.</param>
    public bool TryReserve(LedgerReservation reservation, long now, bool whole)
    {
        Price price = reservation.Quote.Price;
        lock (_gate)
        {
            long money;
            if (_packs.Count == 0)
            {
                money = price.Cost(reservation.Quote.WorstCase).Units;
            }
            else
            {
                Span<int> rest = stackalloc int[UsageUnits.Kinds];
                Span<long> shares = stackalloc long[UsageUnits.Kinds];
                Billable(price, reservation.Quote.WorstCase, rest);
                HoldPacks(reservation, rest, now);
                money = price.CostOf(rest, shares);
            }

            long funds = Funds(now) - _held;
            bool enough = money == 0 || (whole ? funds >= money : funds > 0 || (funds == 0 && reservation.HeldPacks is not null));
            if (!enough)
            {
                ReleasePacks(reservation);
                return false;
            }

            reservation.HeldUnits = money;
            _held = checked(_held + money);
            return true;
        }
    }

    /// <summary>What is set aside or charged here and not known to the store, in ledger units.</summary>
    public long Unstored()
    {
        lock (_gate)
        {
            long sum = _held + Cash.StoredUnits - Cash.Units;
            foreach (Lot lot in _credits)
                sum += lot.StoredUnits - lot.Units;
            foreach (Lot lot in _packs)
                sum += lot.StoredUnits - lot.Units;
            return sum;
        }
    }

    /// <summary>Gives back what was set aside.</summary>
    public void Release(LedgerReservation reservation)
    {
        lock (_gate)
            GiveBack(reservation);
    }

    /// <summary>Gives back what was set aside and takes what was used, into <paramref name="charge"/>.</summary>
    public void Settle(LedgerReservation reservation, ref Charge charge)
    {
        lock (_gate)
        {
            GiveBack(reservation);
            if (charge.Mode == ChargeMode.Plan || charge.Price.IsFree)
                return;
            long money;
            if (_packs.Count == 0)
            {
                money = charge.Price.Cost(charge.Units).Units;
            }
            else
            {
                Span<int> rest = stackalloc int[UsageUnits.Kinds];
                Span<long> shares = stackalloc long[UsageUnits.Kinds];
                Billable(charge.Price, charge.Units, rest);
                DrawPacks(ref charge, rest);
                money = charge.Price.CostOf(rest, shares);
            }

            charge.Credit = DrawCredits(ref charge.Draws, money, charge.At);
            charge.Cash = money - charge.Credit;
            Cash.Units -= charge.Cash;
        }
    }

    /// <summary>Puts back what a charge took: its record could not be stored.</summary>
    public void Undo(ref Charge charge)
    {
        lock (_gate)
        {
            Cash.Units += charge.Cash;
            PutBack(charge.Draws);
        }
    }

    /// <summary>
    /// Takes money for a purchase out of credits, then cash; false, and nothing taken, when what is not set aside is less.
    /// </summary>
    public bool TryTake(long money, long now, bool creditsToo, List<Draw> draws)
    {
        lock (_gate)
        {
            long free = (creditsToo ? Funds(now) : Math.Min(Cash.Units, Funds(now))) - _held;
            if (free < money)
                return false;
            List<Draw>? taken = draws;
            long credit = creditsToo ? DrawCredits(ref taken, money, now) : 0;
            if (money > credit)
                draws.Add(new Draw(Cash, money - credit));
            Cash.Units -= money - credit;
            return true;
        }
    }

    /// <summary>Takes what is left of a lot up to an amount, also if that was set aside; gives what was taken.</summary>
    public Draw TakeFrom(Lot lot, long most)
    {
        lock (_gate)
        {
            long units = Math.Clamp(most, 0, Math.Max(lot.Units, 0));
            long quantity = units == lot.Units ? lot.Quantity : 0;
            lot.Units -= units;
            lot.Quantity -= quantity;
            return new Draw(lot, units, quantity);
        }
    }

    /// <summary>Puts draws back.</summary>
    public void PutBackAll(List<Draw> draws)
    {
        lock (_gate)
            PutBack(draws);
    }

    /// <summary>Changes a lot by what another process did to it, or by a deposit that is now stored.</summary>
    public void Change(Lot lot, long units, long quantity)
    {
        lock (_gate)
        {
            lot.Units += units;
            lot.Quantity += quantity;
        }
    }

    /// <summary>Lots that have run out: <paramref name="expired"/> receives those with something left in them.</summary>
    public void Sweep(long now, List<Lot> expired)
    {
        lock (_gate)
        {
            Sweep(_credits, now, expired);
            Sweep(_packs, now, expired);
        }
    }

    /// <summary>A picture of the funds at one moment.</summary>
    public WalletPicture Picture(long now)
    {
        lock (_gate)
        {
            long credits = 0;
            foreach (Lot lot in _credits)
                credits += lot.IsUsable(now) ? lot.Units : 0;
            return new WalletPicture(
                Cash.Units,
                credits,
                _held,
                [.. _credits.Where(lot => lot.IsUsable(now) && lot.Units > 0).Select(static lot => new LotPicture(lot, lot.Units, lot.Quantity))],
                [.. _packs.Where(lot => lot.IsUsable(now) && lot.Quantity > 0).Select(static lot => new LotPicture(lot, lot.Units, lot.Quantity))]);
        }
    }

    /// <summary>The lot of an id; null when it is none of this wallet's.</summary>
    public Lot? Find(long id)
    {
        lock (_gate)
            return Cash.Id == id ? Cash : _credits.Find(lot => lot.Id == id) ?? _packs.Find(lot => lot.Id == id);
    }

    private long Funds(long now)
    {
        long funds = Cash.Units;
        foreach (Lot lot in _credits)
            funds += lot.IsUsable(now) ? lot.Units : 0;
        return funds;
    }

    private void GiveBack(LedgerReservation reservation)
    {
        _held -= reservation.HeldUnits;
        reservation.HeldUnits = 0;
        ReleasePacks(reservation);
    }

    private void HoldPacks(LedgerReservation reservation, Span<int> rest, long now)
    {
        foreach (Lot pack in _packs)
        {
            if (!pack.IsUsable(now) || !pack.Scope!.Covers(reservation.Quote.Price))
                continue;
            long free = pack.Quantity - pack.Held;
            int held = 0;
            for (int kind = 0; kind < rest.Length && free > held; kind++)
            {
                if ((pack.Scope.Mask & (1 << kind)) == 0 || rest[kind] == 0)
                    continue;
                int part = (int)Math.Min(Math.Min(rest[kind], free - held), int.MaxValue - held);
                rest[kind] -= part;
                held += part;
            }

            if (held > 0)
            {
                pack.Held += held;
                (reservation.HeldPacks ??= []).Add((pack, held));
            }
        }
    }

    private static void ReleasePacks(LedgerReservation reservation)
    {
        if (reservation.HeldPacks is not { } packs)
            return;
        foreach ((Lot pack, int quantity) in packs)
            pack.Held -= quantity;
        reservation.HeldPacks = null;
    }

    private void DrawPacks(ref Charge charge, Span<int> rest)
    {
        foreach (Lot pack in _packs)
        {
            if (pack.Quantity <= 0 || !pack.IsUsable(charge.At) || !pack.Scope!.Covers(charge.Price))
                continue;
            for (int kind = 0; kind < rest.Length && pack.Quantity > 0; kind++)
            {
                if ((pack.Scope.Mask & (1 << kind)) == 0 || rest[kind] == 0)
                    continue;
                int part = (int)Math.Min(rest[kind], pack.Quantity);
                long value = pack.Units - Math.Min(pack.Units, pack.ValueOf(pack.Quantity - part));
                rest[kind] -= part;
                pack.Quantity -= part;
                pack.Units -= value;
                charge.PackQuantity += part;
                charge.PackValue += value;
                (charge.Draws ??= []).Add(new Draw(pack, value, part, (UnitKind)kind));
            }
        }
    }

    private long DrawCredits(ref List<Draw>? draws, long money, long now)
    {
        long taken = 0;
        foreach (Lot lot in _credits)
        {
            if (taken == money)
                break;
            long part = lot.IsUsable(now) ? Math.Min(lot.Units, money - taken) : 0;
            if (part <= 0)
                continue;
            lot.Units -= part;
            taken += part;
            (draws ??= []).Add(new Draw(lot, part));
        }

        return taken;
    }

    private static void PutBack(List<Draw>? draws)
    {
        foreach (Draw draw in draws ?? [])
        {
            draw.Lot.Units += draw.Units;
            draw.Lot.Quantity += draw.Quantity;
        }
    }

    private static void Sweep(List<Lot> lots, long now, List<Lot> expired)
    {
        for (int i = lots.Count - 1; i >= 0; i--)
        {
            Lot lot = lots[i];
            bool empty = lot.Units == 0 && lot.Quantity == 0;
            if (!empty && !lot.IsUsable(now))
                expired.Add(lot);
            else if (empty && lot.Held == 0 && lot.IsStored && lot.StoredUnits == 0 && lot.StoredQuantity == 0)
                lots.RemoveAt(i);
        }
    }

    private static void Billable(Price price, in UsageUnits units, Span<int> counts)
    {
        for (int kind = 0; kind < counts.Length; kind++)
            counts[kind] = 0;
        foreach (PriceLine line in price.Lines)
            counts[(int)line.Kind] = price.Billable(line.Kind, units);
    }
}

/// <summary>A wallet at one moment, in ledger units.</summary>
internal sealed record WalletPicture(long Cash, long Credits, long Held, IReadOnlyList<LotPicture> CreditLots, IReadOnlyList<LotPicture> Packs);

/// <summary>A lot at one moment.</summary>
internal readonly record struct LotPicture(Lot Lot, long Units, long Quantity);
