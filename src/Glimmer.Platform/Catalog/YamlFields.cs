using System.Globalization;
using Glimmer.Shared.Yaml;

namespace Glimmer.Platform.Catalog;

/// <summary>Reads typed values out of a tree; every error names file, line, field and a legal value.</summary>
internal sealed class YamlFields(string file)
{
    public string File => file;

    public List<(string Key, YamlTree Value)> Members(YamlTree tree, string what) =>
        tree.Members ?? throw At(tree, $"{what} must be a mapping of keys to values.");

    public List<YamlTree> Items(YamlTree tree, string what) => tree.Items ?? throw At(tree, $"{what} must be a list.");

    public string Text(YamlTree tree) => tree.Scalar is { Length: > 0 } text ? text : throw At(tree, "a word is missing.");

    public T OneOf<T>(YamlTree tree, string key, Dictionary<string, T> words) =>
        words.TryGetValue(Text(tree), out T? value)
            ? value
            : throw At(tree, $"{key}: \"{tree.Scalar}\" is not known; use one of {string.Join(", ", words.Keys)}.");

    public bool Flag(YamlTree tree, string key) => Text(tree) switch
    {
        "true" => true,
        "false" => false,
        _ => throw At(tree, $"{key} must be true or false, not \"{tree.Scalar}\"."),
    };

    public double Number(YamlTree tree, string key, double min, double max) =>
        double.TryParse(Text(tree), NumberStyles.Float, CultureInfo.InvariantCulture, out double number) && number >= min && number <= max
            ? number
            : throw At(tree, string.Create(CultureInfo.InvariantCulture, $"{key} must be a number from {min} to {max}, not \"{tree.Scalar}\"."));

    /// <summary>An exact decimal without sign or exponent, such as a price or a rate.</summary>
    public decimal Exact(YamlTree tree, string key, decimal max) =>
        decimal.TryParse(Text(tree), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number) && number <= max && decimal.Round(number, 9) == number
            ? number
            : throw At(tree, string.Create(CultureInfo.InvariantCulture, $"{key} must be a number from 0 to {max} with at most nine decimals, not \"{tree.Scalar}\"."));

    public long Whole(YamlTree tree, string key, long min, long max) =>
        long.TryParse(Text(tree), NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number >= min && number <= max
            ? number
            : throw At(tree, string.Create(CultureInfo.InvariantCulture, $"{key} must be a whole number from {min} to {max}, not \"{tree.Scalar}\"."));

    /// <summary>Tokens: <c>131072</c>, <c>128K</c> (times 1024) or <c>1M</c> (times 1048576).</summary>
    public int Tokens(YamlTree tree, string key)
    {
        string text = Text(tree);
        (int unit, string digits) = text[^1] switch
        {
            'K' => (1 << 10, text[..^1]),
            'M' => (1 << 20, text[..^1]),
            _ => (1, text),
        };
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && (long)number * unit <= 1 << 28
            ? number * unit
            : throw At(tree, $"{key} must be a number of tokens such as 131072, 128K or 1M, not \"{text}\".");
    }

    /// <summary>A time of day such as <c>14:00</c>.</summary>
    public TimeOnly TimeOfDay(YamlTree tree, string key) =>
        TimeOnly.TryParseExact(Text(tree), "HH:mm", CultureInfo.InvariantCulture, DateTimeStyles.None, out TimeOnly time)
            ? time
            : throw At(tree, $"{key} must be a time of day such as 14:00, not \"{tree.Scalar}\".");

    /// <summary>A day such as <c>2026-07-01</c>.</summary>
    public DateOnly Day(YamlTree tree, string key) =>
        DateOnly.TryParseExact(Text(tree), "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out DateOnly day)
            ? day
            : throw At(tree, $"{key} must be a day such as 2026-07-01, not \"{tree.Scalar}\".");

    /// <summary>A list of words in lower case.</summary>
    public string[] Words(YamlTree tree, string key) => [.. Items(tree, key).Select(item => Text(item).ToLowerInvariant())];

    public CatalogException At(YamlTree tree, string problem) => new(file, tree.Line, problem);
}
