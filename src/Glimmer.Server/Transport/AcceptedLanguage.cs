using System.Globalization;
using Glimmer.Protocol.Errors;

namespace Glimmer.Server.Transport;

/// <summary>Reads <c>Accept-Language</c> (RFC 9110 §12.5.4) for the two languages that messages come in.</summary>
internal static class AcceptedLanguage
{
    private const int MaxLength = 1024;

    /// <summary>Chinese when a Chinese tag has the largest weight, which is above 0, and of equal ones comes first; else English. A weight that cannot be read is 0.</summary>
    public static MessageLanguage Of(ReadOnlySpan<char> header)
    {
        double best = 0;
        MessageLanguage language = MessageLanguage.English;
        if (header.Length > MaxLength)
            return language;
        foreach (Range range in header.Split(','))
        {
            ReadOnlySpan<char> entry = header[range].Trim();
            int semicolon = entry.IndexOf(';');
            ReadOnlySpan<char> tag = (semicolon < 0 ? entry : entry[..semicolon]).Trim();
            double weight = tag.IsEmpty ? 0 : semicolon < 0 ? 1 : WeightOf(entry[(semicolon + 1)..]);
            if (weight <= best)
                continue;
            best = weight;
            language = tag.StartsWith("zh", StringComparison.OrdinalIgnoreCase) && (tag.Length == 2 || tag[2] == '-') ? MessageLanguage.Chinese : MessageLanguage.English;
        }

        return language;
    }

    private static double WeightOf(ReadOnlySpan<char> parameter)
    {
        parameter = parameter.Trim();
        return parameter.StartsWith("q=", StringComparison.OrdinalIgnoreCase) && double.TryParse(parameter[2..], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double weight) && weight <= 1
            ? weight
            : 0;
    }
}
