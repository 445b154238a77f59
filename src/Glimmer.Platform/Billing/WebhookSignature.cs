using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Platform.Billing;

/// <summary>
/// The signature <c>t=SECONDS,v1=HEX[,v1=HEX…]</c>: HMAC-SHA256 with the endpoint's secret over the time, a point and the
/// body. The time bounds how long a message that was overheard can be sent again.
/// </summary>
public static class WebhookSignature
{
    private const int MaxHeaderLength = 4096;
    private static readonly SearchValues<char> _hex = SearchValues.Create("0123456789abcdefABCDEF");

    /// <summary>Makes a header, as a provider does; for tests and fake providers.</summary>
    public static string Sign(string secret, ReadOnlySpan<byte> body, DateTimeOffset at)
    {
        long seconds = at.ToUnixTimeSeconds();
        return string.Create(CultureInfo.InvariantCulture, $"t={seconds},v1={Convert.ToHexStringLower(Compute(secret, seconds, body))}");
    }

    /// <summary>What is wrong with a signature; null when it is good.</summary>
    /// <param name="secrets">The endpoint's secrets; several while one is being replaced.</param>
    /// <param name="header">The header.</param>
    /// <param name="body">The body.</param>
    /// <param name="now">Now.</param>
    /// <param name="tolerance">How far the header's time may be from now, either way.</param>
    public static string? Check(IReadOnlyList<string> secrets, string? header, ReadOnlySpan<byte> body, DateTimeOffset now, TimeSpan tolerance)
    {
        if (string.IsNullOrEmpty(header))
            return "the signature header is missing";
        if (header.Length > MaxHeaderLength)
            return "the signature header is too long";
        long? time = null;
        var signatures = new List<byte[]>();
        foreach (string part in header.Split(','))
        {
            int equals = part.IndexOf('=', StringComparison.Ordinal);
            ReadOnlySpan<char> name = equals < 0 ? default : part.AsSpan(0, equals).Trim();
            ReadOnlySpan<char> value = equals < 0 ? default : part.AsSpan(equals + 1).Trim();
            if (name is "t")
                time = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) ? seconds : null;
            else if (name is "v1" && value.Length == 64 && !value.ContainsAnyExcept(_hex))
                signatures.Add(Convert.FromHexString(value));
        }

        if (time is null || signatures.Count == 0)
            return "the signature header has no time or no signature of the form v1";
        bool genuine = false;
        foreach (string secret in secrets)
        {
            byte[] expected = Compute(secret, time.Value, body);
            foreach (byte[] signature in signatures)
                genuine |= CryptographicOperations.FixedTimeEquals(expected, signature);
        }

        if (!genuine)
            return "the signature does not fit";
        return Math.Abs(now.ToUnixTimeSeconds() - (decimal)time.Value) > (decimal)tolerance.TotalSeconds ? "the signature's time is too far from now" : null;
    }

    private static byte[] Compute(string secret, long seconds, ReadOnlySpan<byte> body)
    {
        using var hmac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, Encoding.UTF8.GetBytes(secret));
        hmac.AppendData(Encoding.ASCII.GetBytes(seconds.ToString(CultureInfo.InvariantCulture) + "."));
        hmac.AppendData(body);
        return hmac.GetHashAndReset();
    }
}
