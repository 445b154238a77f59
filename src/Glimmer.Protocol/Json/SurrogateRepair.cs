using System.Globalization;

namespace Glimmer.Protocol.Json;

/// <summary>Replaces unpaired surrogate escapes in JSON text by <c>\ufffd</c>, which has the same length.</summary>
internal static class SurrogateRepair
{
    /// <summary>Repairs in place. What is not an escape of six characters is left for the parser to refuse.</summary>
    public static void Repair(Span<byte> json)
    {
        int position = 0;
        while (position < json.Length)
        {
            int next = json[position..].IndexOf((byte)'\\');
            if (next < 0)
                return;
            position += next;
            if (!TryReadEscape(json, position, out int unit))
            {
                position += 2;
                continue;
            }

            if (char.IsHighSurrogate((char)unit)
                && TryReadEscape(json, position + 6, out int second) && char.IsLowSurrogate((char)second))
            {
                position += 12;
                continue;
            }

            if (char.IsSurrogate((char)unit))
                "\\ufffd"u8.CopyTo(json[position..]);
            position += 6;
        }
    }

    private static bool TryReadEscape(ReadOnlySpan<byte> json, int position, out int unit)
    {
        unit = 0;
        return position + 6 <= json.Length
            && json[position] == (byte)'\\'
            && json[position + 1] == (byte)'u'
            && int.TryParse(json.Slice(position + 2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out unit);
    }
}
