using Glimmer.Platform.Store;

namespace Glimmer.Platform.Ledger;

/// <summary>
/// Writes a group in one transaction. Taking the topic's next version first makes groups of all processes follow each
/// other, so what others did is known exactly: what the store says less what this process knew of it.
/// </summary>
internal sealed class LedgerWriter(PlatformLedger ledger, BillingCalendar calendar)
{
    /// <summary>The topic whose version every group takes.</summary>
    public const string Topic = "ledger";

    private readonly LedgerNames _names = new();
    private readonly UsageRows _rows = new();

    /// <summary>The version of the topic that memory knows.</summary>
    public long Seen;

    /// <summary>Writes a group. May run more than once; changes nothing but the session and the group's findings.</summary>
    public void Write(StoreSession session, LedgerGroup group)
    {
        var findings = new LedgerFindings();
        group.Findings = findings;
        bool writes = group.Charges.Count > 0 || group.Postings.Count > 0;
        findings.Version = writes ? session.NextVersion(Topic) : session.Version(Topic);
        if (findings.Version < Seen + (writes ? 1 : 0))
        {
            // What this process holds for stored is not there: a standby took over that had not got it, a crash with less than full durability, a restored backup.
            ledger.Broken ??= "The database has less than it had said before, so this node's balances are of no use. Restart the node; nothing is charged until then.";
            throw new StoreException(ledger.Broken);
        }

        if (findings.Version > Seen + (writes ? 1 : 0))
            LedgerLoader.ReadChanges(session, Seen, findings);

        var batch = new StatementBatch(session);
        foreach (Posting posting in group.Postings)
            posting.Outcome = Write(session, batch, posting, findings);
        List<LedgerReservation> charges = Missing(session, group, findings);
        if (charges.Count > 0)
            Write(session, batch, charges, findings);
        foreach ((Lot lot, LotChange change) in findings.Changes)
        {
            if (change.Units != 0 || change.Quantity != 0)
            {
                batch.Add(
                    "UPDATE ledger_lots SET units = units + @p0, quantity = quantity + @p1, version = @p2 WHERE id = @p3", change.Units, change.Quantity, findings.Version, findings.IdOf(lot));
            }
        }

        batch.Flush();
    }

    /// <summary>Tells memory what a committed group did.</summary>
    public void Committed(LedgerGroup group)
    {
        LedgerFindings findings = group.Findings;
        _names.Keep(findings.Names);
        foreach ((Lot lot, long id) in findings.NewLots)
        {
            lot.Id = id;
            lot.IsStored = true;
        }

        foreach (ForeignChange foreign in findings.Foreign)
            foreign.Apply(ledger);
        foreach (ForeignSpend foreign in findings.ForeignSpends)
            foreign.Apply(ledger);
        foreach (LedgerReservation reservation in group.Charges)
        {
            PlatformLedger.BookSlices(reservation);

            // What the store had already came with what it says of lots and keys; here it was taken a second time.
            if (findings.Known.Contains(reservation.Charge.Id))
                TakeBack(reservation);
            else
                reservation.Key?.Stored(Spent(ref reservation.Charge));
        }

        foreach ((Lot lot, LotChange change) in findings.Changes)
        {
            lot.StoredUnits += change.Units;
            lot.StoredQuantity += change.Quantity;
        }

        foreach (Posting posting in group.Postings)
        {
            if (posting.Outcome != PostingOutcome.Stored)
            {
                posting.Wallet.PutBackAll(posting.Draws);
                continue;
            }

            foreach (PostingGift gift in posting.Gifts)
            {
                if (gift.Lot.Kind != LotKind.Cash && findings.NewLots.ContainsKey(gift.Lot))
                    posting.Wallet.Add(gift.Lot);
                posting.Wallet.Change(gift.Lot, gift.Units, gift.Quantity);
            }
        }

        Volatile.Write(ref Seen, findings.Version);
    }

    /// <summary>Takes back in memory what a group that can't be stored had taken.</summary>
    public void Failed(LedgerGroup group)
    {
        foreach (Posting posting in group.Postings)
            posting.Wallet.PutBackAll(posting.Draws);
        foreach (LedgerReservation reservation in group.Charges)
        {
            PlatformLedger.UnbookSlices(reservation);
            TakeBack(reservation);
        }
    }

    private void TakeBack(LedgerReservation reservation)
    {
        ref Charge charge = ref reservation.Charge;
        reservation.Wallet.Undo(ref charge);
        reservation.Key?.Spend(-Spent(ref charge), calendar.Of(charge.At));
    }

    /// <summary>
    /// The group's requests that the store does not have. Only one that is tried again, comes out of a journal, or was run by another node
    /// can be there; and since the topic's row is locked, no transaction of a former try or a dead process can still bring it.
    /// </summary>
    private static List<LedgerReservation> Missing(StoreSession session, LedgerGroup group, LedgerFindings findings)
    {
        if (group.WasTried || group.Charges.Exists(static charge => charge.IsReplay))
        {
            foreach (long[] ids in group.Charges.Select(static charge => charge.Charge.Id).Chunk(2000))
                findings.Known.UnionWith(session.List<long>($"SELECT id FROM ledger_usage WHERE {session.Dialect.In("id", "@ids")}", new { ids }));
        }

        group.WasTried = true;
        foreach (LedgerReservation reservation in group.Charges)
        {
            // A task's former run may have been charged by a node that died, or by the journal that it left.
            if (reservation.Charge.Once && !findings.Known.Contains(reservation.Charge.Id)
                && session.Statement("INSERT INTO ledger_once (request, at) VALUES (@p0, @p1) ON CONFLICT (request) DO NOTHING").With(reservation.RequestId).With(reservation.Charge.At).Execute() == 0)
            {
                findings.Known.Add(reservation.Charge.Id);
            }
        }

        return findings.Known.Count == 0 ? group.Charges : group.Charges.FindAll(charge => !findings.Known.Contains(charge.Charge.Id));
    }

    private static long Spent(ref Charge charge) => charge.Cash + charge.Credit + charge.PackValue;

    private PostingOutcome Write(StoreSession session, StatementBatch batch, Posting posting, LedgerFindings findings)
    {
        if (posting.Sum() != 0)
            throw new InvalidOperationException($"The entries of {posting.Id} add up to {posting.Sum()}.");

        // One of the same id may be in this very group.
        batch.Flush();
        if (session.Scalar<long>("SELECT COUNT(*) FROM ledger_transactions WHERE id = @Id", new { posting.Id }) != 0)
            return PostingOutcome.Duplicate;
        if (posting.Guard is { } guard && !guard(session))
            return PostingOutcome.Refused;

        WriteTransaction(batch, posting.Seq, posting.Id, posting.Kind, posting.Wallet, posting.At, posting.Memo, posting.Reference);
        int line = 0;
        foreach (Draw draw in posting.Draws)
        {
            Ensure(session, posting.Wallet, draw.Lot, findings);
            findings.Change(draw.Lot, -draw.Units, -draw.Quantity);
            WriteEntry(batch, posting.Seq, line++, (Book)draw.Lot.Kind, findings.IdOf(draw.Lot), -draw.Units, -draw.Quantity);
        }

        foreach (PostingGift gift in posting.Gifts)
        {
            Ensure(session, posting.Wallet, gift.Lot, findings);
            findings.Change(gift.Lot, gift.Units, gift.Quantity);
            WriteEntry(batch, posting.Seq, line++, (Book)gift.Lot.Kind, findings.IdOf(gift.Lot), gift.Units, gift.Quantity);
        }

        foreach ((Book book, long units) in posting.Others)
            WriteEntry(batch, posting.Seq, line++, book, null, units, 0);
        return PostingOutcome.Stored;
    }

    private void Write(StoreSession session, StatementBatch batch, List<LedgerReservation> charges, LedgerFindings findings)
    {
        var sums = new UsageSums(calendar);
        var books = new Dictionary<Wallet, WalletSums>();
        var rows = new List<UsageRow>(charges.Count);
        foreach (LedgerReservation reservation in charges)
        {
            ref Charge charge = ref reservation.Charge;
            long seq = 0;
            if (charge.Cash != 0 || charge.Draws is not null)
            {
                if (!books.TryGetValue(reservation.Wallet, out WalletSums? wallet))
                    books.Add(reservation.Wallet, wallet = new WalletSums(ledger.NextId(), charge.At));
                wallet.Add(reservation.Wallet, ref charge);
                seq = wallet.Seq;
            }

            var row = new UsageRow(
                reservation,
                seq,
                _names.Of(session, reservation.Payer.AccountId, findings.Names),
                _names.Of(session, reservation.Payer.ProjectId, findings.Names),
                _names.Of(session, reservation.Payer.KeyId, findings.Names),
                _names.Of(session, charge.Price.Model, findings.Names),
                _names.Of(session, charge.Surface ?? "", findings.Names));
            rows.Add(row);
            sums.Add(row);
        }

        foreach ((Wallet wallet, WalletSums sum) in books)
        {
            WriteTransaction(batch, sum.Seq, null, TransactionKind.Usage, wallet, sum.At, "", "");
            int line = 0;
            foreach ((Lot lot, LotChange change) in sum.Lots)
            {
                Ensure(session, wallet, lot, findings);
                findings.Change(lot, change.Units, change.Quantity);
                WriteEntry(batch, sum.Seq, line++, (Book)lot.Kind, findings.IdOf(lot), change.Units, change.Quantity);
            }

            for (int kind = 0; kind < UsageUnits.Kinds; kind++)
            {
                if (sum.Revenue[kind] != 0)
                    WriteEntry(batch, sum.Seq, line++, Book.UsageRevenue + kind, null, sum.Revenue[kind], 0);
            }
        }

        _rows.Write(session, batch, rows);
        sums.Write(batch, findings.Version);
    }

    private static void WriteTransaction(StatementBatch batch, long seq, string? id, TransactionKind kind, Wallet wallet, long at, string memo, string reference) =>
        batch.Add(
            "INSERT INTO ledger_transactions (seq, id, kind, account, currency, at, memo, reference) VALUES (@p0, @p1, @p2, @p3, @p4, @p5, @p6, @p7)",
            seq, id, (long)kind, wallet.AccountId, wallet.Currency.Code, at, memo, reference);

    private static void WriteEntry(StatementBatch batch, long seq, int line, Book book, long? lot, long amount, long quantity) =>
        batch.Add("INSERT INTO ledger_entries (seq, line, book, lot, amount, quantity) VALUES (@p0, @p1, @p2, @p3, @p4, @p5)", seq, (long)line, (long)book, lot, amount, quantity);

    /// <summary>Makes a lot's row when it has none. Another process may have made a wallet's cash meanwhile.</summary>
    private void Ensure(StoreSession session, Wallet wallet, Lot lot, LedgerFindings findings)
    {
        if (lot.IsStored || findings.NewLots.ContainsKey(lot))
            return;
        if (lot.Kind == LotKind.Cash
            && session.Scalar<long?>("SELECT id FROM ledger_lots WHERE account = @AccountId AND currency = @Code AND kind = 1", new { wallet.AccountId, wallet.Currency.Code }) is { } id)
        {
            findings.NewLots.Add(lot, id);
            return;
        }

        long made = lot.Id != 0 ? lot.Id : ledger.NextId();
        session.Statement(
            "INSERT INTO ledger_lots (id, account, currency, kind, units, quantity, granted_units, granted_quantity, created, expires, unit_mask, models, version) "
            + "VALUES (@p0, @p1, @p2, @p3, 0, 0, @p4, @p5, @p6, @p7, @p8, @p9, @p10)")
            .With(made).With(wallet.AccountId).With(wallet.Currency.Code).With((long)lot.Kind).With(lot.GrantedUnits).With(lot.GrantedQuantity)
            .With(lot.Created).With(lot.Expires).With((long)(lot.Scope?.Mask ?? 0)).With(lot.Scope?.ModelList ?? "").With(findings.Version).Execute();
        findings.NewLots.Add(lot, made);
    }

    /// <summary>What a group's requests do to one wallet.</summary>
    private sealed class WalletSums(long seq, long at)
    {
        public long Seq { get; } = seq;

        public long At { get; } = at;

        public Dictionary<Lot, LotChange> Lots { get; } = [];

        public long[] Revenue { get; } = new long[UsageUnits.Kinds];

        public void Add(Wallet wallet, ref Charge charge)
        {
            Span<int> billable = stackalloc int[UsageUnits.Kinds];
            Span<long> shares = stackalloc long[UsageUnits.Kinds];
            billable.Clear();
            foreach (PriceLine line in charge.Price.Lines)
                billable[(int)line.Kind] = charge.Price.Billable(line.Kind, charge.Units);
            if (charge.Cash != 0)
                Take(wallet.Cash, charge.Cash, 0);
            if (charge.Draws is not null)
            {
                foreach (Draw draw in charge.Draws)
                {
                    Take(draw.Lot, draw.Units, draw.Quantity);
                    if (draw.Lot.Kind == LotKind.Pack)
                    {
                        Revenue[(int)draw.Kind] += draw.Units;
                        billable[(int)draw.Kind] -= (int)draw.Quantity;
                    }
                }
            }

            charge.Price.CostOf(billable, shares);
            for (int kind = 0; kind < shares.Length; kind++)
                Revenue[kind] += shares[kind];
        }

        private void Take(Lot lot, long units, long quantity)
        {
            Lots.TryGetValue(lot, out LotChange change);
            Lots[lot] = new LotChange(change.Units - units, change.Quantity - quantity);
        }
    }
}

/// <summary>How a lot's stored figures change.</summary>
internal readonly record struct LotChange(long Units, long Quantity);

/// <summary>What one try of writing a group found out and did, for memory to learn when it is committed.</summary>
internal sealed class LedgerFindings
{
    public long Version { get; set; }

    /// <summary>Ids of requests that the store had already.</summary>
    public HashSet<long> Known { get; } = [];

    public Dictionary<string, long> Names { get; } = new(StringComparer.Ordinal);

    public Dictionary<Lot, long> NewLots { get; } = [];

    public Dictionary<Lot, LotChange> Changes { get; } = [];

    public List<ForeignChange> Foreign { get; } = [];

    public List<ForeignSpend> ForeignSpends { get; } = [];

    public long IdOf(Lot lot) => NewLots.TryGetValue(lot, out long id) ? id : lot.Id;

    public void Change(Lot lot, long units, long quantity)
    {
        Changes.TryGetValue(lot, out LotChange change);
        Changes[lot] = new LotChange(change.Units + units, change.Quantity + quantity);
    }
}
