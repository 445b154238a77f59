using System.Text;

namespace Glimmer.Protocol.Gemini;

/// <summary>
/// Signatures of thoughts. That API's clients leave thoughts out of the history and return the signatures, by which the service knows what the model thought.
/// So a signature is the reasoning itself, in base64: it needs no memory and holds on every node. Like reasoning that comes back in the open it is the
/// client's input, and proves nothing.
/// </summary>
public static class GeminiThought
{
    private static readonly byte[] _prefix = [.. "glimmer1."u8];

    /// <summary>The signature of a reasoning.</summary>
    public static string Sign(string reasoning)
    {
        ArgumentNullException.ThrowIfNull(reasoning);
        return Convert.ToBase64String([.. _prefix, .. Encoding.UTF8.GetBytes(reasoning)]);
    }

    /// <summary>The reasoning of a signature; null when it is not one of this platform's.</summary>
    public static string? TryRead(string signature)
    {
        ArgumentNullException.ThrowIfNull(signature);
        byte[] bytes = new byte[(signature.Length / 4 * 3) + 3];
        if (!Convert.TryFromBase64String(Plain(signature), bytes, out int length) || !bytes.AsSpan(0, length).StartsWith(_prefix))
            return null;
        return Encoding.UTF8.GetString(bytes, _prefix.Length, length - _prefix.Length);
    }

    /// <summary>Base64 in the usual alphabet with its padding, of either alphabet and with or without.</summary>
    internal static string Plain(string text)
    {
        string plain = text.Replace('-', '+').Replace('_', '/');
        return (plain.Length % 4) switch
        {
            2 => plain + "==",
            3 => plain + "=",
            _ => plain,
        };
    }
}
