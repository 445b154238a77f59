using System.Net;

namespace Glimmer.Server.Transport;

/// <summary>Tells programs of this machine from everybody else.</summary>
internal static class LocalCaller
{
    /// <summary>Whether a request comes from a program of this machine: not through a proxy, and not from a page of a browser that is of another machine.</summary>
    public static bool Is(HttpContext context)
    {
        HttpRequest request = context.Request;
        if (context.Connection.RemoteIpAddress is not { } address || !IPAddress.IsLoopback(address))
            return false;
        if (request.Headers.ContainsKey("X-Forwarded-For") || request.Headers.ContainsKey("Forwarded") || request.Headers.ContainsKey("X-Real-IP"))
            return false;

        // A page of another site, or one whose name was made to point here, is not a program of this machine's user.
        if (!IsLoopbackName(request.Host.Host))
            return false;
        string origin = request.Headers.Origin.ToString();
        return origin.Length == 0 || (Uri.TryCreate(origin, UriKind.Absolute, out Uri? uri) && IsLoopbackName(uri.Host));
    }

    private static bool IsLoopbackName(string host) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host.Trim('[', ']'), out IPAddress? address) && IPAddress.IsLoopback(address));
}
