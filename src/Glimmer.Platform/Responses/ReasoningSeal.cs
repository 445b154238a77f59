using System.Globalization;
using System.Text;
using Glimmer.Platform.Keys;

namespace Glimmer.Platform.Responses;

/// <summary>
/// Seals reasoning so that a client can keep it and bring it back without reading or changing it. Sealed for one account with a key of this data folder.
/// </summary>
public sealed class ReasoningSeal
{
    private const string Prefix = "glimmer1.";
    private readonly SecretSeal _seal;

    private ReasoningSeal(SecretSeal seal) => _seal = seal;

    /// <summary>Opens the key, making it when there is none.</summary>
    /// <param name="folder">The data folder.</param>
    /// <exception cref="KeyRingException">The file is not a key.</exception>
    public static ReasoningSeal Open(string folder) => new(SecretSeal.Open(Path.Combine(folder, "reasoning.key"), "Glimmer:DataFolder"));

    /// <summary>The sealed form of a text.</summary>
    public string Seal(long account, string text) => Prefix + Convert.ToBase64String(_seal.Seal(Id(account), Encoding.UTF8.GetBytes(text)));

    /// <summary>The text of a sealed form; null when it is not one of this account and this server.</summary>
    public string? TryOpen(long account, string box)
    {
        ArgumentNullException.ThrowIfNull(box);
        if (!box.StartsWith(Prefix, StringComparison.Ordinal))
            return null;
        byte[] bytes = new byte[(box.Length - Prefix.Length) / 4 * 3];
        if (!Convert.TryFromBase64String(box[Prefix.Length..], bytes, out int length) || _seal.TryOpen(Id(account), bytes.AsSpan(0, length)) is not { } text)
            return null;
        return Encoding.UTF8.GetString(text);
    }

    private static string Id(long account) => account.ToString(CultureInfo.InvariantCulture);
}
