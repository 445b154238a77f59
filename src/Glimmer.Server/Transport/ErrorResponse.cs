using System.Buffers;
using System.Globalization;
using Glimmer.Protocol.Errors;

namespace Glimmer.Server.Transport;

/// <summary>Answers with an error, in the dialect of the caller.</summary>
internal static class ErrorResponse
{
    /// <summary>Header that names the platform's code in dialects whose bodies do not.</summary>
    public const string CodeHeader = "X-Glimmer-Code";

    /// <summary>Writes status, headers and body. Nothing may have been sent before.</summary>
    public static async Task WriteAsync(HttpContext context, PlatformError error)
    {
        var record = RequestRecord.Of(context);
        record.Code = error.Code;
        record.Field = error.Field ?? "";
        WireDialect dialect = record.Dialect;
        HttpResponse response = context.Response;
        response.StatusCode = DialectErrorWriter.StatusOf(dialect, error);
        response.ContentType = "application/json";
        if (error.RetryAfter is { } wait)
            response.Headers.RetryAfter = ((int)Math.Ceiling(wait.TotalSeconds)).ToString(CultureInfo.InvariantCulture);
        // What no second try mends; the platform's own SDK looks at this header (spec: api.md §5).
        if (error.Code is BusinessCode.AccountInArrears or (>= BusinessCode.UsageLimitReached and <= BusinessCode.PlanModelDenied) or (>= BusinessCode.FairUse and <= BusinessCode.SevenDayLimitEnterprise))
            response.Headers["x-should-retry"] = "false";
        response.Headers.CacheControl = "no-cache";
        if (dialect != WireDialect.Native)
            response.Headers[CodeHeader] = error.Code.Digits();
        var body = new ArrayBufferWriter<byte>(256);
        DialectErrorWriter.Write(body, dialect, error, Language(context.Request), record.Id);
        response.ContentLength = body.WrittenCount;
        await response.Body.WriteAsync(body.WrittenMemory, context.RequestAborted);
    }

    /// <summary>Chinese when it is the language that the caller prefers, else English.</summary>
    public static MessageLanguage Language(HttpRequest request) => AcceptedLanguage.Of(request.Headers.AcceptLanguage.ToString());
}
