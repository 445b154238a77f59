using System.Globalization;

namespace Glimmer.Models.Configuration;

/// <summary>
/// Named values of one configuration (a JSON object, or the metadata of a GGUF file), read with range checks. Every
/// fault names the file, the key, the value found and what would be legal.
/// </summary>
internal abstract class ConfigFields(string file, string path)
{
    /// <summary>The file the values come from.</summary>
    public string File { get; } = file;

    /// <summary>Prefix of the keys in messages, e.g. <c>text_config.</c>; empty at the top.</summary>
    protected string Path { get; } = path;

    /// <summary>
    /// Reads a value: <see cref="long"/>, <see cref="double"/>, <see cref="bool"/>, <see cref="string"/>, an array of these, or
    /// <see cref="ConfigFields"/>. A JSON null counts as absent.
    /// </summary>
    protected abstract bool TryRead(string key, out object value);

    /// <summary>Whether the key is present and not null.</summary>
    public bool Has(string key) => TryRead(key, out _);

    /// <summary>The value as it is, or null when the key is absent.</summary>
    public object? Value(string key) => TryRead(key, out object value) ? value : null;

    /// <summary>An integer in [<paramref name="min"/>, <paramref name="max"/>]; without a fallback the key is required.</summary>
    public int Int(string key, int min, int max, int? fallback = null)
    {
        if (!TryRead(key, out object value))
            return fallback ?? throw Missing(key, $"an integer from {min} to {max}");
        long? number = value switch
        {
            long integer => integer,
            double real when real == Math.Floor(real) && Math.Abs(real) < 1e15 => (long)real,
            _ => null,
        };
        if (number is not { } found || found < min || found > max)
            throw Fault(key, value, $"an integer from {min} to {max}");
        return (int)found;
    }

    /// <summary>A finite number in [<paramref name="min"/>, <paramref name="max"/>]; without a fallback the key is required.</summary>
    public double Real(string key, double min, double max, double? fallback = null)
    {
        string legal = $"a number from {min.ToString("R", CultureInfo.InvariantCulture)} to {max.ToString("R", CultureInfo.InvariantCulture)}";
        if (!TryRead(key, out object value))
            return fallback ?? throw Missing(key, legal);
        double number = value switch
        {
            long integer => integer,
            double real => real,
            _ => double.NaN,
        };
        if (!(number >= min && number <= max))
            throw Fault(key, value, legal);
        return number;
    }

    /// <summary>A truth value.</summary>
    public bool Flag(string key, bool fallback)
    {
        if (!TryRead(key, out object value))
            return fallback;
        return value as bool? ?? throw Fault(key, value, "true or false");
    }

    /// <summary>A string, or null when the key is absent.</summary>
    public string? Text(string key)
    {
        if (!TryRead(key, out object value))
            return null;
        return value as string ?? throw Fault(key, value, "a string");
    }

    /// <summary>Non-negative integers: an array, or a single one; empty when the key is absent.</summary>
    public IReadOnlyList<int> Ints(string key)
    {
        if (!TryRead(key, out object value))
            return [];
        object[] items = value as object[] ?? [value];
        int[] numbers = new int[items.Length];
        for (int i = 0; i < items.Length; i++)
        {
            numbers[i] = items[i] is long number and >= 0 and <= int.MaxValue
                ? (int)number
                : throw Fault(key, items[i], $"an integer from 0 to {int.MaxValue}, or a list of them");
        }

        return numbers;
    }

    /// <summary>The items of an array, or null when the key is absent.</summary>
    public IReadOnlyList<object>? Items(string key)
    {
        if (!TryRead(key, out object value))
            return null;
        return value as object[] ?? throw Fault(key, value, "a list");
    }

    /// <summary>A nested object, or null when the key is absent.</summary>
    public ConfigFields? Section(string key)
    {
        if (!TryRead(key, out object value))
            return null;
        return value as ConfigFields ?? throw Fault(key, value, "an object");
    }

    /// <summary>The error for a value that is not legal.</summary>
    public ModelFileException Fault(string key, object? value, string legal) =>
        new(File, $"\"{Path}{key}\" is {Show(value)}; it must be {legal}.");

    /// <summary>The error for a required key that is absent.</summary>
    public ModelFileException Missing(string key, string legal) =>
        new(File, $"\"{Path}{key}\" is missing; it must be {legal}.");

    private static string Show(object? value) => value switch
    {
        null => "null",
        string text => text.Length <= 80 ? $"\"{text}\"" : $"\"{text.AsSpan(0, 80)}…\"",
        bool flag => flag ? "true" : "false",
        object[] items => $"a list of {items.Length}",
        ConfigFields => "an object",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };
}
