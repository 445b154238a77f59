using Glimmer.Protocol.Json;
using Glimmer.Server.Routing;

namespace Glimmer.Server.Health;

/// <summary><c>/health/live</c>: the process answers. <c>/health/ready</c>: the model is loaded; 503 with the reason until then.</summary>
internal sealed class HealthEndpoints(IChatBackendProvider backends)
{
    public static Task LiveAsync(HttpContext context) => WriteAsync(context, StatusCodes.Status200OK, "live", null);

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
        return WriteAsync(context, ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, word, readiness.Detail);
    }

    private static async Task WriteAsync(HttpContext context, int status, string word, string? detail)
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
            json.WriteEndObject();
        }

        context.Response.ContentLength = body.WrittenCount;
        await context.Response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted);
    }
}
