using Glimmer.Kernels.Formats;
using Glimmer.Models.Weights;

namespace Glimmer.ModelMaker;

/// <summary>A tensor to write.</summary>
/// <param name="Name">Its name in GGUF.</param>
/// <param name="Shape">Outermost dimension first.</param>
/// <param name="Format">How its numbers are stored.</param>
/// <param name="Constant">The one value of all its numbers; null for random ones.</param>
internal sealed record TensorEntry(string Name, long[] Shape, BlockFormat Format, float? Constant);

/// <summary>The tensors of a shape, in the formats that llama.cpp's quantiser would choose.</summary>
internal static class TensorTable
{
    /// <summary>All tensors in the order of the file. <paramref name="mix"/> null means F16.</summary>
    public static List<TensorEntry> Of(ModelShape shape, QuantisationMix? mix)
    {
        Builder builder = new(shape, mix);
        builder.Matrix("token_embd.weight", shape.Vocabulary, shape.Hidden);
        for (int layer = 0; layer < shape.Layers; layer++)
        {
            string prefix = $"blk.{layer}.";
            builder.Constant(prefix + "attn_norm.weight", shape.Hidden, 1);
            if (shape.Latent is { } latent)
                LatentAttention(builder, shape, latent, prefix);
            else
                Attention(builder, shape, prefix);
            builder.Matrix(prefix + "attn_output.weight", shape.Hidden, shape.Latent is { } own ? shape.Heads * own.ValueSize : shape.Heads * shape.HeadSize);
            FeedForward(builder, shape, prefix, layer);
        }

        builder.Constant("output_norm.weight", shape.Hidden, 1);
        builder.Matrix("output.weight", shape.Vocabulary, shape.Hidden);
        return builder.Tensors;
    }

    private static void Attention(Builder builder, ModelShape shape, string prefix)
    {
        foreach ((string name, int heads) in (ReadOnlySpan<(string, int)>)[("q", shape.Heads), ("k", shape.KeyHeads), ("v", shape.KeyHeads)])
        {
            builder.Matrix($"{prefix}attn_{name}.weight", heads * shape.HeadSize, shape.Hidden);
            if (shape.Biases)
                builder.Constant($"{prefix}attn_{name}.bias", heads * shape.HeadSize, 0.01f);
        }

        if (!shape.HeadNorms)
            return;
        builder.Constant(prefix + "attn_q_norm.weight", shape.HeadSize, 1);
        builder.Constant(prefix + "attn_k_norm.weight", shape.HeadSize, 1);
    }

    private static void LatentAttention(Builder builder, ModelShape shape, LatentShape latent, string prefix)
    {
        builder.Matrix(prefix + "attn_q_a.weight", latent.QueryRank, shape.Hidden);
        builder.Constant(prefix + "attn_q_a_norm.weight", latent.QueryRank, 1);
        builder.Matrix(prefix + "attn_q_b.weight", shape.Heads * latent.KeySize, latent.QueryRank);
        builder.Matrix(prefix + "attn_kv_a_mqa.weight", latent.KeyRank + shape.Rotated, shape.Hidden);
        builder.Constant(prefix + "attn_kv_a_norm.weight", latent.KeyRank, 1);
        builder.Matrix(prefix + "attn_k_b.weight", shape.Heads, latent.KeyRank, latent.KeySize - shape.Rotated);
        builder.Matrix(prefix + "attn_v_b.weight", shape.Heads, latent.ValueSize, latent.KeyRank);
    }

    private static void FeedForward(Builder builder, ModelShape shape, string prefix, int layer)
    {
        int hidden = shape.Hidden;
        if (shape.Architecture is "chatglm" or "glm4")
        {
            bool sandwich = shape.Architecture == "glm4";
            if (sandwich)
                builder.Constant(prefix + "post_attention_norm.weight", hidden, 1);
            builder.Constant(prefix + "ffn_norm.weight", hidden, 1);
            builder.Matrix(prefix + "ffn_up.weight", 2 * shape.FeedForward, hidden);
            builder.Matrix(prefix + "ffn_down.weight", hidden, shape.FeedForward);
            if (sandwich)
                builder.Constant(prefix + "post_ffw_norm.weight", hidden, 1);
            return;
        }

        builder.Constant(prefix + (shape.Architecture == "glm4moe" ? "post_attention_norm.weight" : "ffn_norm.weight"), hidden, 1);
        if (shape.Experts is not { } experts || layer < experts.DenseLayers)
        {
            Network("", shape.FeedForward);
            return;
        }

        builder.Random(prefix + "ffn_gate_inp.weight", BlockFormat.F32, experts.Count, hidden);
        builder.Constant(prefix + "exp_probs_b.bias", experts.Count, 0);
        Network("_exps", experts.Width, experts.Count);
        Network("_shexp", experts.Width * experts.Shared);

        void Network(string ending, long width, params long[] outer)
        {
            builder.Matrix($"{prefix}ffn_gate{ending}.weight", [.. outer, width, hidden]);
            builder.Matrix($"{prefix}ffn_up{ending}.weight", [.. outer, width, hidden]);
            builder.Matrix($"{prefix}ffn_down{ending}.weight", [.. outer, hidden, width]);
        }
    }

    private sealed class Builder(ModelShape shape, QuantisationMix? mix)
    {
        private readonly QuantisationMix.Model _model = new(
            shape.Layers,
            shape.Experts?.Count ?? 0,
            shape.Heads / shape.KeyHeads,
            TiedEmbedding: false,
            shape.Latent is null ? [.. Enumerable.Range(0, shape.Layers).Select(layer => $"blk.{layer}.attn_v.weight")] : []);

        public List<TensorEntry> Tensors { get; } = [];

        public void Constant(string name, long count, float value) => Tensors.Add(new TensorEntry(name, [count], BlockFormat.F32, value));

        public void Random(string name, BlockFormat format, params long[] shape) => Tensors.Add(new TensorEntry(name, shape, format, null));

        public void Matrix(string name, params long[] shape) =>
            Random(name, mix is null ? BlockFormat.F16 : TensorQuantiser.Fit(mix.Choose(name, shape[^1], _model), shape[^1]), shape);
    }
}
