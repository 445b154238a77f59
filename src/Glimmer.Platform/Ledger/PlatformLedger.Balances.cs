namespace Glimmer.Platform.Ledger;

/// <summary>An account's funds in one currency at one moment.</summary>
/// <param name="Cash">Cash; below nothing it is arrears.</param>
/// <param name="Credits">Credits that can be used now.</param>
/// <param name="Held">What running requests have set aside.</param>
/// <param name="CreditLots">The grants with something left, in their order of use.</param>
/// <param name="Packs">The packs with something left, in their order of use.</param>
public sealed record Balance(Money Cash, Money Credits, Money Held, IReadOnlyList<CreditLot> CreditLots, IReadOnlyList<PackLot> Packs)
{
    /// <summary>Cash and credits.</summary>
    public Money Funds => Cash + Credits;

    /// <summary>What the account owes; nothing when it owes nothing.</summary>
    public Money Arrears => Cash.IsNegative ? -Cash : Money.Zero(Cash.Currency);
}

/// <summary>A grant of credits.</summary>
/// <param name="Id">Number of its lot.</param>
/// <param name="Left">What is left.</param>
/// <param name="Granted">What it began with.</param>
/// <param name="Expires">When the rest expires; null for never.</param>
public readonly record struct CreditLot(long Id, Money Left, Money Granted, DateTimeOffset? Expires);

/// <summary>A pack.</summary>
/// <param name="Id">Number of its lot.</param>
/// <param name="Left">Units of use left.</param>
/// <param name="Bought">Units of use it began with.</param>
/// <param name="Price">What it cost.</param>
/// <param name="Expires">When the rest expires.</param>
/// <param name="Scope">What it pays for.</param>
public readonly record struct PackLot(long Id, long Left, long Bought, Money Price, DateTimeOffset Expires, PackScope Scope);

/// <summary>What the funds are, and whether the books hold.</summary>
public sealed partial class PlatformLedger
{
    /// <summary>An account's funds now, settled requests included that the store does not have yet.</summary>
    public Balance BalanceOf(string accountId, Currency currency)
    {
        WalletPicture picture = _wallets.TryGetValue((accountId, currency), out Wallet? wallet)
            ? wallet.Picture(Now)
            : new WalletPicture(0, 0, 0, [], []);
        return new Balance(
            Money.FromUnits(picture.Cash, currency),
            Money.FromUnits(picture.Credits, currency),
            Money.FromUnits(picture.Held, currency),
            [.. picture.CreditLots.Select(lot => new CreditLot(
                lot.Lot.Id, Money.FromUnits(lot.Units, currency), Money.FromUnits(lot.Lot.GrantedUnits, currency), lot.Lot.Expires == Lot.Never ? null : DateTimeOffset.FromUnixTimeMilliseconds(lot.Lot.Expires)))],
            [.. picture.Packs.Select(lot => new PackLot(
                lot.Lot.Id, lot.Quantity, lot.Lot.GrantedQuantity, Money.FromUnits(lot.Lot.GrantedUnits, currency), DateTimeOffset.FromUnixTimeMilliseconds(lot.Lot.Expires), lot.Lot.Scope!))]);
    }

    /// <summary>The currencies in which an account has funds or had any.</summary>
    public IReadOnlyList<Currency> CurrenciesOf(string accountId) => _currencies.TryGetValue(accountId, out Currency[]? currencies) ? currencies : [];

    /// <summary>Checks all the books against each other; empty when they hold. Reads every row: for operators and tests.</summary>
    public async Task<IReadOnlyList<string>> AuditAsync()
    {
        await FlushAsync();
        List<string> faults = await _store.ReadAsync(session => LedgerAudit.Run(session, Calendar), snapshot: true);
        return faults;
    }
}
