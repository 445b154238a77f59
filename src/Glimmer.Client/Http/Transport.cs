using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Glimmer.Protocol.Sse;

namespace Glimmer.Client;

/// <summary>Sends requests, again where that may help, and reads their answers.</summary>
internal sealed class Transport(HttpClient http, Uri baseUrl, Credential credential, GlimmerClientOptions options)
{
    private const int MaxErrorBytes = 1 << 20;
    private readonly string _base = baseUrl.AbsoluteUri.TrimEnd('/');

    /// <summary>What stands before <c>/api/…</c> in the base: where the platform's other pages are.</summary>
    private readonly string _root = RootOf(baseUrl);

    /// <summary>Asks and reads the answer.</summary>
    /// <param name="path">Path under the base; with <c>~</c> in front, under the host.</param>
    /// <param name="body">JSON to post; null gets.</param>
    /// <param name="type">Reader of the answer.</param>
    /// <param name="cancel">Ends the call.</param>
    public async Task<T> CallAsync<T>(string path, byte[]? body, JsonTypeInfo<T> type, CancellationToken cancel)
    {
        var tries = new Tries(options);
        while (true)
        {
            tries.Begin();
            (T? value, GlimmerException? fault, bool? shouldRetry) = await TryAsync(path, body, type, cancel).ConfigureAwait(false);
            if (fault is null)
                return value!;
            await WaitAsync(tries, fault, shouldRetry, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Asks and reads a stream of events up to <c>[DONE]</c>. It is tried again only while no byte of it has come.</summary>
    public async IAsyncEnumerable<T> StreamAsync<T>(string path, byte[] body, JsonTypeInfo<T> type, [EnumeratorCancellation] CancellationToken cancel)
    {
        var tries = new Tries(options);
        while (true)
        {
            tries.Begin();
            (HttpResponseMessage? response, GlimmerException? fault, bool? shouldRetry) = await OpenAsync(path, body, cancel).ConfigureAwait(false);
            if (response is null)
            {
                await WaitAsync(tries, fault!, shouldRetry, cancel).ConfigureAwait(false);
                continue;
            }

            using (response)
            {
                string? id = RequestIdOf(response);
                var watched = new WatchedStream(await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false), options.TryTimeout, options.Time);
                await using (watched.ConfigureAwait(false))
                {
                    IAsyncEnumerator<SseEvent> events = SseReader.ReadAsync(watched, cancel: cancel).GetAsyncEnumerator(cancel);
                    await using (events.ConfigureAwait(false))
                    {
                        while (true)
                        {
                            (SseEvent? next, fault) = await NextAsync(events, id, cancel).ConfigureAwait(false);
                            if (fault is not null)
                                break;
                            if (next!.Value.IsDone)
                                yield break;
                            yield return ReadEvent(next.Value.Data, type, response.StatusCode, id);
                        }
                    }
                }

                fault.Attempts = tries.Count;
                if (watched.HasBytes)
                    throw fault;
            }

            await WaitAsync(tries, fault, null, cancel).ConfigureAwait(false);
        }
    }

    private static async ValueTask<(SseEvent? Event, GlimmerException? Fault)> NextAsync(IAsyncEnumerator<SseEvent> events, string? id, CancellationToken cancel)
    {
        try
        {
            return await events.MoveNextAsync().ConfigureAwait(false)
                ? (events.Current, null)
                : (null, new GlimmerConnectionException("The stream ended without its closing event.") { RequestId = id });
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested && IsConnection(fault))
        {
            return (null, new GlimmerConnectionException($"The stream broke off: {fault.Message}", fault) { RequestId = id });
        }
    }

    private static T ReadEvent<T>(string data, JsonTypeInfo<T> type, HttpStatusCode status, string? id)
    {
        try
        {
            // An error in the middle of a stream has no status of its own.
            if (data.Contains("\"error\"", StringComparison.Ordinal) && IsError(data))
                throw ErrorReader.Read(null, data, id, null);
            return JsonSerializer.Deserialize(data, type) ?? throw new JsonException("it is null");
        }
        catch (JsonException fault)
        {
            throw new GlimmerServerException($"An event of the stream cannot be read: {fault.Message}", fault) { Status = status, RequestId = id };
        }
    }

    private static bool IsError(string data)
    {
        using JsonDocument document = JsonDocument.Parse(data);
        return document.RootElement.ValueKind == JsonValueKind.Object
            && document.RootElement.TryGetProperty("error", out JsonElement error)
            && error.ValueKind is JsonValueKind.Object or JsonValueKind.String;
    }

    private async Task WaitAsync(Tries tries, GlimmerException fault, bool? shouldRetry, CancellationToken cancel)
    {
        if (tries.DelayAfter(fault, shouldRetry) is not { } delay)
            throw fault;
        await Task.Delay(delay, options.Time, cancel).ConfigureAwait(false);
    }

    private async Task<(T? Value, GlimmerException? Fault, bool? ShouldRetry)> TryAsync<T>(string path, byte[]? body, JsonTypeInfo<T> type, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(options.TryTimeout, options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        try
        {
            using HttpRequestMessage request = Request(path, body);
            using HttpResponseMessage response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token).ConfigureAwait(false);
            if (!response.IsSuccessStatusCode)
                return (default, await ReadErrorAsync(response, either.Token).ConfigureAwait(false), ShouldRetry(response));
            byte[] answer = await response.Content.ReadAsByteArrayAsync(either.Token).ConfigureAwait(false);
            try
            {
                return (JsonSerializer.Deserialize(answer, type) ?? throw new JsonException("it is null"), null, null);
            }
            catch (JsonException fault)
            {
                throw new GlimmerServerException($"The answer cannot be read: {fault.Message}", fault) { Status = response.StatusCode, RequestId = RequestIdOf(response), Attempts = 1 };
            }
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested && IsConnection(fault))
        {
            return (default, Connection(fault), null);
        }
    }

    private async Task<(HttpResponseMessage? Response, GlimmerException? Fault, bool? ShouldRetry)> OpenAsync(string path, byte[] body, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(options.TryTimeout, options.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancel);
        HttpResponseMessage? response = null;
        try
        {
            using HttpRequestMessage request = Request(path, body);
            request.Headers.Accept.Clear();
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
            response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token).ConfigureAwait(false);
            if (response.IsSuccessStatusCode)
                return (response, null, null);
            using (response)
                return (null, await ReadErrorAsync(response, either.Token).ConfigureAwait(false), ShouldRetry(response));
        }
        catch (Exception fault) when (!cancel.IsCancellationRequested && IsConnection(fault))
        {
            return (null, Connection(fault), null);
        }
    }

    private HttpRequestMessage Request(string path, byte[]? body)
    {
        string address = path.StartsWith('~') ? _root + path[1..] : _base + path;
        var request = new HttpRequestMessage(body is null ? HttpMethod.Get : HttpMethod.Post, address);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", credential.Current());
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
        request.Headers.TryAddWithoutValidation("x-source-channel", "glimmer-dotnet");
        if (options.Language is { } language)
            request.Headers.TryAddWithoutValidation("Accept-Language", language);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json") { CharSet = "utf-8" };
        }

        return request;
    }

    private async Task<GlimmerException> ReadErrorAsync(HttpResponseMessage response, CancellationToken cancel)
    {
        Stream body = await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
        byte[] bytes = new byte[8192];
        using var text = new MemoryStream();
        int read;
        while (text.Length < MaxErrorBytes && (read = await body.ReadAsync(bytes, cancel).ConfigureAwait(false)) > 0)
            text.Write(bytes, 0, read);
        return ErrorReader.Read(response.StatusCode, System.Text.Encoding.UTF8.GetString(text.GetBuffer(), 0, (int)text.Length), RequestIdOf(response), RetryAfterOf(response));
    }

    private TimeSpan? RetryAfterOf(HttpResponseMessage response) => response.Headers.RetryAfter switch
    {
        { Delta: { } delta } => delta,
        { Date: { } date } => date > options.Time.GetUtcNow() ? date - options.Time.GetUtcNow() : TimeSpan.Zero,
        _ => null,
    };

    private static bool? ShouldRetry(HttpResponseMessage response) =>
        response.Headers.TryGetValues("x-should-retry", out IEnumerable<string>? values) && bool.TryParse(values.First(), out bool should) ? should : null;

    private static string? RequestIdOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues("x-request-id", out IEnumerable<string>? values) ? values.First() : null;

    private static bool IsConnection(Exception fault) =>
        fault is HttpRequestException or IOException or OperationCanceledException or TimeoutException;

    private GlimmerConnectionException Connection(Exception fault) => fault is OperationCanceledException or TimeoutException
        ? new GlimmerConnectionException(string.Create(CultureInfo.InvariantCulture, $"The server did not answer within {options.TryTimeout.TotalSeconds} s."), fault)
        : new GlimmerConnectionException($"The server cannot be reached: {fault.Message}", fault);

    private static string RootOf(Uri address)
    {
        string host = address.GetLeftPart(UriPartial.Authority);
        int api = address.AbsolutePath.IndexOf("/api/", StringComparison.OrdinalIgnoreCase);
        return api < 0 ? host : host + address.AbsolutePath[..api];
    }
}
