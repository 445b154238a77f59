using System.Text.RegularExpressions;

namespace Glimmer.Inference.Relay.Errors;

/// <summary>Takes secrets out of what a service said before it is told or logged, and cuts it.</summary>
internal sealed partial class Secrets
{
    /// <summary>Longest quotation, in characters.</summary>
    public const int MaxQuote = 200;

    private const string Mask = "[redacted]";

    // Shorter runs of a key's characters are also found in words.
    private const int LeastFragment = 8;
    private readonly string[] _secrets;

    /// <summary>A filter.</summary>
    /// <param name="secrets">What must not be told; shorter ones than eight characters are only taken out whole.</param>
    public Secrets(IEnumerable<string?> secrets) => _secrets = [.. secrets.Where(static secret => !string.IsNullOrWhiteSpace(secret)).Select(static secret => secret!.Trim()).Distinct(StringComparer.Ordinal)];

    /// <summary>A text without secrets, on one line, of at most <see cref="MaxQuote"/> characters.</summary>
    public string Quote(string text)
    {
        // Enough is looked at that a secret on the edge is seen whole.
        string quoted = text.Length > 4096 ? text[..4096] : text;
        foreach (string secret in _secrets)
            quoted = WithoutFragments(quoted.Replace(secret, Mask, StringComparison.Ordinal), secret);
        quoted = Credential().Replace(quoted, Mask);
        quoted = Blank().Replace(quoted, " ").Trim();
        if (quoted.Length <= MaxQuote)
            return quoted;
        int end = char.IsHighSurrogate(quoted[MaxQuote - 2]) ? MaxQuote - 2 : MaxQuote - 1;
        return quoted[..end] + "…";
    }

    /// <summary>Masks every run that is also a run of the secret: services quote keys cut.</summary>
    private static string WithoutFragments(string text, string secret)
    {
        if (secret.Length < LeastFragment)
            return text;
        for (int i = 0; i + LeastFragment <= text.Length; i++)
        {
            if (!secret.AsSpan().Contains(text.AsSpan(i, LeastFragment), StringComparison.Ordinal))
                continue;
            int length = LeastFragment;
            while (i + length < text.Length && secret.AsSpan().Contains(text.AsSpan(i, length + 1), StringComparison.Ordinal))
                length++;
            text = string.Concat(text.AsSpan(0, i), Mask, text.AsSpan(i + length));
            i += Mask.Length - 1;
        }

        return text;
    }

    /// <summary>What looks like a credential, of whomever.</summary>
    [GeneratedRegex(@"\bsk-[A-Za-z0-9_*.\-]{6,}|\beyJ[A-Za-z0-9_\-]{10,}(\.[A-Za-z0-9_\-]*)*|\bBearer\s+[A-Za-z0-9._~+/=\-]{6,}", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Credential();

    [GeneratedRegex(@"[\s\p{Cc}]+", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Blank();
}
