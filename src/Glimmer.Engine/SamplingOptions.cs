namespace Glimmer.Engine;

/// <summary>How the next token is chosen. Applied in this order: bias, penalties, temperature, top-k, top-p, min-p.</summary>
public sealed record SamplingOptions
{
    /// <summary>Always the most likely token; everything below but penalties and bias is ignored.</summary>
    public bool Greedy { get; init; }

    /// <summary>Softmax temperature, above 0; 1 leaves the distribution alone. 0 means <see cref="Greedy"/>.</summary>
    public float Temperature { get; init; } = 1;

    /// <summary>Keep the smallest set of tokens whose probability reaches this; 1 is off.</summary>
    public float TopP { get; init; } = 1;

    /// <summary>Keep the k most likely tokens; 0 is off.</summary>
    public int TopK { get; init; }

    /// <summary>Drop tokens less likely than this share of the most likely one; 0 is off.</summary>
    public float MinP { get; init; }

    /// <summary>Divides (positive) or multiplies (negative) the logits of tokens seen before; 1 is off.</summary>
    public float RepetitionPenalty { get; init; } = 1;

    /// <summary>Subtracted once from the logit of every token generated before.</summary>
    public float PresencePenalty { get; init; }

    /// <summary>Subtracted from the logit of a token for every time it was generated.</summary>
    public float FrequencyPenalty { get; init; }

    /// <summary>Added to the logits of single tokens.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>Seed of the random numbers; null takes a fresh one. The same seed and request give the same answer, whatever else runs.</summary>
    public ulong? Seed { get; init; }
}
