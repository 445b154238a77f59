using System.Net;
using System.Net.Sockets;

namespace Glimmer.Inference.Relay.Requests;

/// <summary>Tells addresses that lead out from those that may lead in, by their text alone.</summary>
internal static class PublicAddress
{
    private const int MaxLength = 8_192;

    // RFC 6761, 6762, 8375, and what private networks and clouds call their own.
    private static readonly string[] _private = ["localhost", "local", "internal", "intranet", "private", "corp", "home", "lan", "home.arpa", "test", "invalid", "onion"];

    // RFC 6890 and its kin: networks that are nobody's, one's own, or the machine's.
    private static readonly IPNetwork[] _closed =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
            "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
            "fec0::/10", "ff00::/8",
        }.Select(IPNetwork.Parse),
    ];

    /// <summary>What is wrong with an address; null when it may be handed on.</summary>
    public static string? ProblemOf(string address)
    {
        // Readers of addresses differ in these, and a check must see what the fetcher will.
        if (address.Length > MaxLength)
            return "it is longer than 8192 characters";
        if (address.Any(static c => c is <= ' ' or '\\' or '\x7f'))
            return "it holds blanks, control characters or a backslash";
        if (!Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) || uri.Scheme is not ("http" or "https"))
            return "it is no http or https address";
        int begin = address.IndexOf("://", StringComparison.Ordinal) + 3;
        int length = address.AsSpan(begin).IndexOfAny("/?#");
        ReadOnlySpan<char> authority = length < 0 ? address.AsSpan(begin) : address.AsSpan(begin, length);
        if (begin < 3 || authority.ContainsAny("@%") || authority.ContainsAnyExceptInRange('!', '~'))
            return "its host is not plain: give no user, no escapes, and names in ASCII";
        string host = uri.IdnHost.Trim('[', ']').TrimEnd('.');
        return (IPAddress.TryParse(host, out IPAddress? ip) ? IsPublic(ip) : IsPublic(host)) ? null : "its host is not public";
    }

    /// <summary>Whether an address of a machine is one of the open network.</summary>
    public static bool IsPublic(IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6)
            address = address.MapToIPv4();
        if (address.AddressFamily == AddressFamily.InterNetworkV6 && address.ScopeId != 0)
            return false;
        return !Array.Exists(_closed, network => network.Contains(address));
    }

    /// <summary>Whether a name may be one of the open network: it has a dot, does not end in what private networks are called, nor in a number, which some read as an address.</summary>
    private static bool IsPublic(string name)
    {
        int dot = name.LastIndexOf('.');
        if (dot < 1 || char.IsAsciiDigit(name[dot + 1]))
            return false;
        return !Array.Exists(_private, end => name.EndsWith("." + end, StringComparison.OrdinalIgnoreCase));
    }
}
