using System.Net;
using System.Net.Http.Headers;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay.Errors;

namespace Glimmer.Inference.Relay;

/// <summary>The connections to one service. Redirects are not followed, no proxy and no cookies are used, and nothing is compressed.</summary>
internal sealed class Upstream : IDisposable
{
    private readonly BackendDefinition _definition;
    private readonly HttpMessageInvoker _http;
    private readonly string _agent = $"Glimmer/{typeof(Upstream).Assembly.GetName().Version?.ToString(3)}";

    /// <summary>Connections for a definition.</summary>
    /// <exception cref="ArgumentException">The address, the key or a header can't be used.</exception>
    public Upstream(BackendDefinition definition)
    {
        _definition = definition;
        Check(definition);
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseProxy = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = definition.ConnectTimeout,
            EnableMultipleHttp2Connections = true,
            MaxConnectionsPerServer = int.MaxValue,

            // Names may move to other addresses.
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),

            // The engines' own servers close a connection that was idle for 5 s, services after a minute as a rule.
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(definition.Kind is BackendKind.Vllm or BackendKind.SGLang or BackendKind.LlamaServer ? 3 : 55),
            ActivityHeadersPropagator = null,

            // After an answer its last bytes are on their way, and the connection can be kept; one that is given up must end now.
            ResponseDrainTimeout = TimeSpan.FromMilliseconds(100),
        });

        // Shorter values say where or what, and are parts of ordinary words.
        Secrets = new Secrets([definition.ApiKey, .. definition.Headers.Values.Where(static value => value.Length >= 8)]);
    }

    /// <summary>What must not be told.</summary>
    public Secrets Secrets { get; }

    /// <summary>The address of an operation: the base's path, then its own; a query of the base stays.</summary>
    /// <param name="operation">Path below the base, without a slash before it.</param>
    /// <param name="version">A folder that the operation stands in and that the base may name or not; empty for none.</param>
    /// <param name="beside">Whether the operation stands beside that folder.</param>
    public Uri For(string operation, string version = "", bool beside = false)
    {
        string path = _definition.Url.AbsolutePath.TrimEnd('/');
        if (version.Length > 0 && path.EndsWith("/" + version, StringComparison.OrdinalIgnoreCase))
            path = path[..^(version.Length + 1)];
        if (version.Length > 0 && !beside)
            path = $"{path}/{version}";
        return new UriBuilder(_definition.Url) { Path = $"{path}/{operation}" }.Uri;
    }

    /// <summary>Sends a request; the response is there with its headers, and its body is still to come.</summary>
    /// <param name="address">Where to.</param>
    /// <param name="body">JSON; null asks with GET.</param>
    /// <param name="accept">Media type that is wanted.</param>
    /// <param name="cancel">Ends the request.</param>
    public Task<HttpResponseMessage> SendAsync(Uri address, ReadOnlyMemory<byte>? body, string accept, CancellationToken cancel) =>
        ClosedConnection.SendAsync(() => Make(address, body, accept), request => _http.SendAsync(request, cancel));

    /// <summary>Reads a body up to a bound; a longer one is cut.</summary>
    public static async Task<byte[]> ReadAsync(HttpResponseMessage response, int most, CancellationToken cancel)
    {
        await using Stream stream = await response.Content.ReadAsStreamAsync(cancel);
        using MemoryStream body = new();
        byte[] buffer = new byte[8 << 10];
        int read;
        while (body.Length < most && (read = await stream.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, most - body.Length)), cancel)) > 0)
            body.Write(buffer.AsSpan(0, read));
        return body.ToArray();
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    private HttpRequestMessage Make(Uri address, ReadOnlyMemory<byte>? body, string accept)
    {
        // HTTP/2 where the other end offers it over TLS; over plain TCP nobody can be asked, and 1.1 is spoken.
        var request = new HttpRequestMessage(body is null ? HttpMethod.Get : HttpMethod.Post, address)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionOrLower,
        };
        if (body is { } bytes)
        {
            request.Content = new ReadOnlyMemoryContent(bytes);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        }

        HttpRequestHeaders headers = request.Headers;
        headers.TryAddWithoutValidation("Accept", accept);
        headers.TryAddWithoutValidation("User-Agent", _agent);
        if (_definition.Kind == BackendKind.Anthropic && !Overrides("anthropic-version"))
            headers.TryAddWithoutValidation("anthropic-version", "2023-06-01");
        if (_definition.ApiKey is { Length: > 0 } key)
        {
            if (_definition.Kind == BackendKind.Anthropic && !Overrides("x-api-key"))
                headers.TryAddWithoutValidation("x-api-key", key);
            else if (_definition.Kind != BackendKind.Anthropic && !Overrides("Authorization"))
                headers.TryAddWithoutValidation("Authorization", "Bearer " + key);
        }

        foreach ((string name, string value) in _definition.Headers)
        {
            headers.Remove(name);
            headers.TryAddWithoutValidation(name, value);
        }

        return request;
    }

    private bool Overrides(string name) => _definition.Headers.Keys.Any(key => string.Equals(key, name, StringComparison.OrdinalIgnoreCase));

    private static void Check(BackendDefinition definition)
    {
        if (!definition.Url.IsAbsoluteUri || definition.Url.Scheme is not ("http" or "https"))
            throw new ArgumentException($"The backend {definition.Name} has the address {definition.Url}. Give one that begins with http:// or https://.", nameof(definition));
        if (definition.Url.UserInfo.Length > 0)
            throw new ArgumentException($"The address of the backend {definition.Name} holds a user or a password. Give the key as its API key.", nameof(definition));
        if (definition.ApiKey is { } key && !key.All(static c => c is > ' ' and < '\x7f'))
            throw new ArgumentException($"The API key of the backend {definition.Name} holds blanks, control characters or characters beyond ASCII.", nameof(definition));
        foreach ((string name, string value) in definition.Headers)
        {
            if (name.Length == 0 || !name.All(static c => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal)))
                throw new ArgumentException($"The backend {definition.Name} has a header whose name is not possible: use letters, digits and -.", nameof(definition));
            if (!value.All(static c => c is >= ' ' and < '\x7f' or '\t'))
                throw new ArgumentException($"The header {name} of the backend {definition.Name} holds control characters or characters beyond ASCII.", nameof(definition));
            using HttpRequestMessage trial = new();
            if (!trial.Headers.TryAddWithoutValidation(name, value))
                throw new ArgumentException($"The header {name} of the backend {definition.Name} describes a body, which the connection does itself; leave it out.", nameof(definition));
        }
    }
}
