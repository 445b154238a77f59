using System.Data.Common;
using Glimmer.Platform.Store;

namespace Glimmer.Platform.Ledger;

/// <summary>Reads wallets from the store.</summary>
internal static class LedgerLoader
{
    private const string Columns = "id, account, currency, kind, units, quantity, granted_units, granted_quantity, created, expires, unit_mask, models";

    /// <summary>Reads everything that is not used up; gives the version it shows.</summary>
    public static long Load(StoreSession session, PlatformLedger ledger)
    {
        long version = session.Version(LedgerWriter.Topic);
        using (DbDataReader reader = session.Read($"SELECT {Columns} FROM ledger_lots WHERE kind = 1 OR units <> 0 OR quantity <> 0"))
        {
            while (reader.Read())
                Row.Read(reader).Apply(ledger);
        }

        foreach (ForeignSpend spend in ReadSpends(session, since: 0))
            spend.Apply(ledger);
        return version;
    }

    /// <summary>Finds the lots and spends that other processes changed after a version, as they are before this transaction changes them.</summary>
    public static void ReadChanges(StoreSession session, long since, LedgerFindings findings)
    {
        using (DbDataReader reader = session.Read($"SELECT {Columns} FROM ledger_lots WHERE version > @since", new { since }))
        {
            while (reader.Read())
                findings.Foreign.Add(Row.Read(reader));
        }

        findings.ForeignSpends.AddRange(ReadSpends(session, since));
    }

    private static List<ForeignSpend> ReadSpends(StoreSession session, long since)
    {
        var list = new List<ForeignSpend>();
        using DbDataReader keys = session.Read("SELECT key_id, currency, total, month, month_spent, day, day_spent FROM ledger_key_spend WHERE version > @since", new { since });
        while (keys.Read())
            list.Add(new ForeignSpend(keys.GetString(0), Currency.Parse(keys.GetString(1)), keys.GetInt64(2), keys.GetInt64(3), keys.GetInt64(4), keys.GetInt64(5), keys.GetInt64(6)));
        return list;
    }

    private static class Row
    {
        public static ForeignChange Read(DbDataReader reader) =>
            new(
                reader.GetInt64(0),
                reader.GetString(1),
                Currency.Parse(reader.GetString(2)),
                (LotKind)reader.GetInt32(3),
                reader.GetInt64(4),
                reader.GetInt64(5),
                reader.GetInt64(6),
                reader.GetInt64(7),
                reader.GetInt64(8),
                reader.GetInt64(9),
                reader.GetInt32(10),
                reader.GetString(11));
    }
}

/// <summary>What a key has spent, as the store has it.</summary>
internal sealed record ForeignSpend(string Key, Currency Currency, long Total, long MonthNumber, long Month, long DayNumber, long Day)
{
    public void Apply(PlatformLedger ledger) => ledger.KeyOf(Key, Currency).Load(Total, MonthNumber, Month, DayNumber, Day);
}

/// <summary>A lot as the store has it; <see cref="Apply"/> brings memory to it.</summary>
internal sealed record ForeignChange(
    long Id,
    string Account,
    Currency Currency,
    LotKind Kind,
    long Units,
    long Quantity,
    long GrantedUnits,
    long GrantedQuantity,
    long Created,
    long Expires,
    int Mask,
    string Models)
{
    /// <summary>
    /// Adds to memory what the store has beyond what this process knew of it. What is settled here and not stored yet stays.
    /// </summary>
    public void Apply(PlatformLedger ledger)
    {
        Wallet wallet = ledger.WalletOf(Account, Currency);
        Lot? lot = Kind == LotKind.Cash ? wallet.Cash : wallet.Find(Id);
        if (lot is null)
        {
            if (Units == 0 && Quantity == 0)
                return;
            lot = new Lot(Id, Kind, GrantedUnits, GrantedQuantity, Created, Expires, Kind == LotKind.Pack ? PackScope.FromStored(Mask, Models) : null);
            wallet.Add(lot);
        }

        lot.Id = Id;
        lot.IsStored = true;
        wallet.Change(lot, Units - lot.StoredUnits, Quantity - lot.StoredQuantity);
        lot.StoredUnits = Units;
        lot.StoredQuantity = Quantity;
    }
}
