using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Hosting;
using Glimmer.Server.Telemetry;

namespace Glimmer.Server.Transport;

/// <summary>
/// Wraps every request: gives it an id, one spelling of its path and the headers of CORS; turns what nobody handled into
/// an error of the platform; writes its one log line and its metrics.
/// </summary>
internal sealed partial class RequestMiddleware(
    RequestDelegate next, GlimmerOptions options, GlimmerTelemetry telemetry, TimeProvider time, ILogger<RequestMiddleware> log, IdChance? chance = null)
{
    private const int ClientClosedRequest = 499;
    private readonly bool _anyOrigin = options.CorsOrigins.Contains("*", StringComparer.Ordinal);

    public async Task InvokeAsync(HttpContext context)
    {
        string path = RequestPath.Normalise(context.Request.Path.Value ?? "/");
        context.Request.Path = path;
        chance?.Begin(context.Request.Method, path);
        var record = new RequestRecord { Id = RequestIds.NewRequestId(time.GetUtcNow()), Started = time.GetTimestamp() };
        context.Features.Set(record);
        context.Response.Headers["x-request-id"] = record.Id;
        record.Dialect = WireDialects.Of(path);
        if (record.Dialect == WireDialect.Anthropic)
            context.Response.Headers["request-id"] = record.Id;
        telemetry.Enter();
        try
        {
            if (AllowOrigin(context) && HttpMethods.IsOptions(context.Request.Method))
                context.Response.StatusCode = StatusCodes.Status204NoContent;
            else
                await HandleAsync(context, record);
        }
        finally
        {
            record.ClientLeft = context.RequestAborted.IsCancellationRequested;
            telemetry.Leave();
            Report(context, record);
        }
    }

    private async Task HandleAsync(HttpContext context, RequestRecord record)
    {
        PlatformError error;
        try
        {
            await next(context);
            if (context.Response.HasStarted || context.RequestAborted.IsCancellationRequested || Unhandled(context) is not { } unhandled)
                return;
            error = unhandled;
        }
        catch (BadHttpRequestException fault)
        {
            error = new PlatformError(BusinessCode.CallIncorrect, "The request could not be read as HTTP. Send its whole body.")
            {
                Chinese = "无法读取该 HTTP 请求，请发送完整的请求体",
                Status = fault.StatusCode,
            };
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Whoever asked is gone: there is nobody to tell and nothing went wrong here.
            return;
        }
        catch (Exception fault) when (PlatformStore.IsAbsence(fault))
        {
            // Told once where the database is watched, not by each request.
            error = PlatformLedger.Away(record.Id);
        }
        catch (Exception fault)
        {
            Log.Unhandled(log, record.Id, FaultText.Of(fault));
            error = PlatformError.Of(BusinessCode.Internal);
        }

        if (context.Response.HasStarted)
        {
            context.Abort();
            return;
        }

        try
        {
            await ErrorResponse.WriteAsync(context, error);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // Gone while being told.
        }
    }

    /// <summary>The error for a path or a method that no endpoint took; null when one did.</summary>
    private static PlatformError? Unhandled(HttpContext context)
    {
        string method = context.Request.Method;
        string path = context.Request.Path.Value ?? "/";
        switch (context.Response.StatusCode)
        {
            case StatusCodes.Status405MethodNotAllowed:
                string allowed = context.Response.Headers.Allow.ToString();
                return new PlatformError(BusinessCode.CallIncorrect, $"The method {Shorten(method)} is not allowed here. Use {allowed}.")
                {
                    Chinese = $"不支持 {Shorten(method)} 方法，请使用 {allowed}",
                    Status = StatusCodes.Status405MethodNotAllowed,
                };
            case StatusCodes.Status404NotFound when context.GetEndpoint() is null:
                string name = Shorten($"{method} {path}");
                return PlannedRoutes.Contains(path)
                    ? PlatformError.Of(BusinessCode.ApiOffline, name) with
                    {
                        Message = $"The API {name} is not served by this server",
                        Chinese = $"本服务未提供 API {name}",
                    }
                    : PlatformError.Of(BusinessCode.ApiMissing, name) with { Status = StatusCodes.Status404NotFound };
            default:
                return null;
        }
    }

    private bool AllowOrigin(HttpContext context)
    {
        IHeaderDictionary headers = context.Response.Headers;
        headers.Vary = "Origin";
        string origin = context.Request.Headers.Origin.ToString();
        if (origin.Length == 0)
            return HttpMethods.IsOptions(context.Request.Method);
        if (!_anyOrigin && !options.CorsOrigins.Contains(origin, StringComparer.OrdinalIgnoreCase))
            return false;
        headers.AccessControlAllowOrigin = _anyOrigin ? "*" : origin;
        headers.AccessControlExposeHeaders = "x-request-id, request-id, X-Glimmer-Model, X-Glimmer-Code, X-Glimmer-Queue-Position, Retry-After";
        if (HttpMethods.IsOptions(context.Request.Method))
        {
            headers.AccessControlAllowMethods = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
            headers.AccessControlAllowHeaders = context.Request.Headers.AccessControlRequestHeaders.ToString() is { Length: > 0 and < 2048 } asked
                ? asked
                : "Authorization, Content-Type";
            headers.AccessControlMaxAge = "86400";
        }

        return true;
    }

    private void Report(HttpContext context, RequestRecord record)
    {
        if (context.GetEndpoint() is RouteEndpoint endpoint)
            record.Route = endpoint.RoutePattern.RawText ?? "other";
        int status = record.ClientLeft && !context.Response.HasStarted ? ClientClosedRequest : context.Response.StatusCode;
        TimeSpan elapsed = time.GetElapsedTime(record.Started);
        telemetry.Record(KnownMethod(context.Request.Method), status, record, elapsed);
        // Probes ask every few seconds; their lines would hide the others.
        LogLevel level = record.Route is "/health/live" or "/health/ready" or "/metrics" ? LogLevel.Debug : LogLevel.Information;
        Log.Request(
            log, level, record.Id, KnownMethod(context.Request.Method), record.Route, status, (int?)record.Code ?? 0, record.Field, record.KeyId, record.Model, record.Backend,
            record.Stream, record.Finish, record.Usage.PromptTokens, record.Usage.CachedTokens, record.Usage.CompletionTokens,
            record.FirstEvent == 0 ? 0 : Math.Round(time.GetElapsedTime(record.Started, record.FirstEvent).TotalMilliseconds, 1),
            Math.Round(elapsed.TotalMilliseconds, 1), record.ClientLeft);
    }

    /// <summary>The method where it is a usual one: anything else is the client's text, which belongs in no log and no label.</summary>
    private static string KnownMethod(string method) => method is "GET" or "HEAD" or "POST" or "PUT" or "PATCH" or "DELETE" or "OPTIONS" ? method : "OTHER";

    private static string Shorten(string text) => text.Length <= 100 ? text : text[..100] + "…";

    private static partial class Log
    {
        [LoggerMessage(EventId = 1001, Message = "{RequestId} {Method} {Route} {Status} code={Code} field={Field} key={KeyId} model={Model} backend={Backend} stream={Stream} finish={Finish} prompt={PromptTokens} cached={CachedTokens} completion={CompletionTokens} first_ms={FirstMs} ms={Ms} left={ClientLeft}")]
        public static partial void Request(
            ILogger log, LogLevel level, string requestId, string method, string route, int status, int code, string field, string keyId, string model, string backend,
            bool stream, string finish, int promptTokens, int cachedTokens, int completionTokens, double firstMs, double ms, bool clientLeft);

        [LoggerMessage(1002, LogLevel.Error, "Request {RequestId} failed: {Fault}")]
        public static partial void Unhandled(ILogger log, string requestId, string fault);
    }
}
