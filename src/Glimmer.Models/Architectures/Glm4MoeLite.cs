using Glimmer.Models.Configuration;
using Glimmer.Models.Layers;
using Glimmer.Models.Loading;

namespace Glimmer.Models.Architectures;

/// <summary>GLM-4.7-Flash: latent attention, mixture of experts.</summary>
internal sealed class Glm4MoeLite : Architecture
{
    /// <inheritdoc/>
    public override string Name => "glm4_moe_lite";

    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["glm4_moe_lite"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> GgufArchitectures => ["deepseek2", "glm4moelite"];

    /// <inheritdoc/>
    public override ITensorNames GgufTensors => GgufNames.With(("post_attention_layernorm", "ffn_norm"));

    /// <inheritdoc/>
    public override ModelConfig ReadConfig(IConfigReader reader)
    {
        ModelConfig config = reader.Common(Name);
        LatentConfig latent = reader.Latent();
        return config with
        {
            Latent = latent,
            Rope = reader.LatentRope(latent),
            Moe = reader.Moe(config.Layers),
        };
    }

    /// <inheritdoc/>
    public override DecoderLayer BuildLayer(LayerBuilder builder) =>
        new ResidualLayer(builder, new LatentAttention(builder), builder.FeedForward());
}
