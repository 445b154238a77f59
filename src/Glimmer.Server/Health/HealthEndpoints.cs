using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Json;
using Glimmer.Server.Routing;

namespace Glimmer.Server.Health;

/// <summary>
/// <c>/health/live</c>: the process answers. <c>/health/ready</c>: the model is loaded and the database lets requests in; 503 with the
/// reason until then. While the database is away that is told, also where requests are let in.
/// </summary>
internal sealed class HealthEndpoints(IChatBackendProvider backends, PlatformStore store, PlatformLedger ledger)
{
    /// <summary>Whether the process is to be left alone; 503 when only a new start helps.</summary>
    public Task LiveAsync(HttpContext context) => ledger.Broken is { } fault
        ? WriteAsync(context, StatusCodes.Status503ServiceUnavailable, "broken", fault, null, 0)
        : WriteAsync(context, StatusCodes.Status200OK, "live", null, null, 0);

    public Task ReadyAsync(HttpContext context)
    {
        BackendReadiness readiness = backends.Readiness;
        bool ready = readiness.Phase == BackendPhase.Ready && backends.Backends.Any(backend => backend.IsReady);
        string word = readiness.Phase switch
        {
            BackendPhase.Ready => ready ? "ready" : "waiting",
            BackendPhase.Loading => "loading",
            _ => "failed",
        };
        if (readiness.Phase == BackendPhase.Loading)
            context.Response.Headers.RetryAfter = "1";
        if (ready && !ledger.Admits)
        {
            (ready, word) = (false, "waiting for the database");
            context.Response.Headers.RetryAfter = "5";
        }

        return WriteAsync(context, ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, word, readiness.Detail, store.Presence.Since, ledger.JournalWaiting);
    }

    internal static async Task WriteAsync(HttpContext context, int status, string word, string? detail, DateTimeOffset? away, long journal)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        context.Response.Headers.CacheControl = "no-store";
        var body = new System.Buffers.ArrayBufferWriter<byte>(128);
        using (var json = new System.Text.Json.Utf8JsonWriter(body, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteString("status"u8, word);
            if (detail is not null)
                json.WriteString("detail"u8, detail);
            if (away is { } since)
            {
                json.WriteStartObject("database"u8);
                json.WriteString("away_since"u8, since);
                json.WriteNumber("journal"u8, journal);
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        context.Response.ContentLength = body.WrittenCount;
        await context.Response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted);
    }
}
