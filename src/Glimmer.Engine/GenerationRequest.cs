using Glimmer.Dialogue.Constraints;

namespace Glimmer.Engine;

/// <summary>One continuation to generate.</summary>
public sealed record GenerationRequest
{
    /// <summary>Token ids of the prompt, at least one.</summary>
    public required IReadOnlyList<int> Prompt { get; init; }

    /// <summary>How tokens are chosen.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Most tokens to generate, at least 1; the context's end may come first.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>Ids that end the turn. They are handed to the sink, as the last token.</summary>
    public required IReadOnlySet<int> StopTokens { get; init; }

    /// <summary>What may be said; null for anything.</summary>
    public ITokenConstraint? Constraint { get; init; }

    /// <summary>Who asks: places in the batch are shared fairly between tenants.</summary>
    public string Tenant { get; init; } = "";

    /// <summary>
    /// How many of the most likely tokens to report with each token, 0 for the chosen one alone; null reports none.
    /// The <see cref="Sink"/> must then be an <see cref="ILogProbSink"/>. At most 20.
    /// </summary>
    public int? TopLogProbs { get; init; }

    /// <summary>Receives the tokens.</summary>
    public required ITokenSink Sink { get; init; }
}

/// <summary>How a generation ended.</summary>
public enum GenerationEnd
{
    /// <summary>A stop token came.</summary>
    StopToken,

    /// <summary>The sink said it has enough (a stop string, a complete answer).</summary>
    SinkSatisfied,

    /// <summary><see cref="GenerationRequest.MaxTokens"/> were made.</summary>
    MaxTokens,

    /// <summary>The context window is full.</summary>
    ContextFull,

    /// <summary>The caller cancelled.</summary>
    Cancelled,

    /// <summary>The engine is stopping.</summary>
    Shutdown,

    /// <summary>The engine failed; the log has the cause.</summary>
    Fault,
}

/// <summary>What a generation cost.</summary>
/// <param name="PromptTokens">Tokens of the prompt.</param>
/// <param name="CachedTokens">Of those, tokens whose cache rows were really reused.</param>
/// <param name="GeneratedTokens">Tokens sampled, the stop token included.</param>
public readonly record struct GenerationUsage(int PromptTokens, int CachedTokens, int GeneratedTokens);

/// <summary>
/// Receives a generation's tokens, one call at a time, on the engine's thread: implementations are quick and never
/// block. That is what makes a stop string end the generation at its token, and a count exact.
/// </summary>
public interface ITokenSink
{
    /// <summary>The prompt is in the cache; the first token follows. Called once.</summary>
    void OnPrefilled(int promptTokens, int cachedTokens);

    /// <summary>The next token. Returns false to end the generation here.</summary>
    bool OnToken(int token);

    /// <summary>The end, called exactly once, also when the generation never began.</summary>
    void OnEnded(GenerationEnd end, GenerationUsage usage);
}
