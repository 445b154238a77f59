using System.Buffers;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Glimmer.Inference.Backends;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Remote;

/// <summary>HTTP to one backend: pooled connections, no proxy, no cookies, no redirects, bounded bodies, and errors told apart by whose fault they are.</summary>
internal sealed class EngineTransport : IDisposable
{
    private const int MaxErrorBody = 64 << 10;
    private const int MaxToldError = 500;
    private readonly HttpClient _client;
    private readonly string _base;

    /// <summary>A transport to a backend.</summary>
    public EngineTransport(BackendDefinition definition)
    {
        _base = definition.Url.GetLeftPart(UriPartial.Path).TrimEnd('/');
        if (_base.EndsWith("/v1", StringComparison.Ordinal))
            _base = _base[..^3];
        SocketsHttpHandler handler = new()
        {
            ConnectTimeout = definition.ConnectTimeout,
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,

            // A stream that is closed early is one that the engine must stop, not one to read to its end.
            ResponseDrainTimeout = TimeSpan.Zero,

            // uvicorn, which vLLM and SGLang run on, closes connections that were idle for 5 s; a request sent into that would be lost.
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(3),
            ActivityHeadersPropagator = null,
        };
        _client = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan, DefaultRequestVersion = HttpVersion.Version11, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        if (definition.ApiKey is { } key)
            _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        foreach ((string name, string value) in definition.Headers)
            _client.DefaultRequestHeaders.TryAddWithoutValidation(name, value);
    }

    /// <summary>Begins a stream; returns once the engine has accepted.</summary>
    /// <exception cref="EngineException">It did not.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async Task<EngineEvents> StreamAsync(string path, Action<Utf8JsonWriter> write, CancellationToken cancel)
    {
        HttpResponseMessage response = await SendAsync(HttpMethod.Post, path, write, "text/event-stream", cancel).ConfigureAwait(false);
        try
        {
            return new EngineEvents(response, await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false));
        }
        catch
        {
            response.Dispose();
            throw;
        }
    }

    /// <summary>Reads a JSON document; null when its address does not exist, or is not offered.</summary>
    /// <param name="path">Path and query.</param>
    /// <param name="write">Writes the body of a POST; null for a GET.</param>
    /// <param name="cancel">Ends the wait.</param>
    /// <exception cref="EngineException">The engine failed, or sent something else.</exception>
    public async Task<JsonDocument?> FindJsonAsync(string path, Action<Utf8JsonWriter>? write, CancellationToken cancel)
    {
        if (await FindAsync(path, write, "application/json", cancel).ConfigureAwait(false) is not { } body)
            return null;
        try
        {
            return JsonDocument.Parse(body);
        }
        catch (JsonException fault)
        {
            throw EngineException.Failed($"{path} is no JSON: {fault.Message}", fault);
        }
    }

    /// <summary>Reads a text; null when its address does not exist, or is not offered.</summary>
    /// <exception cref="EngineException">The engine failed.</exception>
    public async Task<string?> FindTextAsync(string path, CancellationToken cancel) =>
        await FindAsync(path, null, "*/*", cancel).ConfigureAwait(false) is { } body ? Encoding.UTF8.GetString(body.Span) : null;

    /// <inheritdoc/>
    public void Dispose() => _client.Dispose();

    private async Task<ReadOnlyMemory<byte>?> FindAsync(string path, Action<Utf8JsonWriter>? write, string accept, CancellationToken cancel)
    {
        try
        {
            using HttpResponseMessage response = await SendAsync(write is null ? HttpMethod.Get : HttpMethod.Post, path, write, accept, cancel).ConfigureAwait(false);
            (byte[] body, bool whole) = await ReadAsync(response, EngineEvents.MaxEvent, cancel).ConfigureAwait(false);
            return whole ? body : throw EngineException.Failed($"{path} is longer than {EngineEvents.MaxEvent} bytes.");
        }
        catch (EngineException fault) when (fault.Status is 404 or 405 or 501)
        {
            return null;
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, Action<Utf8JsonWriter>? write, string accept, CancellationToken cancel)
    {
        ArrayBufferWriter<byte> body = new();
        if (write is not null)
        {
            using Utf8JsonWriter json = new(body);
            write(json);
        }

        HttpResponseMessage response;
        try
        {
            response = await ClosedConnection.SendAsync(
                () =>
                {
                    HttpRequestMessage request = new(method, _base + path) { Version = HttpVersion.Version11, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
                    request.Headers.TryAddWithoutValidation("Accept", accept);
                    if (write is not null)
                        request.Content = new ReadOnlyMemoryContent(body.WrittenMemory) { Headers = { ContentType = new MediaTypeHeaderValue("application/json") } };
                    return request;
                },
                request => _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel)).ConfigureAwait(false);
        }
        catch (HttpRequestException fault)
        {
            throw EngineException.Failed($"The engine could not be reached: {fault.Message}", fault);
        }
        catch (OperationCanceledException fault) when (!cancel.IsCancellationRequested)
        {
            throw EngineException.Failed("The engine could not be reached: connecting took too long.", fault);
        }

        if (response.StatusCode == HttpStatusCode.OK)
            return response;
        using (response)
            throw await RefusalOf(response, cancel).ConfigureAwait(false);
    }

    private static async Task<EngineException> RefusalOf(HttpResponseMessage response, CancellationToken cancel)
    {
        int status = (int)response.StatusCode;
        string said;
        try
        {
            (byte[] body, _) = await ReadAsync(response, MaxErrorBody, cancel).ConfigureAwait(false);
            said = MessageOf(body);
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException)
        {
            said = "the answer broke off";
        }

        string text = string.Create(CultureInfo.InvariantCulture, $"HTTP {status}: {said}");
        return status switch
        {
            429 or 503 => Refusal(BusinessCode.Overloaded, $"The engine is overloaded or not ready: {text}", StartFault.Busy, response),
            400 or 413 or 422 => Refusal(BusinessCode.CallIncorrect, $"The engine refused the request: {text}", StartFault.Request, response),
            _ => Refusal(BusinessCode.Network, $"The engine failed: {text}", StartFault.Backend, response),
        };
    }

    private static EngineException Refusal(BusinessCode code, string message, StartFault fault, HttpResponseMessage response) =>
        new(new PlatformError(code, message) { RetryAfter = response.Headers.RetryAfter?.Delta }, fault) { Status = (int)response.StatusCode };

    /// <summary>A body up to a length, and whether that is all of it.</summary>
    private static async Task<(byte[] Body, bool Whole)> ReadAsync(HttpResponseMessage response, int limit, CancellationToken cancel)
    {
        try
        {
            await using Stream stream = await response.Content.ReadAsStreamAsync(cancel).ConfigureAwait(false);
            using MemoryStream body = new();
            byte[] buffer = new byte[8192];
            int read;
            while ((read = await stream.ReadAsync(buffer, cancel).ConfigureAwait(false)) > 0)
            {
                body.Write(buffer, 0, (int)Math.Min(read, limit - body.Length));
                if (body.Length >= limit)
                    return (body.ToArray(), false);
            }

            return (body.ToArray(), true);
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException)
        {
            throw EngineException.Failed($"The engine's answer broke off: {fault.Message}", fault);
        }
    }

    /// <summary>What an error's body says, in one bounded line.</summary>
    internal static string MessageOf(ReadOnlySpan<byte> body)
    {
        string text = Encoding.UTF8.GetString(body);
        try
        {
            using JsonDocument document = JsonDocument.Parse(text);
            text = MessageOf(document.RootElement) ?? text;
        }
        catch (JsonException)
        {
            // Not every proxy before an engine speaks JSON; its text is told as it is.
        }

        return OneLine(text);
    }

    /// <summary>The message in an error object as the engines write it; null when there is none.</summary>
    internal static string? MessageOf(JsonElement error)
    {
        for (int depth = 0; depth < 4 && error.ValueKind == JsonValueKind.Object; depth++)
        {
            if (!error.TryGetProperty("error", out JsonElement inner) && !error.TryGetProperty("message", out inner) && !error.TryGetProperty("detail", out inner))
                return null;
            error = inner;
        }

        return error.ValueKind == JsonValueKind.String ? error.GetString() : null;
    }

    /// <summary>A foreign text as one bounded line without control characters.</summary>
    internal static string OneLine(string text)
    {
        StringBuilder line = new();
        foreach (char c in text)
        {
            if (line.Length >= MaxToldError)
                return line.Append('…').ToString();
            line.Append(char.IsControl(c) || char.IsSurrogate(c) ? ' ' : c);
        }

        return line.ToString().Trim();
    }
}
