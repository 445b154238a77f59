using Glimmer.Models.Configuration;
using Glimmer.Models.Layers;
using Glimmer.Models.Loading;

namespace Glimmer.Models.Architectures;

/// <summary>GLM-5, 5.1, 5.2: latent attention over the tokens an indexer chooses, mixture of experts.</summary>
internal sealed class GlmMoeDsa : Architecture
{
    /// <inheritdoc/>
    public override string Name => "glm_moe_dsa";

    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["glm_moe_dsa"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> GgufArchitectures => ["glm-dsa"];

    /// <inheritdoc/>
    public override ITensorNames GgufTensors => GgufNames.With(("post_attention_layernorm", "ffn_norm"));

    /// <inheritdoc/>
    public override ModelConfig ReadConfig(IConfigReader reader)
    {
        ModelConfig config = reader.Common(Name);
        LatentConfig latent = reader.Latent();
        IndexerConfig indexer = reader.Indexer(config.Layers);
        if (indexer.HeadDim < latent.RopeDim)
            throw new ModelFileException(reader.File, $"the indexer's heads of {indexer.HeadDim} are narrower than the {latent.RopeDim} components to rotate.");
        return config with
        {
            Latent = latent,
            Indexer = indexer,
            Rope = reader.LatentRope(latent),
            Moe = reader.Moe(config.Layers),
        };
    }

    /// <inheritdoc/>
    public override DecoderLayer BuildLayer(LayerBuilder builder)
    {
        bool full = builder.Config.Indexer!.Full[builder.Layer];
        LightningIndexer? indexer = full ? new LightningIndexer(builder) : null;
        return new ResidualLayer(builder, new LatentAttention(builder, indexer, sparse: true), builder.FeedForward());
    }

    /// <inheritdoc/>
    public override DecoderLayer BuildNextNLayer(LayerBuilder builder)
    {
        // Without an indexer of its own the layer sees everything.
        LightningIndexer? indexer = builder.Has("self_attn.indexer.wq_b.weight") ? new LightningIndexer(builder) : null;
        return new ResidualLayer(builder, new LatentAttention(builder, indexer, sparse: indexer is not null), builder.FeedForward());
    }
}
