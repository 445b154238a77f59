using System.Diagnostics;
using System.Net.Http;

namespace Glimmer.Inference.Backends;

/// <summary>
/// Sends again what was sent into a connection that the other end was closing at that moment: servers close connections that were idle for some seconds or have
/// carried some number of requests, and a request that crosses with that was read by nobody. The handler itself repeats only requests without a body.
/// </summary>
internal static class ClosedConnection
{
    private const int Attempts = 3;

    // What fails later was being worked on.
    private static readonly TimeSpan _atOnce = TimeSpan.FromSeconds(2);

    /// <summary>Sends a request, and again when the connection closes before a byte of the answer.</summary>
    /// <param name="make">Makes the request: one can be sent once.</param>
    /// <param name="send">Sends it.</param>
    /// <exception cref="HttpRequestException">It could not be sent.</exception>
    public static async Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> make, Func<HttpRequestMessage, Task<HttpResponseMessage>> send)
    {
        for (int attempt = 1; ; attempt++)
        {
            long begin = Stopwatch.GetTimestamp();
            using HttpRequestMessage request = make();
            try
            {
                return await send(request).ConfigureAwait(false);
            }
            catch (HttpRequestException fault) when (attempt < Attempts && WasClosed(fault) && Stopwatch.GetElapsedTime(begin) < _atOnce)
            {
                // The pool has forgotten that connection.
            }
        }
    }

    private static bool WasClosed(HttpRequestException fault) =>
        fault is { HttpRequestError: HttpRequestError.ResponseEnded or HttpRequestError.Unknown, InnerException: IOException };
}
