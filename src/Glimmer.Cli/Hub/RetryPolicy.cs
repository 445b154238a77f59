using System.Net;
using System.Net.Http.Headers;

namespace Glimmer.Cli.Hub;

/// <summary>When a request is tried again and after how long.</summary>
/// <param name="Attempts">Attempts in all.</param>
/// <param name="FirstDelay">Pause after the first failure; doubles each time.</param>
/// <param name="LongestDelay">Bound of a pause, also for what the server asks for.</param>
/// <param name="Time">Clock of the pauses.</param>
internal sealed record RetryPolicy(int Attempts, TimeSpan FirstDelay, TimeSpan LongestDelay, TimeProvider Time)
{
    /// <summary>Six attempts over about half a minute.</summary>
    public static RetryPolicy Default { get; } = new(6, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(2), TimeProvider.System);

    /// <summary>Whether a status may be different next time.</summary>
    public static bool IsTemporary(HttpStatusCode status) =>
        status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests || (int)status >= 500;

    /// <summary>The pause after attempt number <paramref name="attempt"/> (from 0), honouring the server's wish within bounds.</summary>
    public TimeSpan Delay(int attempt, RetryConditionHeaderValue? wish)
    {
        TimeSpan own = FirstDelay * Math.Pow(2, Math.Min(attempt, 16)) * (0.75 + 0.5 * Random.Shared.NextDouble());
        TimeSpan asked = wish?.Delta ?? (wish?.Date is { } date ? date - Time.GetUtcNow() : TimeSpan.Zero);
        TimeSpan longer = asked > own ? asked : own;
        return longer < LongestDelay ? longer : LongestDelay;
    }
}
