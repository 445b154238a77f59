namespace Glimmer.Client;

/// <summary>How a client calls.</summary>
public sealed record GlimmerClientOptions
{
    /// <summary>Base of the international platform, the default.</summary>
    public static Uri ZaiBase { get; } = new("https://api.z.ai/api/paas/v4");

    /// <summary>Base of the Chinese platform.</summary>
    public static Uri BigModelBase { get; } = new("https://open.bigmodel.cn/api/paas/v4");

    /// <summary>The key, <c>id.secret</c>; null takes the environment variable <c>ZAI_API_KEY</c>.</summary>
    public string? ApiKey { get; init; }

    /// <summary>The base, up to and with <c>/api/paas/v4</c> or <c>/api/coding/paas/v4</c>; null takes <c>ZAI_BASE_URL</c>, then <see cref="ZaiBase"/>.</summary>
    public Uri? BaseUrl { get; init; }

    /// <summary>Whether the key's secret signs a short-lived token and stays here; otherwise the key itself is sent.</summary>
    public bool SignTokens { get; init; }

    /// <summary>How long one token is valid. A new one is made half a minute before that.</summary>
    public TimeSpan TokenLifetime { get; init; } = TimeSpan.FromSeconds(210);

    /// <summary>How often a request is sent again, at most.</summary>
    public int MaxRetries { get; init; } = 3;

    /// <summary>Wait before the second try; it doubles with every further one.</summary>
    public TimeSpan FirstDelay { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>Longest wait of its own making.</summary>
    public TimeSpan MaxDelay { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>Longest wait that a <c>Retry-After</c> may ask for; when it asks for more, the error is thrown.</summary>
    public TimeSpan MaxRetryAfter { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long one try may take: until the whole answer, or in a stream until the next bytes.</summary>
    public TimeSpan TryTimeout { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>Language of error messages, as <c>Accept-Language</c>; null for the server's choice.</summary>
    public string? Language { get; init; }

    /// <summary>Clock of tokens and waits.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <inheritdoc/>
    public override string ToString() => $"{nameof(GlimmerClientOptions)} {{ {nameof(BaseUrl)} = {BaseUrl} }}"; // never the key
}
