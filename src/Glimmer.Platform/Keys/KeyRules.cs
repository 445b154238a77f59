using System.Net;
using System.Net.Sockets;

namespace Glimmer.Platform.Keys;

/// <summary>What a key may do beyond being good: which models, from where, for how much.</summary>
public sealed record KeyRules
{
    /// <summary>Most entries of a list.</summary>
    public const int MaxEntries = 100;

    /// <summary>No restriction.</summary>
    public static KeyRules None { get; } = new();

    /// <summary>Model codes that may be called; null for all.</summary>
    public IReadOnlyList<string>? Models { get; init; }

    /// <summary>Networks that calls may come from; null for all.</summary>
    public IReadOnlyList<IPNetwork>? Networks { get; init; }

    /// <summary>Most that may be spent with the key, in the ledger's smallest unit of money; null for no cap.</summary>
    public long? SpendCap { get; init; }

    /// <summary>Whether a model may be called; codes are compared without regard to case.</summary>
    public bool AllowsModel(string code) => Models is null || Models.Contains(code, StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether calls may come from an address; an unknown address only passes where there is no list.</summary>
    public bool AllowsAddress(IPAddress? address)
    {
        if (Networks is null)
            return true;
        if (address is null)
            return false;
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        foreach (IPNetwork network in Networks)
        {
            if (network.BaseAddress.AddressFamily == address.AddressFamily && network.Contains(address))
                return true;
        }

        return false;
    }

    /// <summary>An address or a network (<c>10.0.0.0/8</c>, <c>2001:db8::1</c>); false when it is neither. Bits behind the prefix are dropped.</summary>
    public static bool TryParseNetwork(string text, out IPNetwork network)
    {
        network = default;
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        if (text.Length > 64 || text.Contains('%', StringComparison.Ordinal) || !IPAddress.TryParse(slash < 0 ? text : text.AsSpan(0, slash), out IPAddress? address))
            return false;
        if (address.AddressFamily == AddressFamily.InterNetwork && text.AsSpan(0, slash < 0 ? text.Length : slash).Count('.') != 3)
            return false;   // "10" is an address to the parser
        int bits = address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        int length = bits;
        if (slash >= 0 && (!int.TryParse(text.AsSpan(slash + 1), System.Globalization.NumberStyles.None, null, out length) || length > bits))
            return false;
        byte[] bytes = address.GetAddressBytes();
        for (int i = 0; i < bytes.Length; i++)
        {
            int kept = Math.Clamp(length - (i * 8), 0, 8);
            bytes[i] &= (byte)(0xFF00 >> kept);
        }

        network = new IPNetwork(new IPAddress(bytes), length);
        return true;
    }

    internal static string? Join(IReadOnlyList<string>? entries) => entries is null ? null : string.Join('\n', entries);

    internal static KeyRules Parse(string? models, string? networks, long? spendCap)
    {
        if (models is null && networks is null && spendCap is null)
            return None;
        return new KeyRules
        {
            Models = models?.Split('\n', StringSplitOptions.RemoveEmptyEntries),
            Networks = networks?.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(text => TryParseNetwork(text, out IPNetwork network) ? network : throw new FormatException(text)).ToArray(),
            SpendCap = spendCap,
        };
    }
}
