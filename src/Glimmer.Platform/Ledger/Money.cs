using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Glimmer.Platform.Ledger;

/// <summary>
/// An exact amount of one currency: a whole number of ledger units, a thousand millionth of the currency each. Stored
/// as that number. Reaches ±9,223,372,036 of the currency; arithmetic throws rather than wrap, and never rounds.
/// </summary>
public readonly struct Money : IEquatable<Money>, IComparable<Money>
{
    /// <summary>Ledger units of one unit of the currency.</summary>
    public const long UnitsPerWhole = 1_000_000_000;

    /// <summary>Decimal places that an amount can have.</summary>
    public const int Places = 9;

    private Money(long units, Currency currency)
    {
        Units = units;
        Currency = currency;
    }

    /// <summary>The amount in ledger units.</summary>
    public long Units { get; }

    /// <summary>Its currency.</summary>
    public Currency Currency { get; }

    /// <summary>The amount as a decimal, exact.</summary>
    public decimal Amount => (decimal)Units / UnitsPerWhole;

    /// <summary>Whether it is nothing.</summary>
    public bool IsZero => Units == 0;

    /// <summary>Whether it is more than nothing.</summary>
    public bool IsPositive => Units > 0;

    /// <summary>Whether it is less than nothing.</summary>
    public bool IsNegative => Units < 0;

    /// <summary>An amount from its stored form.</summary>
    public static Money FromUnits(long units, Currency currency) => new(units, currency);

    /// <summary>Nothing of a currency.</summary>
    public static Money Zero(Currency currency) => new(0, currency);

    /// <summary>An amount from a decimal.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It has more than nine places or is beyond the range.</exception>
    public static Money Of(decimal amount, Currency currency) =>
        TryOf(amount, currency, out Money money)
            ? money
            : throw new ArgumentOutOfRangeException(nameof(amount), amount, "An amount has at most nine places and is below 9,223,372,036.");

    /// <summary>An amount from a decimal; false when it has more than nine places or is beyond the range.</summary>
    public static bool TryOf(decimal amount, Currency currency, out Money money)
    {
        money = default;
        if (amount is > 9_223_372_036m or < -9_223_372_036m)
            return false;
        decimal units = amount * UnitsPerWhole;
        if (units != decimal.Truncate(units))
            return false;
        money = new((long)units, currency);
        return true;
    }

    /// <summary>Reads digits with an optional sign and point (<c>12.50</c>); no spaces, exponents or thousands marks.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, Currency currency, out Money money)
    {
        money = default;
        return text is { Length: > 0 and <= 32 }
            && decimal.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal amount)
            && TryOf(amount, currency, out money);
    }

    /// <summary>The amount rounded to hundredths, half to even: for showing and for card payments, never for booking.</summary>
    public decimal ToCents() => decimal.Round(Amount, 2, MidpointRounding.ToEven);

    /// <summary>The smaller of two amounts of one currency.</summary>
    public static Money Min(Money left, Money right) => left <= right ? left : right;

    /// <inheritdoc/>
    public bool Equals(Money other) => Units == other.Units && Currency == other.Currency;

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is Money other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Units, Currency);

    /// <inheritdoc/>
    /// <exception cref="InvalidOperationException">The currencies differ.</exception>
    public int CompareTo(Money other)
    {
        Same(this, other);
        return Units.CompareTo(other.Units);
    }

    /// <summary>The amount with at least two places and its currency, e.g. <c>0.019 USD</c> or <c>12.50 USD</c>.</summary>
    public override string ToString() => $"{AmountText} {Currency.Code}";

    /// <summary>The amount with at least two places and no more than it needs, for JSON and CSV: <c>0.019</c>, <c>12.50</c>.</summary>
    public string AmountText => Amount.ToString("0.00#######", CultureInfo.InvariantCulture);

    /// <summary>Sum.</summary>
    /// <exception cref="InvalidOperationException">The currencies differ.</exception>
    /// <exception cref="OverflowException">The sum is beyond the range.</exception>
    public static Money operator +(Money left, Money right)
    {
        Same(left, right);
        return new(checked(left.Units + right.Units), left.Currency);
    }

    /// <summary>Difference.</summary>
    /// <exception cref="InvalidOperationException">The currencies differ.</exception>
    /// <exception cref="OverflowException">The difference is beyond the range.</exception>
    public static Money operator -(Money left, Money right)
    {
        Same(left, right);
        return new(checked(left.Units - right.Units), left.Currency);
    }

    /// <summary>The amount with its sign turned.</summary>
    public static Money operator -(Money value) => new(checked(-value.Units), value.Currency);

    /// <summary>Whether both are the same amount of the same currency.</summary>
    public static bool operator ==(Money left, Money right) => left.Equals(right);

    /// <summary>Whether they differ.</summary>
    public static bool operator !=(Money left, Money right) => !left.Equals(right);

    /// <summary>Whether the left is less.</summary>
    public static bool operator <(Money left, Money right) => left.CompareTo(right) < 0;

    /// <summary>Whether the left is more.</summary>
    public static bool operator >(Money left, Money right) => left.CompareTo(right) > 0;

    /// <summary>Whether the left is not more.</summary>
    public static bool operator <=(Money left, Money right) => left.CompareTo(right) <= 0;

    /// <summary>Whether the left is not less.</summary>
    public static bool operator >=(Money left, Money right) => left.CompareTo(right) >= 0;

    private static void Same(Money left, Money right)
    {
        if (left.Currency != right.Currency)
            throw new InvalidOperationException($"Amounts of {left.Currency} and {right.Currency} cannot be reckoned together.");
    }
}
