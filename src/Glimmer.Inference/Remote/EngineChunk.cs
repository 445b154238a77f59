namespace Glimmer.Inference.Remote;

/// <summary>Why an engine ended a run.</summary>
internal enum EngineFinish
{
    /// <summary>It has not.</summary>
    None,

    /// <summary>A token that ends turns.</summary>
    Stop,

    /// <summary>The limit of tokens.</summary>
    Length,

    /// <summary>The context is full.</summary>
    ContextFull,

    /// <summary>It failed; <see cref="EngineChunk.Error"/> says how.</summary>
    Fault,
}

/// <summary>A token that an engine said.</summary>
/// <param name="Id">Its id.</param>
/// <param name="LogProb">Natural logarithm of its probability; null when the engine did not tell.</param>
/// <param name="Top">The most likely tokens in its place, in no order; empty when not told.</param>
internal readonly record struct EngineToken(int Id, float? LogProb, IReadOnlyList<(int Id, float LogProb)> Top);

/// <summary>One event of an engine's stream; used again for the next.</summary>
internal sealed class EngineChunk
{
    /// <summary>What was said, in order.</summary>
    public List<EngineToken> Tokens { get; } = [];

    /// <summary>Why it ended.</summary>
    public EngineFinish Finish { get; set; }

    /// <summary>The token that ended it, where the engine names it apart from the others.</summary>
    public int? StopToken { get; set; }

    /// <summary>Tokens of the prompt by the engine's count.</summary>
    public int? PromptTokens { get; set; }

    /// <summary>Tokens said so far by the engine's count.</summary>
    public int? CompletionTokens { get; set; }

    /// <summary>Tokens of the prompt that were in the cache.</summary>
    public int? CachedTokens { get; set; }

    /// <summary>What the engine said of its failure.</summary>
    public string? Error { get; set; }

    /// <summary>Forgets everything.</summary>
    public void Clear()
    {
        Tokens.Clear();
        Finish = EngineFinish.None;
        StopToken = PromptTokens = CompletionTokens = CachedTokens = null;
        Error = null;
    }

    /// <summary>Notes a failure.</summary>
    public void Fail(string error) => (Finish, Error) = (EngineFinish.Fault, error);
}
