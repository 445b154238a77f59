using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;

namespace Glimmer.Dialogue.Constraints.Schemas.Validation;

/// <summary>The formats of JSON Schema by the platform's own readers. Formats that are not known pass.</summary>
internal static partial class FormatChecks
{
    public static bool IsMatch(string format, string text) => format switch
    {
        "date" => IsDate(text),
        "time" => IsTime(text),
        "date-time" => text.Length > 11 && text[10] is 'T' or 't' && IsDate(text[..10]) && IsTime(text[11..]),
        "duration" => DurationPattern().IsMatch(text) && text[^1] is not ('P' or 'T'),
        "ipv4" => IsIPv4(text),
        "ipv6" => IsIPv6(text),
        "uuid" => text.Length == 36 && Guid.TryParseExact(text, "D", out _),
        "hostname" => IsHost(text),
        "email" => text.LastIndexOf('@') is > 0 and <= 64 and int at && LocalPattern().IsMatch(text[..at]) && IsHost(text[(at + 1)..]),
        "uri" => UriPattern().IsMatch(text) && Uri.TryCreate(text, UriKind.Absolute, out _),
        "uri-reference" => ReferencePattern().IsMatch(text) && Uri.TryCreate(text, UriKind.RelativeOrAbsolute, out _),
        "json-pointer" => PointerPattern().IsMatch(text),
        "relative-json-pointer" => RelativePointerPattern().IsMatch(text),
        _ => true,
    };

    private static bool IsDate(string text) =>
        AsciiDigits(text) && DateOnly.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _);

    private static bool AsciiDigits(string text) => text.All(char.IsAscii);

    private static bool IsTime(string text)
    {
        Match match = TimePattern().Match(text);
        return match.Success
            && int.Parse(match.Groups["h"].ValueSpan) < 24
            && int.Parse(match.Groups["m"].ValueSpan) < 60
            && int.Parse(match.Groups["s"].ValueSpan) < 60
            && (!match.Groups["oh"].Success || (int.Parse(match.Groups["oh"].ValueSpan) < 24 && int.Parse(match.Groups["om"].ValueSpan) < 60));
    }

    private static bool IsIPv4(string text)
    {
        string[] parts = text.Split('.');
        return parts.Length == 4 && Array.TrueForAll(parts, p =>
            byte.TryParse(p, NumberStyles.None, CultureInfo.InvariantCulture, out byte value) && p == value.ToString(CultureInfo.InvariantCulture));
    }

    private static bool IsIPv6(string text)
    {
        if (!IPv6Characters().IsMatch(text) || !IPAddress.TryParse(text, out IPAddress? address) || address.AddressFamily != AddressFamily.InterNetworkV6)
            return false;
        int colon = text.LastIndexOf(':');
        return !text.Contains('.', StringComparison.Ordinal) || IsIPv4(text[(colon + 1)..]);
    }

    private static bool IsHost(string text) =>
        text.Length is > 0 and <= 253 && text.Split('.').All(label => label.Length is > 0 and <= 63 && LabelPattern().IsMatch(label));

    [GeneratedRegex(@"^(?<h>[0-9]{2}):(?<m>[0-9]{2}):(?<s>[0-9]{2})(?:\.[0-9]+)?(?:[Zz]|[+-](?<oh>[0-9]{2}):(?<om>[0-9]{2}))\z", RegexOptions.ExplicitCapture, 10_000)]
    private static partial Regex TimePattern();

    [GeneratedRegex(@"^P(?:[0-9]+W|(?:[0-9]+Y)?(?:[0-9]+M)?(?:[0-9]+D)?(?:T(?:[0-9]+H)?(?:[0-9]+M)?(?:[0-9]+S)?)?)\z", RegexOptions.None, 10_000)]
    private static partial Regex DurationPattern();

    [GeneratedRegex(@"^[0-9A-Fa-f:.]+\z", RegexOptions.None, 10_000)]
    private static partial Regex IPv6Characters();

    [GeneratedRegex(@"^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\z", RegexOptions.None, 10_000)]
    private static partial Regex LabelPattern();

    [GeneratedRegex(@"^[^\s@<>()\[\]\\,;:"".]+(?:\.[^\s@<>()\[\]\\,;:"".]+)*\z", RegexOptions.None, 10_000)]
    private static partial Regex LocalPattern();

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9+.-]*:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*\z", RegexOptions.None, 10_000)]
    private static partial Regex UriPattern();

    [GeneratedRegex(@"^[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*\z", RegexOptions.None, 10_000)]
    private static partial Regex ReferencePattern();

    [GeneratedRegex(@"^(?:/(?:[^/~]|~[01])*)*\z", RegexOptions.None, 10_000)]
    private static partial Regex PointerPattern();

    [GeneratedRegex(@"^(?:0|[1-9][0-9]*)(?:#|(?:/(?:[^/~]|~[01])*)*)\z", RegexOptions.None, 10_000)]
    private static partial Regex RelativePointerPattern();
}
