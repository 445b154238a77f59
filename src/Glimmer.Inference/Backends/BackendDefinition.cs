namespace Glimmer.Inference.Backends;

/// <summary>What speaks at the other end.</summary>
public enum BackendKind
{
    /// <summary>vLLM: tokens to <c>/v1/completions</c>.</summary>
    Vllm,

    /// <summary>SGLang: tokens to <c>/generate</c>.</summary>
    SGLang,

    /// <summary>llama.cpp's server: tokens to <c>/completion</c>.</summary>
    LlamaServer,

    /// <summary>Any service with OpenAI's chat completions.</summary>
    OpenAI,

    /// <summary>Any service with Anthropic's messages.</summary>
    Anthropic,

    /// <summary>Z.AI, BigModel or another Glimmer: the platform's own dialect.</summary>
    Zai,
}

/// <summary>A service of the operator's that answers chat requests.</summary>
public sealed record BackendDefinition
{
    /// <summary>Its name in logs, traces and the administration, unique: letters, digits, <c>-</c>, <c>_</c> and <c>.</c>, at most 64.</summary>
    public required string Name { get; init; }

    /// <summary>What it speaks.</summary>
    public required BackendKind Kind { get; init; }

    /// <summary>Base address, with a path where the service has one (<c>https://api.z.ai/api/paas/v4</c>). The operator's word: private addresses are fine.</summary>
    public required Uri Url { get; init; }

    /// <summary>Key sent to it; null for none. Never logged or shown.</summary>
    public string? ApiKey { get; init; }

    /// <summary>Headers sent with every request besides the key's.</summary>
    public IReadOnlyDictionary<string, string> Headers { get; init; } = System.Collections.Immutable.ImmutableDictionary<string, string>.Empty;

    /// <summary>What it answers for, at least one.</summary>
    public required IReadOnlyList<BackendModel> Models { get; init; }

    /// <summary>Its share of the requests among backends of one model, 0 to 1000: 0 takes requests only when no other can.</summary>
    public int Weight { get; init; } = 100;

    /// <summary>Most requests in flight at it, at least 1; more go to another or wait.</summary>
    public int MaxInFlight { get; init; } = 256;

    /// <summary>Whether a raw kind is asked by its chat endpoint, with its own template and parser, in place of tokens.</summary>
    public bool ChatMode { get; init; }

    /// <summary>Which addresses of pictures and films it is handed; null for <see cref="Backends.MediaAddresses.None"/> with engines and <see cref="Backends.MediaAddresses.Public"/> with services.</summary>
    public MediaAddresses? MediaAddresses { get; init; }

    /// <summary>How long a connection may take.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long the first token may take.</summary>
    public TimeSpan FirstTokenTimeout { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>How long a begun stream may be silent.</summary>
    public TimeSpan StallTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Its name, kind and address: neither key nor headers.</summary>
    public override string ToString() => $"{Name} ({Kind} at {Url})";
}

/// <summary>What a model of a backend does.</summary>
public enum BackendModelKind
{
    /// <summary>Answers chat requests.</summary>
    Chat,

    /// <summary>Turns texts into vectors. Services with OpenAI's <c>/embeddings</c> only: every kind but <see cref="BackendKind.Anthropic"/>.</summary>
    Embedding,
}

/// <summary>A model of a backend.</summary>
public sealed record BackendModel
{
    /// <summary>What it does.</summary>
    public BackendModelKind Kind { get; init; }

    /// <summary>Code that clients ask for.</summary>
    public required string Code { get; init; }

    /// <summary>What the backend calls it; null for the code.</summary>
    public string? Name { get; init; }

    /// <summary>Name of the chat generation that its prompts are written in; null for the one that the code names. Raw kinds only.</summary>
    public string? Generation { get; init; }

    /// <summary>A <c>tokenizer.json</c>, a GGUF, or a folder that holds one; null asks the catalogue of local models. Raw kinds only.</summary>
    public string? Tokenizer { get; init; }

    /// <summary>Most tokens of prompt and answer; null for what the backend says.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Numbers of a vector; null for what the backend says with its first answer. Embeddings only.</summary>
    public int? Dimensions { get; init; }
}
