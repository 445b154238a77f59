using System.Globalization;
using System.Text.Json;

namespace Glimmer.Protocol.Errors;

/// <summary>Writes errors in the form of Google's APIs: the HTTP status again, its canonical name, and details of known types.</summary>
internal static class GeminiErrorWriter
{
    private const string TypePrefix = "type.googleapis.com/google.rpc.";

    /// <summary>Writes the member <c>error</c> of an object that is open.</summary>
    public static void Write(Utf8JsonWriter json, int status, PlatformError error, string message, string requestId)
    {
        json.WriteStartObject("error"u8);
        json.WriteNumber("code"u8, status);
        json.WriteString("message"u8, message);
        json.WriteString("status"u8, StatusName(status));
        json.WriteStartArray("details"u8);
        Begin(json, "ErrorInfo");
        json.WriteString("reason"u8, Reason(status, error.Code));
        json.WriteString("domain"u8, "glimmer"u8);
        json.WriteStartObject("metadata"u8);
        json.WriteString("code"u8, error.Code.Digits());
        json.WriteEndObject();
        json.WriteEndObject();
        if (error.Field is { Length: > 0 } field && status == 400)
        {
            Begin(json, "BadRequest");
            json.WriteStartArray("fieldViolations"u8);
            json.WriteStartObject();
            json.WriteString("field"u8, field);
            json.WriteString("description"u8, message);
            json.WriteEndObject();
            json.WriteEndArray();
            json.WriteEndObject();
        }

        if (error.RetryAfter is { } wait)
        {
            Begin(json, "RetryInfo");
            json.WriteString("retryDelay"u8, string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(wait.TotalSeconds)}s"));
            json.WriteEndObject();
        }

        Begin(json, "RequestInfo");
        json.WriteString("requestId"u8, requestId);
        json.WriteEndObject();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void Begin(Utf8JsonWriter json, string type)
    {
        json.WriteStartObject();
        json.WriteString("@type"u8, TypePrefix + type);
    }

    /// <summary>The canonical name of a status.</summary>
    private static string StatusName(int status) => status switch
    {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        >= 500 => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    };

    /// <summary>A word of the reasons that clients know, else one from the code.</summary>
    private static string Reason(int status, BusinessCode code) => code switch
    {
        BusinessCode.AuthenticationFailed or BusinessCode.CredentialMissing or BusinessCode.TokenInvalid or BusinessCode.TokenExpired or BusinessCode.TokenRejected => "API_KEY_INVALID",
        BusinessCode.ConcurrencyExceeded or BusinessCode.FrequencyExceeded or BusinessCode.DailyLimitReached => "RATE_LIMIT_EXCEEDED",
        _ when status == 429 => "QUOTA_EXHAUSTED",
        _ => "GLIMMER_" + code.Digits(),
    };
}
