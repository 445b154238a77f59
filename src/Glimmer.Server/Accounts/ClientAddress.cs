using System.Net;
using Glimmer.Platform.Keys;

namespace Glimmer.Server.Accounts;

/// <summary>
/// Where a request comes from: the connection's address, or, when that is a trusted proxy's, the last address in
/// <c>X-Forwarded-For</c> that is not one. Others' headers are not believed.
/// </summary>
internal sealed class ClientAddress(IReadOnlyList<IPNetwork> proxies)
{
    private readonly KeyRules _proxies = new() { Networks = proxies };

    /// <summary>The address; null when the transport has none.</summary>
    public IPAddress? Of(HttpContext context)
    {
        IPAddress? address = context.Connection.RemoteIpAddress;
        if (proxies.Count == 0 || !_proxies.AllowsAddress(address))
            return address;
        string[] hops = context.Request.Headers["X-Forwarded-For"].ToString().Split(',', StringSplitOptions.TrimEntries);
        for (int i = hops.Length - 1; i >= 0 && i >= hops.Length - 10; i--)
        {
            if (!IPAddress.TryParse(hops[i], out IPAddress? hop))
                return address;
            address = hop;
            if (!_proxies.AllowsAddress(hop))
                return hop;
        }

        return address;
    }

    /// <summary>Whether the browser speaks TLS, to this server or to a trusted proxy.</summary>
    public bool IsEncrypted(HttpContext context) => context.Request.IsHttps
        || (proxies.Count > 0 && _proxies.AllowsAddress(context.Connection.RemoteIpAddress) && context.Request.Headers["X-Forwarded-Proto"].ToString().Equals("https", StringComparison.OrdinalIgnoreCase));
}
