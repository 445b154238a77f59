using System.Globalization;
using Glimmer.Platform.Billing;
using Glimmer.Protocol.Errors;

namespace Glimmer.Server.Billing;

/// <summary>Reads the query parameters of the billing pages; keeps the first error.</summary>
internal sealed class BillingQuery(IQueryCollection query)
{
    /// <summary>The first error; null when there is none.</summary>
    public PlatformError? Error { get; private set; }

    /// <summary>A date such as <c>2026-03-31</c>.</summary>
    public DateOnly Date(string name, DateOnly otherwise)
    {
        string text = Text(name);
        if (text.Length == 0)
            return otherwise;
        if (DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly date) && date.Year is >= 2000 and <= 2999)
            return date;
        Error ??= PlatformError.Invalid(name, "it is no date", "A date from 2000-01-01 on, such as 2026-03-31");
        return otherwise;
    }

    /// <summary>A month such as <c>2026-03</c>, or null.</summary>
    public static DateOnly? Month(string? text) =>
        DateOnly.TryParseExact(text + "-01", "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly month) && month.Year is >= 2000 and <= 2999 ? month : null;

    /// <summary>A whole number in a range.</summary>
    public long Whole(string name, long least, long most, long otherwise)
    {
        string text = Text(name);
        if (text.Length == 0)
            return otherwise;
        if (long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) && value >= least && value <= most)
            return value;
        Error ??= PlatformError.Invalid(name, "it is out of range or no whole number", string.Create(CultureInfo.InvariantCulture, $"A whole number from {least} to {most}"));
        return otherwise;
    }

    /// <summary>One of several words.</summary>
    public T Word<T>(string name, T otherwise)
        where T : struct, Enum
    {
        string text = Text(name);
        if (text.Length == 0)
            return otherwise;
        if (Enum.TryParse(text, ignoreCase: true, out T value) && Enum.IsDefined(value) && char.IsAsciiLetter(text[0]))
            return value;
        Error ??= PlatformError.Invalid(name, "it is an unknown word", $"One of {string.Join(", ", Enum.GetNames<T>()).ToLowerInvariant()}");
        return otherwise;
    }

    /// <summary>Words separated by commas.</summary>
    public UsageSplit Split(string name)
    {
        UsageSplit split = UsageSplit.None;
        foreach (string word in Text(name).Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!char.IsAsciiLetter(word[0]) || !Enum.TryParse(word, ignoreCase: true, out UsageSplit part) || !Enum.IsDefined(part))
            {
                Error ??= PlatformError.Invalid(name, "it has an unknown word", "Any of model, key, project, mode, separated by commas");
                break;
            }

            split |= part;
        }

        return split;
    }

    /// <summary>A page's end as a page before gave it: two numbers with a point between.</summary>
    public (long At, long Number)? Cursor(string name)
    {
        string text = Text(name);
        if (text.Length == 0)
            return null;
        int point = text.IndexOf('.', StringComparison.Ordinal);
        if (point > 0
            && long.TryParse(text.AsSpan(0, point), NumberStyles.None, CultureInfo.InvariantCulture, out long at)
            && long.TryParse(text.AsSpan(point + 1), NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            && at <= DateTimeOffset.MaxValue.ToUnixTimeMilliseconds())
        {
            return (at, number);
        }

        Error ??= PlatformError.Invalid(name, "it is not the end of a page", "The value of next of the page before");
        return null;
    }

    /// <summary>A text; null when it is not there.</summary>
    public string? Name(string name)
    {
        string text = Text(name);
        if (text.Length > 200)
            Error ??= PlatformError.Invalid(name, "it is too long", "At most 200 characters");
        return text.Length == 0 ? null : text;
    }

    /// <summary>Something that must hold between parameters.</summary>
    public void Require(bool holds, string name, string problem, string legal)
    {
        if (!holds)
            Error ??= PlatformError.Invalid(name, problem, legal);
    }

    private string Text(string name) => query[name].ToString().Trim();
}
