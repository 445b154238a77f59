using Glimmer.Engine;

namespace Glimmer.Inference.Remote;

/// <summary>A run of tokens asked of an engine.</summary>
internal sealed record EngineRequest
{
    /// <summary>What the engine calls the model; null when it has one only and was given no name for it.</summary>
    public required string? Model { get; init; }

    /// <summary>Ids of the prompt, and of what was said already.</summary>
    public required IReadOnlyList<int> Prompt { get; init; }

    /// <summary>How tokens are chosen.</summary>
    public required SamplingOptions Sampling { get; init; }

    /// <summary>Most tokens, at least 1.</summary>
    public required int MaxTokens { get; init; }

    /// <summary>Ids that end the run.</summary>
    public required IReadOnlyCollection<int> StopTokens { get; init; }

    /// <summary>Most likely tokens to tell with each; null for none.</summary>
    public int? TopLogProbs { get; init; }

    /// <summary>What the text must be, in GBNF; null for anything.</summary>
    public string? Grammar { get; init; }

    /// <summary>Most tokens of prompt and answer.</summary>
    public required int ContextLength { get; init; }
}
