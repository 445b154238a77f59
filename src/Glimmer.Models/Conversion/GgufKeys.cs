using Glimmer.Kernels;
using Glimmer.Models.Configuration;
using Glimmer.Models.Loading;
using Glimmer.Models.Weights;

namespace Glimmer.Models.Conversion;

/// <summary>Writes a model's numbers under the keys that llama.cpp's converter uses.</summary>
internal static class GgufKeys
{
    /// <summary>The GGUF architecture that llama.cpp knows a model as.</summary>
    /// <exception cref="ModelFileException">It knows none.</exception>
    public static string ArchitectureOf(ModelConfig config) => config.Architecture switch
    {
        "glm" or "chatglm" => "chatglm",
        "glm4" => "glm4",
        "glm4_moe" => "glm4moe",
        "glm4_moe_lite" => "deepseek2",
        "glm_moe_dsa" => "glm-dsa",
        _ => throw new ModelFileException(config.File, $"models of architecture \"{config.Architecture}\" have no GGUF form that other programs read; there is one for glm, chatglm, glm4, glm4_moe, glm4_moe_lite and glm_moe_dsa."),
    };

    /// <summary>Next-n layers that a file takes along: llama.cpp reads files of deepseek2 without them.</summary>
    public static int NextNLayers(ModelConfig config) => config.Architecture == "glm4_moe_lite" ? 0 : config.NextNLayers;

    /// <summary>Adds the keys of the model and of what its files recommend for generating.</summary>
    /// <exception cref="ModelFileException">GGUF cannot say something that the configuration says.</exception>
    public static void Write(GgufWriter writer, ModelConfig config, GenerationDefaults generation, string? name, int nextN, int fileType)
    {
        string architecture = ArchitectureOf(config), a = architecture + ".";
        writer.Add("general.architecture", architecture);
        writer.Add("general.type", "model");
        if (generation.TopK is { } topK)
            writer.Add("general.sampling.top_k", topK);
        if (generation.TopP is { } topP)
            writer.Add("general.sampling.top_p", (float)topP);
        if (generation.Temperature is { } temperature)
            writer.Add("general.sampling.temp", (float)temperature);
        if (name is not null)
            writer.Add("general.name", name);
        writer.Add("general.file_type", (uint)fileType);
        writer.Add("general.quantization_version", 2u);
        writer.Add(a + "block_count", (uint)(config.Layers + nextN));
        writer.Add(a + "context_length", (uint)config.ContextLength);
        writer.Add(a + "embedding_length", (uint)config.HiddenSize);
        writer.Add(a + "feed_forward_length", (uint)config.FeedForwardWidth);
        writer.Add(a + "vocab_size", (uint)config.VocabularySize);
        writer.Add(a + "attention.layer_norm_rms_epsilon", config.NormEpsilon);
        if (config.NextNLayers > 0 || architecture == "glm-dsa")
            writer.Add(a + "nextn_predict_layers", (uint)nextN);
        Attention(writer, a, config);
        Rotation(writer, a, config);
        if (config.Moe is { } moe)
            Experts(writer, a, config, moe);
    }

    private static void Attention(GgufWriter writer, string a, ModelConfig config)
    {
        writer.Add(a + "attention.head_count", (uint)config.Attention.Heads);
        writer.Add(a + "attention.head_count_kv", config.Latent is null ? (uint)config.Attention.KvHeads : 1u);
        writer.Add(a + "attention.key_length", (uint)(config.Latent is { } latent ? latent.KvRank + latent.RopeDim : config.Attention.HeadDim));
        writer.Add(a + "attention.value_length", (uint)(config.Latent?.KvRank ?? config.Attention.HeadDim));
        if (config.Latent is { } mla)
        {
            writer.Add(a + "attention.q_lora_rank", (uint)mla.QueryRank);
            writer.Add(a + "attention.kv_lora_rank", (uint)mla.KvRank);
            writer.Add(a + "attention.key_length_mla", (uint)(mla.NopeDim + mla.RopeDim));
            writer.Add(a + "attention.value_length_mla", (uint)mla.ValueDim);
        }

        if (config.Indexer is not { } indexer)
            return;
        writer.Add(a + "attention.indexer.head_count", (uint)indexer.Heads);
        writer.Add(a + "attention.indexer.key_length", (uint)indexer.HeadDim);
        writer.Add(a + "attention.indexer.top_k", (uint)indexer.TopK);
        writer.Add(a + "attention.indexer.types", (bool[])[.. indexer.Full]);
    }

    private static void Rotation(GgufWriter writer, string a, ModelConfig config)
    {
        if (config.Rope is not { } rope)
            return;
        writer.Add(a + "rope.dimension_count", (uint)rope.Dimensions);
        writer.Add(a + "rope.freq_base", (float)rope.Theta);
        if (rope.LinearFactor != 1)
        {
            writer.Add(a + "rope.scaling.type", "linear");
            writer.Add(a + "rope.scaling.factor", (float)rope.LinearFactor);
        }

        if (rope.Yarn is not { } yarn)
            return;
        if (!yarn.Truncate)
            throw new ModelFileException(config.File, "asks for YaRN without rounding its border dimensions (\"truncate\": false), which GGUF cannot say.");
        double extra = yarn.AttentionFactor / ConfigParts.YarnMagnitude(yarn.Factor);
        writer.Add(a + "rope.scaling.type", "yarn");
        writer.Add(a + "rope.scaling.factor", (float)yarn.Factor);
        writer.Add(a + "rope.scaling.original_context_length", (uint)yarn.OriginalContext);
        writer.Add(a + "rope.scaling.yarn_beta_fast", (float)yarn.BetaFast);
        writer.Add(a + "rope.scaling.yarn_beta_slow", (float)yarn.BetaSlow);
        if (Math.Abs(extra - 1) > 1e-9)
            writer.Add(a + "rope.scaling.attn_factor", (float)extra);
    }

    private static void Experts(GgufWriter writer, string a, ModelConfig config, MoeConfig moe)
    {
        int dense = moe.Sparse.TakeWhile(sparse => !sparse).Count();
        if (moe.Sparse.Skip(dense).Any(sparse => !sparse))
            throw new ModelFileException(config.File, "has dense layers after layers with experts, which GGUF cannot say.");
        writer.Add(a + "expert_count", (uint)moe.Experts);
        writer.Add(a + "expert_used_count", (uint)moe.PerToken);
        writer.Add(a + "expert_group_count", (uint)moe.Groups);
        writer.Add(a + "expert_group_used_count", (uint)moe.GroupsKept);
        writer.Add(a + "expert_gating_func", moe.Score == ExpertGating.Sigmoid ? 2u : 1u);
        writer.Add(a + "expert_feed_forward_length", (uint)moe.ExpertWidth);
        writer.Add(a + "expert_shared_count", (uint)moe.SharedExperts);
        writer.Add(a + "expert_weights_scale", (float)moe.Scale);
        writer.Add(a + "expert_weights_norm", moe.Normalise);
        writer.Add(a + "leading_dense_block_count", (uint)dense);
    }
}
