using System.Globalization;
using System.Numerics;
using System.Text.Json;

namespace Glimmer.Dialogue.Constraints.Schemas;

/// <summary>An exact decimal number as JSON writes it: <see cref="Mantissa"/> × 10^<see cref="Exponent"/>, without trailing zeros in the mantissa.</summary>
internal readonly struct JsonDecimal : IComparable<JsonDecimal>, IEquatable<JsonDecimal>
{
    /// <summary>Numbers whose written exponent or length is beyond this are refused rather than expanded.</summary>
    public const int MaxScale = 2_000;

    public JsonDecimal(BigInteger mantissa, int exponent)
    {
        while (!mantissa.IsZero && exponent < 0 && mantissa % 10 == 0)
        {
            mantissa /= 10;
            exponent++;
        }

        Mantissa = mantissa;
        Exponent = mantissa.IsZero ? 0 : exponent;
    }

    public BigInteger Mantissa { get; }

    public int Exponent { get; }

    public int Sign => Mantissa.Sign;

    public bool IsInteger => Exponent >= 0;

    /// <summary>Reads a JSON number; false when it is too long or its exponent too large.</summary>
    public static bool TryParse(string text, out JsonDecimal value)
    {
        value = default;
        return text.Length <= MaxScale && TryParse(text, MaxScale, out value);
    }

    /// <summary>
    /// Reads a number of a value to be validated. An exponent so large that no bound of a schema comes near is made smaller: the order
    /// against every bound, and whether it is an integer, stay the same.
    /// </summary>
    /// <exception cref="JsonSchemaException">It has too many digits.</exception>
    public static JsonDecimal OfInstance(JsonElement element)
    {
        string text = element.GetRawText();
        int e = text.AsSpan().IndexOfAny('e', 'E');
        if (e >= 0 && (!int.TryParse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int exponent) || Math.Abs(exponent) > 4 * MaxScale))
            text = string.Concat(text.AsSpan(0, e), text[e + 1] == '-' ? "e-" : "e", (4 * MaxScale).ToString(CultureInfo.InvariantCulture));
        return text.Length <= MaxScale && TryParse(text, 4 * MaxScale, out JsonDecimal value)
            ? value
            : throw new JsonSchemaException("", $"A number with more than {MaxScale} digits is not supported");
    }

    private static bool TryParse(string text, int maxExponent, out JsonDecimal value)
    {
        value = default;
        int exponent = 0;
        int e = text.AsSpan().IndexOfAny('e', 'E');
        string digits = e < 0 ? text : text[..e];
        if (e >= 0 && (!int.TryParse(text.AsSpan(e + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out exponent) || Math.Abs(exponent) > maxExponent))
            return false;
        int point = digits.IndexOf('.', StringComparison.Ordinal);
        if (point >= 0)
        {
            exponent -= digits.Length - point - 1;
            digits = digits.Remove(point, 1);
        }

        value = new(BigInteger.Parse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture), exponent);
        return true;
    }

    /// <summary>Reads the number of an element.</summary>
    /// <exception cref="JsonSchemaException">It is too long or its exponent too large.</exception>
    public static JsonDecimal Of(JsonElement element, string pointer) =>
        TryParse(element.GetRawText(), out JsonDecimal value)
            ? value
            : throw new JsonSchemaException(pointer, $"A number with more than {MaxScale} digits is not supported");

    public JsonDecimal Negate() => new(-Mantissa, Exponent);

    /// <summary>Whether this is a whole multiple of another number, which must not be 0.</summary>
    public bool IsMultipleOf(JsonDecimal other)
    {
        int scale = Math.Min(Exponent, other.Exponent);
        return (Scaled(scale) % other.Scaled(scale)).IsZero;
    }

    /// <summary>The mantissa for a smaller exponent.</summary>
    public BigInteger Scaled(int exponent) => Mantissa * BigInteger.Pow(10, Exponent - exponent);

    public int CompareTo(JsonDecimal other)
    {
        int scale = Math.Min(Exponent, other.Exponent);
        return Scaled(scale).CompareTo(other.Scaled(scale));
    }

    public bool Equals(JsonDecimal other) => CompareTo(other) == 0;

    public override bool Equals(object? obj) => obj is JsonDecimal other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(Mantissa, Exponent);

    /// <summary>The digits before and after the decimal point of the absolute value, without leading or trailing zeros.</summary>
    public (string Whole, string Fraction) Digits()
    {
        BigInteger absolute = BigInteger.Abs(Mantissa);
        if (Exponent >= 0)
            return (Trim(absolute * BigInteger.Pow(10, Exponent)), "");
        BigInteger divisor = BigInteger.Pow(10, -Exponent);
        BigInteger quotient = BigInteger.DivRem(absolute, divisor, out BigInteger remainder);
        return (Trim(quotient), remainder.ToString(CultureInfo.InvariantCulture).PadLeft(-Exponent, '0'));

        static string Trim(BigInteger value) => value.IsZero ? "" : value.ToString(CultureInfo.InvariantCulture);
    }
}
