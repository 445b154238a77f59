using Glimmer.Kernels;
using Glimmer.Models.Configuration;
using Glimmer.Models.Layers;
using Glimmer.Models.Loading;

namespace Glimmer.Models.Architectures;

/// <summary>GLM-4-9B-chat-hf and GLM-Edge: grouped-query attention with interleaved rotation, dense.</summary>
internal class Glm : Architecture
{
    /// <inheritdoc/>
    public override string Name => "glm";

    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["glm"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> GgufArchitectures => ["chatglm"];

    /// <inheritdoc/>
    public override ITensorNames GgufTensors => GgufNames.With(("post_attention_layernorm", "ffn_norm"));

    /// <inheritdoc/>
    public override ModelConfig ReadConfig(IConfigReader reader)
    {
        ModelConfig config = reader.Common(Name);
        return config with { Rope = reader.Rope(config.Attention.HeadDim, RotaryPairing.Interleaved) };
    }

    /// <inheritdoc/>
    public override DecoderLayer BuildLayer(LayerBuilder builder) =>
        new ResidualLayer(builder, new GroupedQueryAttention(builder), builder.FeedForward());
}

/// <summary>GLM-4-9B-chat as first published: the same model under other names, with fused matrices.</summary>
internal sealed class ChatGlm : Glm
{
    private static readonly Dictionary<string, string> _stems = new(StringComparer.Ordinal)
    {
        ["embed_tokens"] = "transformer.embedding.word_embeddings",
        ["norm"] = "transformer.encoder.final_layernorm",
        ["lm_head"] = "transformer.output_layer",
        ["input_layernorm"] = "input_layernorm",
        ["self_attn.qkv_proj"] = "self_attention.query_key_value",
        ["self_attn.o_proj"] = "self_attention.dense",
        ["post_attention_layernorm"] = "post_attention_layernorm",
        ["mlp.gate_up_proj"] = "mlp.dense_h_to_4h",
        ["mlp.down_proj"] = "mlp.dense_4h_to_h",
    };

    /// <inheritdoc/>
    public override string Name => "chatglm";

    /// <inheritdoc/>
    public override IReadOnlyList<string> ModelTypes => ["chatglm"];

    /// <inheritdoc/>
    public override IReadOnlyList<string> GgufArchitectures => [];

    /// <inheritdoc/>
    public override ITensorNames CheckpointTensors(IReadOnlyCollection<string> names) => new TableNames("transformer.encoder.layers.", _stems);
}
