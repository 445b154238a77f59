using System.Globalization;
using System.Text;
using Glimmer.Inference;

namespace Glimmer.Server.Answers;

/// <summary>
/// <c>X-Glimmer-Relaxed</c>: the schema keywords that an answer is not held to, since the request was not strict. Each as
/// <c>POINTER KEYWORD</c>, separated by semicolons; what is no plain ASCII is percent-encoded.
/// </summary>
internal static class RelaxedHeader
{
    /// <summary>The header's name.</summary>
    public const string Name = "X-Glimmer-Relaxed";

    private const int MaxLength = 1000;

    /// <summary>Writes the header when there is something to tell.</summary>
    public static void Write(HttpResponse response, IReadOnlyList<Relaxation> relaxations)
    {
        if (relaxations.Count > 0)
            response.Headers[Name] = Of(relaxations);
    }

    /// <summary>The header's value, bounded: what does not fit is counted.</summary>
    public static string Of(IReadOnlyList<Relaxation> relaxations)
    {
        StringBuilder value = new();
        for (int i = 0; i < relaxations.Count; i++)
        {
            string item = $"{Escape(relaxations[i].Pointer)} {Escape(relaxations[i].Keyword)}".TrimStart();
            if (value.Length + item.Length + 2 > MaxLength)
                return value.Append(CultureInfo.InvariantCulture, $"{(i > 0 ? "; " : "")}and {relaxations.Count - i} more").ToString();
            value.Append(i > 0 ? "; " : "").Append(item);
        }

        return value.ToString();
    }

    private static string Escape(string text)
    {
        StringBuilder escaped = new();
        foreach (byte b in Encoding.UTF8.GetBytes(text))
        {
            if (b is > 0x20 and < 0x7F and not ((byte)'%' or (byte)';'))
                escaped.Append((char)b);
            else
                escaped.Append(CultureInfo.InvariantCulture, $"%{b:X2}");
        }

        return escaped.ToString();
    }
}
