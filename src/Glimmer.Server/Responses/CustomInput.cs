using System.Globalization;
using System.Text;
using System.Text.Json;
using Glimmer.Protocol.OpenAI;

namespace Glimmer.Server.Responses;

/// <summary>
/// The text for a tool that takes free text. The model calls it as a function with one argument, so the text comes as JSON and is read out of it piece by piece.
/// </summary>
internal sealed class CustomInput
{
    private readonly StringBuilder _json = new();
    private int _at = -1;
    private bool _ended;

    /// <summary>The text of whole arguments; the arguments themselves where these are of another form.</summary>
    public static string Of(string arguments)
    {
        var input = new CustomInput();
        return input.Add(arguments) + input.End();
    }

    /// <summary>Takes a piece of the arguments.</summary>
    /// <returns>What of the text it completes.</returns>
    public string Add(string piece)
    {
        _json.Append(piece);
        if (_ended || (_at < 0 && (_at = Begin(_json.ToString())) < 0))
            return "";
        var text = new StringBuilder();
        string json = _json.ToString(_at, _json.Length - _at);
        int at = 0;
        while (at < json.Length && !_ended)
        {
            int length = 1;
            if (json[at] == '"')
                _ended = true;
            else if (json[at] != '\\')
                text.Append(json[at]);
            else if ((length = EscapeAt(json, at)) == 0)
                break;   // the rest of it is still to come
            else
                text.Append(Unescaped(json.AsSpan(at, length)));
            at += length;
        }

        _at += at;
        return text.ToString();
    }

    /// <summary>Takes the end of the arguments.</summary>
    /// <returns>The whole, where it was of another form than was asked for.</returns>
    public string End()
    {
        if (_at >= 0 || _json.Length == 0)
            return "";
        _ended = true;
        string json = _json.ToString();
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(CustomTool.Argument, out JsonElement input) && input.ValueKind == JsonValueKind.String)
                return input.GetString()!;
        }
        catch (JsonException)
        {
            // A call that was cut off before its text began.
        }

        return json;
    }

    /// <summary>Where the text begins; −1 when its beginning is not there.</summary>
    private static int Begin(string json)
    {
        int at = 0;
        foreach (string token in (ReadOnlySpan<string>)["{", $"\"{CustomTool.Argument}\"", ":", "\""])
        {
            while (at < json.Length && char.IsWhiteSpace(json[at]))
                at++;
            if (!json.AsSpan(at).StartsWith(token, StringComparison.Ordinal))
                return -1;
            at += token.Length;
        }

        return at;
    }

    /// <summary>Length of an escape, with the second half of a pair; 0 while it is not complete.</summary>
    private static int EscapeAt(string json, int at)
    {
        if (at + 1 >= json.Length)
            return 0;
        if (json[at + 1] != 'u')
            return 2;
        if (at + 6 > json.Length)
            return 0;
        if (!IsSurrogate(json, at, "89AB") || (at + 6 < json.Length && json[at + 6] != '\\'))
            return 6;
        if (at + 7 < json.Length && json[at + 7] != 'u')
            return 6;
        return at + 12 > json.Length ? 0 : IsSurrogate(json, at + 6, "CDEF") ? 12 : 6;
    }

    private static bool IsSurrogate(string json, int escape, string third) =>
        char.ToUpperInvariant(json[escape + 2]) == 'D' && third.Contains(char.ToUpperInvariant(json[escape + 3]), StringComparison.Ordinal);

    private static string Unescaped(ReadOnlySpan<char> escape) => escape[1] switch
    {
        'n' => "\n",
        't' => "\t",
        'r' => "\r",
        'b' => "\b",
        'f' => "\f",
        'u' when escape.Length > 6 => UnitOf(escape[2..6]) is { } high && UnitOf(escape[8..12]) is { } low ? new string([high, low]) : "\ufffd",
        'u' => UnitOf(escape[2..6]) is { } unit && !char.IsSurrogate(unit) ? unit.ToString() : "\ufffd",
        char other => other.ToString(),
    };

    private static char? UnitOf(ReadOnlySpan<char> digits) => ushort.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ushort unit) ? (char)unit : null;
}
