using System.Net;

namespace Glimmer.Client;

/// <summary>The tries of one call: which faults are worth another, and how long to wait before it.</summary>
internal sealed class Tries(GlimmerClientOptions options)
{
    /// <summary>How many tries have begun.</summary>
    public int Count { get; private set; }

    /// <summary>Begins a try.</summary>
    public void Begin() => Count++;

    /// <summary>How long to wait before the next try; null when there is none.</summary>
    /// <param name="fault">What the last one met.</param>
    /// <param name="shouldRetry">What the server says of it in <c>x-should-retry</c>; null for nothing.</param>
    public TimeSpan? DelayAfter(GlimmerException fault, bool? shouldRetry)
    {
        fault.Attempts = Count;
        if (Count > options.MaxRetries || ErrorReader.IsNonBillable(fault.Code) || !(shouldRetry ?? IsPassing(fault)))
            return null;
        if (fault.RetryAfter > options.MaxRetryAfter)
            return null;
        double seconds = Math.Min(options.FirstDelay.TotalSeconds * Math.Pow(2, Count - 1), options.MaxDelay.TotalSeconds);
        var own = TimeSpan.FromSeconds(seconds * (0.75 + (Random.Shared.NextDouble() / 4)));
        return fault.RetryAfter is { } asked && asked > own ? asked : own;
    }

    private static bool IsPassing(GlimmerException fault) => fault switch
    {
        { Status: { } status } => status is HttpStatusCode.RequestTimeout or HttpStatusCode.Conflict or HttpStatusCode.TooManyRequests || (int)status >= 500,
        _ => fault is GlimmerConnectionException,
    };
}
