using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Glimmer.Dialogue.Rendering;

/// <summary>
/// Writes JSON byte for byte as the chat templates' <c>tojson(ensure_ascii=False)</c> does, which is Python's
/// <c>json.dumps</c>: <c>", "</c> and <c>": "</c> between the parts, no escape but <c>"</c>, <c>\</c> and controls below
/// U+0020, floats as Python's <c>repr</c>, integers of any size exactly, key order kept.
/// </summary>
internal static class PythonJson
{
    /// <summary>The value on one line.</summary>
    public static string Write(JsonElement value)
    {
        StringBuilder text = new();
        Write(text, value, 0, 0);
        return text.ToString();
    }

    /// <summary>The value over several lines (<c>json.dumps(indent=…)</c>).</summary>
    public static string WriteIndented(JsonElement value, int indent)
    {
        StringBuilder text = new();
        Write(text, value, indent, 0);
        return text.ToString();
    }

    /// <summary>Appends a string with its quotes.</summary>
    public static void WriteString(StringBuilder text, ReadOnlySpan<char> value)
    {
        text.Append('"');
        AppendEscaped(text, value);
        text.Append('"');
    }

    /// <summary>Appends the inside of a JSON string.</summary>
    public static void AppendEscaped(StringBuilder text, ReadOnlySpan<char> value)
    {
        int start = 0;
        for (int i = 0; i < value.Length; i++)
        {
            char c = value[i];
            if (c >= ' ' && c != '"' && c != '\\')
                continue;
            text.Append(value[start..i]);
            start = i + 1;
            _ = c switch
            {
                '"' => text.Append("\\\""),
                '\\' => text.Append("\\\\"),
                '\n' => text.Append("\\n"),
                '\r' => text.Append("\\r"),
                '\t' => text.Append("\\t"),
                '\b' => text.Append("\\b"),
                '\f' => text.Append("\\f"),
                _ => text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
            };
        }

        text.Append(value[start..]);
    }

    /// <summary>A JSON number as Python prints it after parsing.</summary>
    public static string Number(ReadOnlySpan<byte> raw)
    {
        string text = Encoding.ASCII.GetString(raw);
        if (raw.IndexOfAny((byte)'.', (byte)'e', (byte)'E') < 0)
            return text == "-0" ? "0" : text;
        return Float(double.Parse(text, NumberStyles.Float, CultureInfo.InvariantCulture));
    }

    /// <summary>
    /// <c>repr(float)</c>: the shortest digits that read back to the same number, in plain notation for exponents from
    /// −4 to 15 and otherwise with an exponent of at least two digits.
    /// </summary>
    public static string Float(double value)
    {
        if (double.IsNaN(value))
            return "NaN";
        if (double.IsInfinity(value))
            return value > 0 ? "Infinity" : "-Infinity";
        string scientific = value.ToString("E16", CultureInfo.InvariantCulture);
        string shortest = value.ToString("R", CultureInfo.InvariantCulture);
        (string digits, int exponent) = Digits(shortest);
        string sign = scientific[0] == '-' ? "-" : "";
        if (digits.Length == 0)
            return sign + "0.0";
        if (exponent is < -4 or >= 16)
        {
            string fraction = digits.Length > 1 ? "." + digits[1..] : "";
            string power = Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture);
            return $"{sign}{digits[0]}{fraction}e{(exponent < 0 ? '-' : '+')}{power}";
        }

        if (exponent < 0)
            return $"{sign}0.{new string('0', -exponent - 1)}{digits}";
        if (digits.Length <= exponent + 1)
            return $"{sign}{digits.PadRight(exponent + 1, '0')}.0";
        return $"{sign}{digits[..(exponent + 1)]}.{digits[(exponent + 1)..]}";
    }

    // The significant digits of a number and the power of ten of the first of them.
    private static (string Digits, int Exponent) Digits(string shortest)
    {
        ReadOnlySpan<char> text = shortest.AsSpan().TrimStart('-');
        int exponent = 0;
        int mark = text.IndexOf('E');
        if (mark >= 0)
        {
            exponent = int.Parse(text[(mark + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
            text = text[..mark];
        }

        int point = text.IndexOf('.');
        string all = point < 0 ? text.ToString() : string.Concat(text[..point], text[(point + 1)..]);
        exponent += (point < 0 ? text.Length : point) - 1;
        string trimmed = all.TrimStart('0');
        exponent -= all.Length - trimmed.Length;
        return (trimmed.TrimEnd('0'), exponent);
    }

    private static void Write(StringBuilder text, JsonElement value, int indent, int depth)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.Object:
                WriteObject(text, value, indent, depth);
                break;
            case JsonValueKind.Array:
                WriteArray(text, value, indent, depth);
                break;
            case JsonValueKind.String:
                WriteString(text, JsonText.StringOf(value));
                break;
            case JsonValueKind.Number:
                text.Append(Number(JsonMarshal.GetRawUtf8Value(value)));
                break;
            default:
                text.Append(value.ValueKind switch { JsonValueKind.True => "true", JsonValueKind.False => "false", _ => "null" });
                break;
        }
    }

    private static void WriteObject(StringBuilder text, JsonElement value, int indent, int depth)
    {
        List<KeyValuePair<string, JsonElement>> properties = JsonText.Properties(value);
        text.Append('{');
        for (int i = 0; i < properties.Count; i++)
        {
            Separate(text, i == 0, indent, depth + 1);
            WriteString(text, properties[i].Key);
            text.Append(": ");
            Write(text, properties[i].Value, indent, depth + 1);
        }

        if (properties.Count > 0)
            Break(text, indent, depth);
        text.Append('}');
    }

    private static void WriteArray(StringBuilder text, JsonElement value, int indent, int depth)
    {
        text.Append('[');
        bool first = true;
        foreach (JsonElement item in value.EnumerateArray())
        {
            Separate(text, first, indent, depth + 1);
            first = false;
            Write(text, item, indent, depth + 1);
        }

        if (!first)
            Break(text, indent, depth);
        text.Append(']');
    }

    private static void Separate(StringBuilder text, bool first, int indent, int depth)
    {
        if (!first)
            text.Append(indent > 0 ? "," : ", ");
        Break(text, indent, depth);
    }

    private static void Break(StringBuilder text, int indent, int depth)
    {
        if (indent > 0)
            text.Append('\n').Append(' ', indent * depth);
    }
}
