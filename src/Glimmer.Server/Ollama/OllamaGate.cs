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
        options.OllamaKey.Length > 0 && HasNoCredential(context.Request) && LocalCaller.Is(context)
            ? gate.AuthenticateAsync(context, options.OllamaKey)
            : gate.AuthenticateAsync(context);

    private static bool HasNoCredential(HttpRequest request) =>
        request.Headers.Authorization.Count == 0 && !request.Headers.ContainsKey("x-api-key") && !request.Query.ContainsKey("Authorization");
}
