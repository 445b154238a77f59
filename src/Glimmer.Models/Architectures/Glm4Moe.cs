using Glimmer.Kernels;
using Glimmer.Models.Configuration;
using Glimmer.Models.Layers;
using Glimmer.Models.Loading;

namespace Glimmer.Models.Architectures;

/// <summary>
/// GLM-4.5, 4.5-Air, 4.6, 4.7: grouped-query attention with half-split rotation, mixture of experts. The text parts of GLM-4.5V
/// and 4.6V are the same for text alone.
/// </summary>
internal sealed class Glm4Moe : Architecture
{
    /// <inheritdoc/>
    public override string Name => "glm4_moe";

    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["glm4_moe", "glm4v_moe", "glm4v_moe_text"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> GgufArchitectures => ["glm4moe"];

    /// <inheritdoc/>
    public override ITensorNames GgufTensors => GgufNames.With(("post_attention_layernorm", "post_attention_norm"));

    /// <inheritdoc/>
    public override ModelConfig ReadConfig(IConfigReader reader)
    {
        ModelConfig config = reader.Common(Name);
        return config with
        {
            Rope = reader.Rope(config.Attention.HeadDim, RotaryPairing.HalfSplit),
            Moe = reader.Moe(config.Layers),
        };
    }

    /// <inheritdoc/>
    public override DecoderLayer BuildLayer(LayerBuilder builder) =>
        new ResidualLayer(builder, new GroupedQueryAttention(builder), builder.FeedForward());
}
