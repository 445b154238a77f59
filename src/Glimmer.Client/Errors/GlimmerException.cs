using System.Net;
using Glimmer.Protocol.Errors;

namespace Glimmer.Client;

/// <summary>A request was refused, failed, or was not answered to its end. The subclasses say which kind of thing happened.</summary>
public class GlimmerException : Exception
{
    /// <summary>An error.</summary>
    /// <param name="message">What is wrong.</param>
    /// <param name="inner">What led to it.</param>
    public GlimmerException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }

    /// <summary>An error without a message.</summary>
    public GlimmerException()
    {
    }

    /// <summary>The platform's business code; null when the answer held none.</summary>
    public int? Code { get; init; }

    /// <summary>The business code by name; null when there is none.</summary>
    public BusinessCode? BusinessCode => Code is { } code ? (BusinessCode)code : null;

    /// <summary>HTTP status; null when nothing was answered.</summary>
    public HttpStatusCode? Status { get; init; }

    /// <summary>Path of the field at fault, such as <c>messages[0].content</c>; null when the answer does not tell.</summary>
    public string? Field { get; init; }

    /// <summary>The server's id of the request; null when it told none.</summary>
    public string? RequestId { get; init; }

    /// <summary>When to try again; null when the answer does not tell.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>How often the request was sent.</summary>
    public int Attempts { get; internal set; } = 1;

    /// <summary>The exception for an error of the platform, of the kind that its code says.</summary>
    /// <param name="error">The error.</param>
    /// <param name="requestId">Id of the request; null for none.</param>
    public static GlimmerException Of(PlatformError error, string? requestId = null)
    {
        ArgumentNullException.ThrowIfNull(error);
        return ErrorReader.Make((HttpStatusCode)error.Status, (int)error.Code, error.Message, error.Field, requestId, error.RetryAfter);
    }
}

/// <summary>The key is missing, wrong or expired, or may not do this.</summary>
public sealed class GlimmerAuthenticationException(string message) : GlimmerException(message);

/// <summary>The request is wrong: a field, the model, its length, or its content.</summary>
public sealed class GlimmerInvalidRequestException(string message) : GlimmerException(message);

/// <summary>Too many requests; the same may succeed later.</summary>
public sealed class GlimmerRateLimitException(string message) : GlimmerException(message);

/// <summary>The account or its plan does not pay for this request. Trying again does not help before the limit resets or somebody pays.</summary>
public sealed class GlimmerPlanLimitException(string message) : GlimmerException(message)
{
    /// <summary>When the limit resets; null when it does not by itself, or the answer does not tell.</summary>
    public DateTimeOffset? ResetsAt { get; init; }
}

/// <summary>The model or the server is overloaded or not ready.</summary>
public sealed class GlimmerOverloadedException(string message) : GlimmerException(message);

/// <summary>The server failed.</summary>
public sealed class GlimmerServerException(string message, Exception? inner = null) : GlimmerException(message, inner);

/// <summary>The connection could not be made, broke, or was too slow; a stream ended before its end.</summary>
public sealed class GlimmerConnectionException(string message, Exception? inner = null) : GlimmerException(message, inner);
