using Glimmer.Kernels;

namespace Glimmer.Models.Configuration;

/// <summary>YaRN interpolation of the rotary frequencies (arXiv 2309.00071).</summary>
/// <param name="Factor">Stretch of the context, at least 1.</param>
/// <param name="OriginalContext">Positions the model was trained on.</param>
/// <param name="BetaFast">Rotations above which a frequency is kept.</param>
/// <param name="BetaSlow">Rotations below which a frequency is divided by the factor.</param>
/// <param name="AttentionFactor">Multiplies cos and sin.</param>
/// <param name="Truncate">Whether the border dimensions are rounded outwards.</param>
internal sealed record YarnConfig(double Factor, int OriginalContext, double BetaFast, double BetaSlow, double AttentionFactor, bool Truncate);

/// <summary>Rotary position embedding of the first <see cref="Dimensions"/> components of a head.</summary>
/// <param name="Dimensions">Rotated components, even.</param>
/// <param name="Theta">Base of the frequencies.</param>
/// <param name="Pairing">Which components turn together.</param>
/// <param name="LinearFactor">Positions are divided by it; 1 for none.</param>
/// <param name="Yarn">YaRN, when configured.</param>
internal sealed record RopeConfig(int Dimensions, double Theta, RotaryPairing Pairing, double LinearFactor, YarnConfig? Yarn);

/// <summary>Heads of ordinary (grouped-query) attention.</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">Key and value heads; divides <paramref name="Heads"/>.</param>
/// <param name="HeadDim">Width of a head.</param>
/// <param name="Bias">Whether q, k and v must have biases; null when the file's tensors decide.</param>
/// <param name="QkNorm">Whether q and k are normalised per head before rotation; null when the file's tensors decide.</param>
internal sealed record AttentionConfig(int Heads, int KvHeads, int HeadDim, bool? Bias, bool? QkNorm);

/// <summary>Multi-head latent attention.</summary>
/// <param name="QueryRank">Width of the query latent.</param>
/// <param name="KvRank">Width of the cached latent.</param>
/// <param name="NopeDim">Unrotated part of a head.</param>
/// <param name="RopeDim">Rotated part of a head, shared key; 0 for models without rotation.</param>
/// <param name="ValueDim">Width of a value head.</param>
internal sealed record LatentConfig(int QueryRank, int KvRank, int NopeDim, int RopeDim, int ValueDim);

/// <summary>The lightning indexer that chooses which positions sparse attention sees.</summary>
/// <param name="Heads">Indexer heads.</param>
/// <param name="HeadDim">Width of an indexer head.</param>
/// <param name="TopK">Positions chosen per token.</param>
/// <param name="Full">Per layer: whether it has an indexer of its own or takes over the choice of the layer before.</param>
/// <param name="Pool">Tokens per pooled key; 1 for none.</param>
internal sealed record IndexerConfig(int Heads, int HeadDim, int TopK, IReadOnlyList<bool> Full, int Pool)
{
    /// <summary>Most positions a token can be left with: with pools, the incomplete one at the end comes on top.</summary>
    public int MostChosen => TopK + Pool - 1;

    /// <summary>Refuses a schedule in which the first layer that needs a choice has none to take over.</summary>
    public void RequireFull(string file, int layer)
    {
        if (!Full[layer])
            throw new ModelFileException(file, $"layer {layer} shares the choice of an earlier layer's indexer, but there is none before it; it must be full.");
    }
}

/// <summary>Mixture of experts.</summary>
/// <param name="Experts">Routed experts.</param>
/// <param name="PerToken">Experts chosen per token.</param>
/// <param name="ExpertWidth">Inner width of an expert.</param>
/// <param name="SharedExperts">Experts every token uses, as one of that many times the width; 0 for none.</param>
/// <param name="Groups">Groups of experts.</param>
/// <param name="GroupsKept">Groups a token may choose from.</param>
/// <param name="Normalise">Whether the weights of the chosen are divided by their sum.</param>
/// <param name="Scale">Factor on the weights after that.</param>
/// <param name="Score">What the router makes of its logits.</param>
/// <param name="Sparse">Per trunk layer: whether it has experts or is dense.</param>
internal sealed record MoeConfig(
    int Experts,
    int PerToken,
    int ExpertWidth,
    int SharedExperts,
    int Groups,
    int GroupsKept,
    bool Normalise,
    double Scale,
    ExpertGating Score,
    IReadOnlyList<bool> Sparse);

/// <summary>Kimi delta attention: linear attention with a decaying state.</summary>
/// <param name="Heads">Heads.</param>
/// <param name="HeadDim">Width of keys and values.</param>
/// <param name="Kernel">Taps of the causal convolution.</param>
/// <param name="LowerBound">Scale of the log decay; null for the softplus form.</param>
/// <param name="Layers">Per trunk layer: whether it is linear.</param>
internal sealed record LinearAttentionConfig(int Heads, int HeadDim, int Kernel, double? LowerBound, IReadOnlyList<bool> Layers);

/// <summary>Manifold-constrained hyper-connections: several residual streams.</summary>
/// <param name="Streams">Residual streams per token.</param>
/// <param name="Epsilon">Added to gates and sums.</param>
/// <param name="SinkhornSteps">Normalisations of the mixing matrix.</param>
internal sealed record HyperConnectionConfig(int Streams, double Epsilon, int SinkhornSteps);

/// <summary>Everything the numbers of a model file say, checked, in one vocabulary for all formats.</summary>
internal sealed record ModelConfig
{
    /// <summary>The file it was read from.</summary>
    public required string File { get; init; }

    /// <summary>Canonical name of the architecture.</summary>
    public required string Architecture { get; init; }

    /// <summary>Rows of the embedding, padding included.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Trunk layers.</summary>
    public required int Layers { get; init; }

    /// <summary>Next-n (MTP) layers the file may hold after the trunk.</summary>
    public int NextNLayers { get; init; }

    /// <summary>Inner width of dense feed-forward layers.</summary>
    public required int FeedForwardWidth { get; init; }

    /// <summary>Longest sequence the positions were made for.</summary>
    public required int ContextLength { get; init; }

    /// <summary>Epsilon of the RMS norms.</summary>
    public required float NormEpsilon { get; init; }

    /// <summary>Whether the output matrix is the embedding; null when the presence of an output matrix decides.</summary>
    public bool? TiedEmbeddings { get; init; }

    /// <summary>Heads.</summary>
    public required AttentionConfig Attention { get; init; }

    /// <summary>Rotation; null for models without.</summary>
    public RopeConfig? Rope { get; init; }

    /// <summary>Latent attention, where used.</summary>
    public LatentConfig? Latent { get; init; }

    /// <summary>Indexer, where used.</summary>
    public IndexerConfig? Indexer { get; init; }

    /// <summary>Experts, where used.</summary>
    public MoeConfig? Moe { get; init; }

    /// <summary>Linear attention, where used.</summary>
    public LinearAttentionConfig? Linear { get; init; }

    /// <summary>Residual streams, where there are several.</summary>
    public HyperConnectionConfig? Hyper { get; init; }

    /// <summary>Bound on gate and up values before SwiGLU; null for none.</summary>
    public float? SwigluLimit { get; init; }
}
