using System.Net;
using Glimmer.Platform.Keys;
using Glimmer.Server.Hosting;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Ollama;

/// <summary>
/// Lets callers of Ollama's paths in. Its clients often have no place for a key, so the settings may name one that counts where a request brings none, for
/// programs on this machine only: not for what came through a proxy, nor for pages of a browser that are of another machine.
/// </summary>
internal sealed class OllamaGate(RequestGate gate, GlimmerOptions options)
{
    /// <summary>The key of the caller; null when the error has been answered.</summary>
    public ValueTask<AccessKey?> AuthenticateAsync(HttpContext context) =>
        options.OllamaKey.Length > 0 && HasNoCredential(context.Request) && IsLocal(context)
            ? gate.AuthenticateAsync(context, options.OllamaKey)
            : gate.AuthenticateAsync(context);

    private static bool HasNoCredential(HttpRequest request) =>
        request.Headers.Authorization.Count == 0 && !request.Headers.ContainsKey("x-api-key") && !request.Query.ContainsKey("Authorization");

    private static bool IsLocal(HttpContext context)
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
