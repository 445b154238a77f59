using System.Globalization;
using System.Text.Json;
using Glimmer.Protocol.Errors;

namespace Glimmer.Protocol.Json;

/// <summary>
/// Reads the fields of one JSON object the way the platform does: an explicit <c>null</c> is an absent field,
/// booleans and numbers may be strings, unknown fields are ignored. The first error, with the path of its field, stays
/// in <see cref="Error"/>; after it every read gives nothing, so that callers check once at the end.
/// </summary>
public readonly struct FieldReader
{
    /// <summary>Most items of a list where a field has no bound of its own.</summary>
    public const int MaxItems = 65_536;

    private readonly JsonElement _object;
    private readonly FieldPath _path;
    private readonly State _state;

    internal FieldReader(JsonElement element, FieldPath path, State state)
    {
        _object = element;
        _path = path;
        _state = state;
    }

    /// <summary>The first error met by this reader or by any reader of the same body; null when there is none.</summary>
    public PlatformError? Error => _state.Error;

    /// <summary>The object itself.</summary>
    public JsonElement Element => _object;

    /// <summary>Path of this object, empty for the outermost.</summary>
    public string Path => _path.ToString();

    /// <summary>Path of a member: <c>messages[2].content</c>.</summary>
    public string PathOf(string name) => _path.With(name);

    /// <summary>Keeps an error, unless there is one already.</summary>
    public void Fail(PlatformError error) => _state.Error ??= error;

    /// <summary>Whether the member is present and not null.</summary>
    public bool Has(string name) => TryGet(name, out _);

    /// <summary>The member as it is; false when it is absent or null.</summary>
    public bool TryGet(string name, out JsonElement value)
    {
        if (_state.Error is null && _object.TryGetProperty(name, out value) && value.ValueKind != JsonValueKind.Null)
            return true;
        value = default;
        return false;
    }

    /// <summary>A text; null when absent.</summary>
    /// <param name="name">Member.</param>
    /// <param name="required">Whether its absence is an error (1213).</param>
    /// <param name="min">Least characters (UTF-16 units).</param>
    /// <param name="max">Most characters.</param>
    /// <param name="numbers">Whether a JSON number counts as its digits.</param>
    public string? Text(string name, bool required = false, int min = 0, int max = int.MaxValue, bool numbers = false)
    {
        if (!TryGet(name, out JsonElement value))
            return Absent<string>(name, required, "Send a string");
        string text;
        if (value.ValueKind == JsonValueKind.String)
            text = value.GetString()!;
        else if (numbers && value.ValueKind == JsonValueKind.Number)
            text = value.GetRawText();
        else
            return Wrong<string>(name, $"it is {Describe(value)}", "Send a string");

        if (text.Length >= min && text.Length <= max)
            return text;
        string legal = (min, max) switch
        {
            ( > 0, int.MaxValue) => $"Send at least {min.ToString(CultureInfo.InvariantCulture)} characters",
            _ => string.Create(CultureInfo.InvariantCulture, $"Send {min} to {max} characters"),
        };
        return Wrong<string>(name, string.Create(CultureInfo.InvariantCulture, $"it has {text.Length} characters"), legal);
    }

    /// <summary>One of some words, compared exactly; null when absent.</summary>
    public string? Word(string name, bool required, params ReadOnlySpan<string> words)
    {
        if (!TryGet(name, out _))
            return Absent<string>(name, required, $"Use one of {string.Join(", ", words!)}");
        if (Text(name) is not { } text)
            return null;
        foreach (string word in words)
        {
            if (string.Equals(word, text, StringComparison.Ordinal))
                return word;
        }

        return Wrong<string>(name, $"\"{Shorten(text)}\" is not known", $"Use one of {string.Join(", ", words!)}");
    }

    /// <summary>A boolean, or its name in a string (<c>"True"</c>); null when absent.</summary>
    public bool? Flag(string name)
    {
        if (!TryGet(name, out JsonElement value))
            return null;
        if (value.ValueKind is JsonValueKind.True or JsonValueKind.False)
            return value.ValueKind == JsonValueKind.True;
        if (value.ValueKind == JsonValueKind.String && bool.TryParse(value.GetString(), out bool flag))
            return flag;
        Fail(PlatformError.Invalid(PathOf(name), $"it is {Describe(value)}", "Use true or false"));
        return null;
    }

    /// <summary>A finite number, or its digits in a string; null when absent.</summary>
    public double? Number(string name, double min, double max)
    {
        if (!TryGet(name, out JsonElement value))
            return null;
        string legal = string.Create(CultureInfo.InvariantCulture, $"Use a number from {min} to {max}");
        if (!TryNumber(value, out double number))
        {
            Fail(PlatformError.Invalid(PathOf(name), $"it is {Describe(value)}", legal));
            return null;
        }

        if (number >= min && number <= max)
            return number;
        Fail(PlatformError.Invalid(PathOf(name), string.Create(CultureInfo.InvariantCulture, $"{number} is out of range"), legal));
        return null;
    }

    /// <summary>A whole number (<c>5</c>, <c>5.0</c> or <c>"5"</c>); null when absent.</summary>
    public long? Whole(string name, long min, long max)
    {
        if (!TryGet(name, out JsonElement value))
            return null;
        string legal = string.Create(CultureInfo.InvariantCulture, $"Use a whole number from {min} to {max}");
        if (!TryWhole(value, out long number))
        {
            Fail(PlatformError.Invalid(PathOf(name), $"it is {Describe(value)}", legal));
            return null;
        }

        if (number >= min && number <= max)
            return number;
        Fail(PlatformError.Invalid(PathOf(name), string.Create(CultureInfo.InvariantCulture, $"{number} is out of range"), legal));
        return null;
    }

    /// <summary>A member that is an object; null when absent.</summary>
    /// <param name="name">Member.</param>
    /// <param name="required">Whether its absence is an error (1213).</param>
    /// <param name="legal">A legal value, for the message.</param>
    public FieldReader? Object(string name, string legal, bool required = false)
    {
        if (!TryGet(name, out JsonElement value))
        {
            Absent<string>(name, required, legal);
            return null;
        }

        if (value.ValueKind == JsonValueKind.Object)
            return new FieldReader(value, _path.Member(name), _state);
        Wrong<string>(name, $"it is {Describe(value)}", legal);
        return null;
    }

    /// <summary>A member that is a list of objects; null when absent or of another kind.</summary>
    /// <param name="name">Member.</param>
    /// <param name="legal">A legal value, for the message.</param>
    /// <param name="required">Whether its absence is an error (1213).</param>
    /// <param name="max">Most items.</param>
    public IReadOnlyList<FieldReader>? Objects(string name, string legal, bool required = false, int max = MaxItems)
    {
        if (!TryGet(name, out JsonElement value))
            return Absent<IReadOnlyList<FieldReader>>(name, required, legal);
        if (value.ValueKind != JsonValueKind.Array)
            return Wrong<IReadOnlyList<FieldReader>>(name, $"it is {Describe(value)}, not a list", legal);
        int count = value.GetArrayLength();
        if (count > max)
            return Wrong<IReadOnlyList<FieldReader>>(name, string.Create(CultureInfo.InvariantCulture, $"it has {count} items"), string.Create(CultureInfo.InvariantCulture, $"Send at most {max}"));

        FieldPath path = _path.Member(name);
        var items = new List<FieldReader>(count);
        foreach (JsonElement item in value.EnumerateArray())
        {
            FieldPath place = path.Item(items.Count);
            if (item.ValueKind != JsonValueKind.Object)
            {
                Fail(PlatformError.Invalid(place.ToString(), $"it is {Describe(item)}", legal));
                return null;
            }

            items.Add(new FieldReader(item, place, _state));
        }

        return items;
    }

    /// <summary>A list of texts, or one bare text; null when absent.</summary>
    public IReadOnlyList<string>? Texts(string name, int maxCount, int minLength, int maxLength)
    {
        if (!TryGet(name, out JsonElement value))
            return null;
        string legal = string.Create(CultureInfo.InvariantCulture, $"Send a string or at most {maxCount} strings, of {minLength} to {maxLength} characters");
        if (value.ValueKind == JsonValueKind.String)
        {
            string text = value.GetString()!;
            return text.Length >= minLength && text.Length <= maxLength
                ? [text]
                : Wrong<IReadOnlyList<string>>(name, string.Create(CultureInfo.InvariantCulture, $"it has {text.Length} characters"), legal);
        }

        if (value.ValueKind != JsonValueKind.Array)
            return Wrong<IReadOnlyList<string>>(name, $"it is {Describe(value)}", legal);
        if (value.GetArrayLength() > maxCount)
            return Wrong<IReadOnlyList<string>>(name, string.Create(CultureInfo.InvariantCulture, $"it has {value.GetArrayLength()} items"), legal);
        var texts = new List<string>(value.GetArrayLength());
        foreach (JsonElement item in value.EnumerateArray())
        {
            if (item.ValueKind != JsonValueKind.String || item.GetString() is not { } text || text.Length < minLength || text.Length > maxLength)
            {
                Fail(PlatformError.Invalid(_path.Member(name).Item(texts.Count).ToString(), $"it is {Describe(item)}", legal));
                return null;
            }

            texts.Add(text);
        }

        return texts;
    }

    /// <summary>What a value is, in words that never quote a long text back.</summary>
    public static string Describe(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => value.GetArrayLength() == 0 ? "an empty list" : "a list",
        JsonValueKind.String => value.GetString() is { Length: 0 } ? "an empty string" : $"the string \"{Shorten(value.GetString()!)}\"",
        JsonValueKind.Number => Shorten(value.GetRawText()),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        _ => "null",
    };

    private static bool TryNumber(JsonElement value, out double number)
    {
        number = 0;
        return value.ValueKind switch
        {
            JsonValueKind.Number => value.TryGetDouble(out number) && double.IsFinite(number),
            JsonValueKind.String => double.TryParse(value.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out number) && double.IsFinite(number),
            _ => false,
        };
    }

    private static bool TryWhole(JsonElement value, out long number)
    {
        number = 0;
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out number))
            return true;
        if (value.ValueKind == JsonValueKind.String
            && long.TryParse(value.GetString(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number))
        {
            return true;
        }

        // 5.0 and 1e3 are whole; beyond 2^53 a double no longer says which number was meant.
        if (!TryNumber(value, out double real) || Math.Abs(real) > 1L << 53 || real != Math.Floor(real))
            return false;
        number = (long)real;
        return true;
    }

    private static string Shorten(string text) => text.Length <= 40 ? text : text[..(char.IsHighSurrogate(text[39]) ? 39 : 40)] + "…";

    private T? Absent<T>(string name, bool required, string legal)
        where T : class
    {
        if (required && _state.Error is null)
            Fail(PlatformError.Missing(PathOf(name), legal));
        return null;
    }

    private T? Wrong<T>(string name, string problem, string legal)
        where T : class
    {
        Fail(PlatformError.Invalid(PathOf(name), problem, legal));
        return null;
    }

    internal sealed class State
    {
        public PlatformError? Error { get; set; }
    }
}
