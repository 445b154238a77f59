using System.Security.Cryptography;
using System.Text;

namespace Glimmer.Server.Messages;

/// <summary>
/// Signatures of thinking blocks. Clients keep them and send them back with the thinking; some refuse blocks without one. They are a digest of the
/// text and prove nothing: reasoning that comes back is the client's input, and is treated like all other input.
/// </summary>
internal static class ThinkingSignature
{
    /// <summary>The signature of a text: <c>glimmer1.</c> and its SHA-256 in base64.</summary>
    public static string Of(string thinking) => "glimmer1." + Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(thinking)));
}
