using System.Globalization;
using System.Net;
using System.Text.Json;

namespace Glimmer.Client;

/// <summary>Makes exceptions of error answers (spec: api.md §4.1 to §4.3).</summary>
internal static class ErrorReader
{
    private const int MaxText = 2000;
    private static readonly TimeSpan PlatformOffset = TimeSpan.FromHours(8);

    /// <summary>The exception of an error's body, whatever its form.</summary>
    public static GlimmerException Read(HttpStatusCode? status, string body, string? requestId, TimeSpan? retryAfter)
    {
        (int? code, string? message, string? field) = Parse(body);
        message ??= body.Length is > 0 and <= MaxText ? body : $"The server answered {(int?)status} without a message.";
        return Make(status, code, message, field, requestId, retryAfter);
    }

    /// <summary>The exception of an error that is known already.</summary>
    public static GlimmerException Make(HttpStatusCode? status, int? code, string message, string? field, string? requestId, TimeSpan? retryAfter)
    {
        field ??= FieldIn(message);
        string text = code is null ? message : string.Create(CultureInfo.InvariantCulture, $"{message} (code {code})");
        return KindOf(code, status) switch
        {
            Kind.Authentication => new GlimmerAuthenticationException(text) { Code = code, Status = status, Field = field, RequestId = requestId, RetryAfter = retryAfter },
            Kind.Plan => new GlimmerPlanLimitException(text) { Code = code, Status = status, Field = field, RequestId = requestId, RetryAfter = retryAfter, ResetsAt = ResetIn(message) },
            Kind.Rate => new GlimmerRateLimitException(text) { Code = code, Status = status, Field = field, RequestId = requestId, RetryAfter = retryAfter },
            Kind.Overloaded => new GlimmerOverloadedException(text) { Code = code, Status = status, Field = field, RequestId = requestId, RetryAfter = retryAfter },
            Kind.Server => new GlimmerServerException(text) { Code = code, Status = status, Field = field, RequestId = requestId, RetryAfter = retryAfter },
            _ => new GlimmerInvalidRequestException(text) { Code = code, Status = status, Field = field, RequestId = requestId, RetryAfter = retryAfter },
        };
    }

    /// <summary>Whether a code says that no second try helps (spec: api.md §5): the account has to pay or to wait.</summary>
    public static bool IsNonBillable(int? code) => code is 1113 or (>= 1308 and <= 1311) or (>= 1313 and <= 1321);

    private static Kind KindOf(int? code, HttpStatusCode? status) => (code, (int?)status) switch
    {
        (1305 or 1312, _) => Kind.Overloaded,
        ( >= 1000 and <= 1005 or 1110 or 1111 or 1112 or 1121 or 1220, _) => Kind.Authentication,
        (1113 or (>= 1308 and <= 1321), _) => Kind.Plan,
        (1120 or (>= 1302 and <= 1304) or 1701, _) => Kind.Rate,
        (500 or 1100 or 1200 or 1230 or 1234 or 1702, _) => Kind.Server,
        (not null and (>= 1210 and <= 1301), _) => Kind.Invalid,
        (_, 401 or 403) => Kind.Authentication,
        (_, 429) => Kind.Rate,
        (_, 503 or 529) => Kind.Overloaded,
        (_, >= 500) => Kind.Server,
        _ => Kind.Invalid,
    };

    private static (int? Code, string? Message, string? Field) Parse(string body)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body);
            JsonElement root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                return default;
            JsonElement error = root.TryGetProperty("error", out JsonElement inner) && inner.ValueKind == JsonValueKind.Object ? inner : root;
            string? text = Text(error, "message") ?? Text(error, "msg") ?? Text(root, "error");
            return (Code(error) ?? Code(root), text, Text(error, "param"));
        }
        catch (JsonException)
        {
            return default; // a proxy's page: told as it is
        }
    }

    private static int? Code(JsonElement error) => error.TryGetProperty("code", out JsonElement code) ? code.ValueKind switch
    {
        JsonValueKind.Number when code.TryGetInt32(out int number) => number,
        JsonValueKind.String when int.TryParse(code.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out int number) => number,
        _ => null,
    } : null;

    private static string? Text(JsonElement error, string name) =>
        error.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>The field that the platform's messages 1213 and 1214 name.</summary>
    private static string? FieldIn(string message)
    {
        const string Start = "The parameter ";
        if (!message.StartsWith(Start, StringComparison.Ordinal))
            return null;
        int end = message.IndexOf(' ', Start.Length);
        return end < 0 ? null : message[Start.Length..end];
    }

    /// <summary>The time in a message such as "resets at 2026-01-02 03:04:05", which the platform tells at UTC+8.</summary>
    private static DateTimeOffset? ResetIn(string message)
    {
        const string Form = "yyyy-MM-dd HH:mm:ss";
        for (int start = 0; start + Form.Length <= message.Length; start++)
        {
            if (char.IsAsciiDigit(message[start])
                && DateTime.TryParseExact(message.AsSpan(start, Form.Length), Form, CultureInfo.InvariantCulture, DateTimeStyles.None, out DateTime at))
            {
                return new DateTimeOffset(at, PlatformOffset);
            }
        }

        return null;
    }

    private enum Kind
    {
        Invalid,
        Authentication,
        Rate,
        Plan,
        Overloaded,
        Server,
    }
}
