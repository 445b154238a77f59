namespace Glimmer.Client;

/// <summary>A client of the platform, or of a server that speaks as it does. Safe for many threads; make one and keep it.</summary>
public sealed class GlimmerClient : IDisposable
{
    private readonly HttpClient? _own;

    /// <summary>A client.</summary>
    /// <param name="options">How it calls; null takes key and base from the environment.</param>
    /// <param name="http">What it sends with; it stays the caller's. Null for one of its own.</param>
    /// <exception cref="ArgumentException">There is no key, or the base is no http(s) address.</exception>
    public GlimmerClient(GlimmerClientOptions? options = null, HttpClient? http = null)
    {
        options ??= new GlimmerClientOptions();
        string? key = options.ApiKey ?? Environment.GetEnvironmentVariable("ZAI_API_KEY");
        if (string.IsNullOrWhiteSpace(key))
            throw new ArgumentException("There is no key: set ApiKey, or the environment variable ZAI_API_KEY.", nameof(options));
        BaseUrl = options.BaseUrl ?? FromEnvironment() ?? GlimmerClientOptions.ZaiBase;
        if (!BaseUrl.IsAbsoluteUri || BaseUrl.Scheme is not ("http" or "https"))
            throw new ArgumentException($"The base {BaseUrl} is no http(s) address such as {GlimmerClientOptions.ZaiBase}.", nameof(options));
        ArgumentOutOfRangeException.ThrowIfNegative(options.MaxRetries, nameof(options));

        // Tries have their own time limit: this one would end a long stream.
        http ??= _own = new HttpClient(new SocketsHttpHandler { PooledConnectionLifetime = TimeSpan.FromMinutes(5), ConnectTimeout = TimeSpan.FromSeconds(10) }) { Timeout = Timeout.InfiniteTimeSpan };
        var transport = new Transport(http, BaseUrl, new Credential(key.Trim(), options), options);
        Chat = new ChatClient(transport);
        Async = new AsyncChatClient(transport, options.Time);
        Models = new ModelsClient(transport);
        Tokenizer = new TokenizerClient(transport);
        Embeddings = new EmbeddingsClient(transport);
        Rerank = new RerankClient(transport);
        Billing = new BillingClient(transport);
        Monitor = new MonitorClient(transport);
    }

    /// <summary>Where it calls.</summary>
    public Uri BaseUrl { get; }

    /// <summary>Chat.</summary>
    public ChatClient Chat { get; }

    /// <summary>Chat whose answer is fetched later.</summary>
    public AsyncChatClient Async { get; }

    /// <summary>Models.</summary>
    public ModelsClient Models { get; }

    /// <summary>Counting tokens.</summary>
    public TokenizerClient Tokenizer { get; }

    /// <summary>Vectors of texts.</summary>
    public EmbeddingsClient Embeddings { get; }

    /// <summary>Ranking documents.</summary>
    public RerankClient Rerank { get; }

    /// <summary>Balance and usage of the account (Glimmer only).</summary>
    public BillingClient Billing { get; }

    /// <summary>Quota and usage of a coding plan.</summary>
    public MonitorClient Monitor { get; }

    /// <summary>Closes the connections, where they are its own.</summary>
    public void Dispose() => _own?.Dispose();

    private static Uri? FromEnvironment()
    {
        string? address = Environment.GetEnvironmentVariable("ZAI_BASE_URL");
        if (string.IsNullOrWhiteSpace(address))
            return null;
        return Uri.TryCreate(address.Trim(), UriKind.Absolute, out Uri? uri) ? uri : throw new ArgumentException($"ZAI_BASE_URL is no address: {address}");
    }
}
