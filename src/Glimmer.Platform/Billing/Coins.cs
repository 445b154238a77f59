using Glimmer.Platform.Ledger;

namespace Glimmer.Platform.Billing;

/// <summary>The smallest coins of currencies (ISO 4217): hundredths, or the whole where there are none.</summary>
internal static class Coins
{
    private static readonly HashSet<string> _whole = new(StringComparer.Ordinal)
    {
        "BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF",
    };

    /// <summary>Whether an amount is a whole number of its smallest coins.</summary>
    public static bool IsPayable(Money amount) => amount.Units % UnitsPerCoin(amount.Currency) == 0;

    /// <summary>How many coins an amount is.</summary>
    public static long Of(Money amount) => IsPayable(amount)
        ? amount.Units / UnitsPerCoin(amount.Currency)
        : throw new ArgumentException($"{amount} is no whole number of the smallest coins.", nameof(amount));

    /// <summary>The amount of so many coins.</summary>
    public static Money ToMoney(long coins, Currency currency) => Money.FromUnits(checked(coins * UnitsPerCoin(currency)), currency);

    private static long UnitsPerCoin(Currency currency) => _whole.Contains(currency.Code) ? Money.UnitsPerWhole : Money.UnitsPerWhole / 100;
}
