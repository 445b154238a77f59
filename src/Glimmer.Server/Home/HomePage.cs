using System.Net;
using System.Security.Cryptography;
using System.Text;
using Glimmer.Server.Models;
using Glimmer.Server.Routing;

namespace Glimmer.Server.Home;

/// <summary><c>GET /</c>: what this is, whether it is ready, and a first request with this server's own address and model.</summary>
internal sealed class HomePage(ModelOffers offers, IChatBackendProvider backends)
{
    private static readonly Lazy<(string Html, string Policy)> Template = new(Load);

    public async Task GetAsync(HttpContext context)
    {
        (string html, string policy) = Template.Value;
        BackendReadiness readiness = backends.Readiness;
        ModelOffer? shown = Shown();
        string model = shown?.Model.Code ?? "glm-4.7";
        string note = shown is { Route.StandIn: true } offer
            ? $", answered by the stand-in <code>{Escape(offer.Route.Model)}</code>"
            : "";
        string page = new StringBuilder(html)
            .Replace("{{refresh}}", readiness.Phase == BackendPhase.Loading ? "\n<meta http-equiv=\"refresh\" content=\"2\">" : "")
            .Replace("{{phase}}", readiness.Phase switch { BackendPhase.Ready => "ready", BackendPhase.Loading => "loading", _ => "failed" })
            .Replace("{{phase_word}}", readiness.Phase switch { BackendPhase.Ready => "Ready.", BackendPhase.Loading => "Loading.", _ => "Not available." })
            .Replace("{{detail}}", readiness is { Phase: BackendPhase.Ready, Detail: "Ready." } ? "" : Escape(readiness.Detail))
            .Replace("{{model_note}}", note)
            .Replace("{{model}}", Escape(model))
            .Replace("{{base}}", Escape($"{context.Request.Scheme}://{context.Request.Host.ToUriComponent()}/api/paas/v4"))
            .ToString();
        byte[] body = Encoding.UTF8.GetBytes(page);
        HttpResponse response = context.Response;
        response.ContentType = "text/html; charset=utf-8";
        response.ContentLength = body.Length;
        response.Headers.ContentSecurityPolicy = policy;
        response.Headers.XContentTypeOptions = "nosniff";
        response.Headers["Referrer-Policy"] = "no-referrer";
        response.Headers.CacheControl = "no-store";
        await response.Body.WriteAsync(body, context.RequestAborted);
    }

    /// <summary>The model of the examples: one with a backend of its own where there is one, else the first code.</summary>
    private ModelOffer? Shown()
    {
        ModelOffer? first = null;
        foreach (ModelOffer offer in offers.List())
        {
            if (!offer.Route.StandIn && backends.StandIn is null)
                return offer;
            if (offer.Model.Code == "glm-4.7")
                return offer;
            first ??= offer;
        }

        return first;
    }

    private static string Escape(string text) => WebUtility.HtmlEncode(text);

    private static (string Html, string Policy) Load()
    {
        string style = Read("home.css");
        string hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(style)));
        return (
            Read("home.html").Replace("{{style}}", style, StringComparison.Ordinal),
            $"default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
    }

    private static string Read(string name)
    {
        using Stream stream = typeof(HomePage).Assembly.GetManifestResourceStream($"Glimmer.Server.Home.{name}")!;
        using var reader = new StreamReader(stream);
        return reader.ReadToEnd();
    }
}
