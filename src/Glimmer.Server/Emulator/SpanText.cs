using System.Globalization;

namespace Glimmer.Server.Emulator;

/// <summary>Spans of time as people write them.</summary>
public static class SpanText
{
    private static readonly System.Buffers.SearchValues<char> Digits = System.Buffers.SearchValues.Create("0123456789.");

    private static readonly (string Unit, TimeSpan Length)[] Units =
        [("ms", TimeSpan.FromMilliseconds(1)), ("s", TimeSpan.FromSeconds(1)), ("m", TimeSpan.FromMinutes(1)), ("h", TimeSpan.FromHours(1)), ("d", TimeSpan.FromDays(1))];

    /// <summary>Reads seconds, or numbers with the units <c>ms</c>, <c>s</c>, <c>m</c>, <c>h</c> and <c>d</c> one after another (<c>1h30m</c>). Null for anything else, and beyond a hundred years.</summary>
    public static TimeSpan? Read(string text)
    {
        const double Most = 100 * 366 * 86400.0;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double seconds))
            return seconds <= Most ? TimeSpan.FromSeconds(seconds) : null;
        double total = 0;
        ReadOnlySpan<char> rest = text.AsSpan().Trim();
        if (rest.IsEmpty)
            return null;
        while (!rest.IsEmpty)
        {
            int digits = rest.IndexOfAnyExcept(Digits);
            if (digits <= 0 || !double.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number))
                return null;
            rest = rest[digits..];
            int letters = rest.IndexOfAnyInRange('0', '9');
            ReadOnlySpan<char> unit = letters < 0 ? rest : rest[..letters];
            TimeSpan? length = null;
            foreach ((string name, TimeSpan one) in Units)
            {
                if (unit.SequenceEqual(name))
                    length = one;
            }

            if (length is null)
                return null;
            total += number * length.Value.TotalSeconds;
            rest = rest[unit.Length..];
        }

        return total <= Most ? TimeSpan.FromSeconds(total) : null;
    }
}
