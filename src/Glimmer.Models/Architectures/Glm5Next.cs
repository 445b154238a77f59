using Glimmer.Models.Configuration;
using Glimmer.Models.Layers;

namespace Glimmer.Models.Architectures;

/// <summary>
/// GLM-5.3-Flash, text part: linear attention in most layers, latent attention over pooled choices in the others, several
/// residual streams, mixture of experts. It has no position encoding.
/// </summary>
internal sealed class Glm5Next : Architecture
{
    /// <inheritdoc/>
    public override string Name => "glm5_next";

    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["glm5_next", "glm5_next_text"];

    /// <inheritdoc/>
    public override ModelConfig ReadConfig(IConfigReader reader)
    {
        ModelConfig config = reader.Common(Name);
        LatentConfig latent = reader.Latent();
        if (latent.RopeDim != 0)
            throw new ModelFileException(reader.File, $"\"qk_rope_head_dim\" is {latent.RopeDim}; it must be 0 for {Name}.");
        LinearAttentionConfig linear = reader.Linear(config.Layers);
        IndexerConfig indexer = reader.Indexer(config.Layers);
        for (int layer = 0; layer < config.Layers; layer++)
        {
            if (linear.Layers[layer])
                continue;
            indexer.RequireFull(reader.File, layer);
            break;
        }

        return config with
        {
            Latent = latent,
            Linear = linear,
            Indexer = indexer,
            Hyper = reader.Hyper(),
            SwigluLimit = reader.SwigluLimit(),
            Moe = reader.Moe(config.Layers),
        };
    }

    /// <inheritdoc/>
    public override DecoderLayer BuildLayer(LayerBuilder builder) =>
        new HyperLayer(builder, builder.Config.Linear!.Layers[builder.Layer] ? new KimiDeltaAttention(builder) : Sparse(builder, builder.Config.Indexer!.Full[builder.Layer]), builder.FeedForward());

    /// <inheritdoc/>
    public override DecoderLayer BuildNextNLayer(LayerBuilder builder) =>
        new ResidualLayer(builder, Sparse(builder, full: true), builder.FeedForward());

    private static LatentAttention Sparse(LayerBuilder builder, bool full) =>
        new(builder, full ? new PooledIndexer(builder) : null, sparse: true);
}
