using System.Diagnostics.CodeAnalysis;

namespace Glimmer.Platform.Ledger;

/// <summary>A currency by its ISO 4217 code. The default value is US dollars.</summary>
public readonly struct Currency : IEquatable<Currency>
{
    // Three letters of eight bits, exclusive-or "USD", so that default(Currency) is the platform's default.
    private const int Dollars = ('U' << 16) | ('S' << 8) | 'D';
    private readonly int _packed;

    private Currency(int letters) => _packed = letters ^ Dollars;

    /// <summary>US dollars, what the international site bills in.</summary>
    public static Currency Usd => default;

    /// <summary>Renminbi, what the Chinese site bills in.</summary>
    public static Currency Cny { get; } = Parse("CNY");

    /// <summary>The three letters.</summary>
    public string Code
    {
        get
        {
            int letters = _packed ^ Dollars;
            return letters == Dollars ? "USD" : string.Create(3, letters, static (span, l) =>
            {
                span[0] = (char)(l >> 16);
                span[1] = (char)((l >> 8) & 0xFF);
                span[2] = (char)(l & 0xFF);
            });
        }
    }

    /// <summary>Reads a code of three letters, in either case.</summary>
    public static bool TryParse([NotNullWhen(true)] string? code, out Currency currency)
    {
        currency = default;
        if (code is not { Length: 3 } || !code.AsSpan().ContainsOnlyLetters())
            return false;
        currency = new((Upper(code[0]) << 16) | (Upper(code[1]) << 8) | Upper(code[2]));
        return true;
    }

    /// <summary>Reads a code of three letters.</summary>
    /// <exception cref="FormatException">It is not three ASCII letters.</exception>
    public static Currency Parse(string code) =>
        TryParse(code, out Currency currency) ? currency : throw new FormatException($"'{code}' is not a currency; write an ISO 4217 code such as USD.");

    /// <inheritdoc/>
    public bool Equals(Currency other) => _packed == other._packed;

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is Currency other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _packed;

    /// <summary>The three letters.</summary>
    public override string ToString() => Code;

    /// <summary>Whether both are the same currency.</summary>
    public static bool operator ==(Currency left, Currency right) => left.Equals(right);

    /// <summary>Whether they differ.</summary>
    public static bool operator !=(Currency left, Currency right) => !left.Equals(right);

    private static int Upper(char letter) => letter & ~0x20;
}

internal static class CurrencyLetters
{
    public static bool ContainsOnlyLetters(this ReadOnlySpan<char> text)
    {
        foreach (char c in text)
        {
            if (!char.IsAsciiLetter(c))
                return false;
        }

        return true;
    }
}
