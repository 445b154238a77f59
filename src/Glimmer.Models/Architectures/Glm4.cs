using Glimmer.Kernels;
using Glimmer.Models.Configuration;
using Glimmer.Models.Layers;
using Glimmer.Models.Loading;

namespace Glimmer.Models.Architectures;

/// <summary>
/// GLM-4-0414 and GLM-Z1: as <see cref="Glm"/>, with sandwich norms. The text parts of GLM-4.1V, 4.6V-Flash and GLM-OCR are the
/// same for text alone, where their three rotary positions are equal.
/// </summary>
internal sealed class Glm4 : Architecture
{
    /// <inheritdoc/>
    public override string Name => "glm4";

    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["glm4", "glm4v", "glm4v_text", "glm_ocr", "glm_ocr_text"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> GgufArchitectures => ["glm4"];

    /// <inheritdoc/>
    public override ITensorNames GgufTensors => GgufNames.With(
        ("post_self_attn_layernorm", "post_attention_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("post_mlp_layernorm", "post_ffw_norm"));

    /// <inheritdoc/>
    public override ModelConfig ReadConfig(IConfigReader reader)
    {
        // Text files made from the vision models have the rotated rows permuted.
        RotaryPairing pairing = reader is GgufConfig { Permuted: true } ? RotaryPairing.HalfSplit : RotaryPairing.Interleaved;
        ModelConfig config = reader.Common(Name);
        return config with { Rope = reader.Rope(config.Attention.HeadDim, pairing) };
    }

    /// <inheritdoc/>
    public override DecoderLayer BuildLayer(LayerBuilder builder) =>
        new ResidualLayer(builder, new GroupedQueryAttention(builder), builder.FeedForward(), sandwich: true);
}
