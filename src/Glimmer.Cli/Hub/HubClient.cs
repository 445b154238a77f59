using System.Net;
using System.Net.Http.Headers;

namespace Glimmer.Cli.Hub;

/// <summary>
/// Requests to a hub: retries what is worth retrying, follows redirects itself, and gives the token to the hub's own
/// host only, never to the storage it redirects to.
/// </summary>
internal sealed class HubClient : IDisposable
{
    private const int MostRedirects = 5;
    private readonly HttpClient _http;
    private readonly string? _token;
    private readonly string _tokenHost;
    private readonly RetryPolicy _retry;

    /// <param name="endpoint">The hub's base address.</param>
    /// <param name="token">Access token, or null.</param>
    /// <param name="retry">When and how often to try again.</param>
    public HubClient(Uri endpoint, string? token, RetryPolicy retry)
    {
        _token = token;
        _tokenHost = endpoint.Authority;
        _retry = retry;
        _http = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            ConnectTimeout = TimeSpan.FromSeconds(20),
            PooledConnectionLifetime = TimeSpan.FromMinutes(10),
            MaxConnectionsPerServer = 32,
        })
        {
            Timeout = Timeout.InfiniteTimeSpan,
        };
        _http.DefaultRequestHeaders.UserAgent.ParseAdd("glimmer/0.1");
    }

    /// <summary>
    /// GETs an address, from byte <paramref name="from"/> to <paramref name="to"/> (inclusive) when a range is asked
    /// for. Returns the final response, successful or a client error; anything temporary was tried again.
    /// </summary>
    public async Task<HttpResponseMessage> GetAsync(Uri address, long? from, long? to, CancellationToken cancel)
    {
        for (int attempt = 0; ; attempt++)
        {
            HttpResponseMessage? response = null;
            try
            {
                response = await FollowAsync(address, from, to, cancel);
                if (!RetryPolicy.IsTemporary(response.StatusCode) || attempt >= _retry.Attempts - 1)
                    return response;
            }
            catch (Exception failure) when (failure is HttpRequestException or IOException && attempt < _retry.Attempts - 1)
            {
                // A refused, reset or timed-out connection: the next attempt may find a healthy path.
            }

            TimeSpan delay = _retry.Delay(attempt, response?.Headers.RetryAfter);
            response?.Dispose();
            await Task.Delay(delay, _retry.Time, cancel);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseMessage> FollowAsync(Uri address, long? from, long? to, CancellationToken cancel)
    {
        for (int hop = 0; ; hop++)
        {
            using HttpRequestMessage request = new(HttpMethod.Get, address);
            if (from is not null)
                request.Headers.Range = new RangeHeaderValue(from, to);
            if (_token is not null && address.Authority == _tokenHost)
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", _token);
            HttpResponseMessage response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
            if (response.StatusCode is not (HttpStatusCode.Moved or HttpStatusCode.Found or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect))
                return response;
            Uri? target = response.Headers.Location;
            response.Dispose();
            if (target is null || hop >= MostRedirects)
                throw new HubException($"{address} redirects {(target is null ? "nowhere" : "in circles")}.");
            Uri next = target.IsAbsoluteUri ? target : new Uri(address, target);
            if (next.Scheme != Uri.UriSchemeHttps && next.Scheme != address.Scheme)
                throw new HubException($"{address} redirects to {next.Scheme}, which is not followed.");
            address = next;
        }
    }
}
