using System.Runtime.InteropServices;
using Glimmer.Kernels.Formats;
using Glimmer.Models.Weights;

namespace Glimmer.ModelMaker;

/// <summary>Writes a GGUF file of random weights.</summary>
internal static class ModelFile
{
    /// <summary>The names of the types: those of the recipes of <c>glimmer quantize</c> that blocks can be made up for, and F16.</summary>
    public static IReadOnlyList<string> Types { get; } = ["q8_0", "q4_0", "q4_k_m", "f16"];

    /// <summary>Writes the file front to back. The same shape, type and seed give the same bytes.</summary>
    public static void Write(ModelShape shape, string type, int seed, Stream output)
    {
        if (!Types.Contains(type, StringComparer.OrdinalIgnoreCase))
            throw new ArgumentException($"'{type}' is not a type; use one of {string.Join(", ", Types)}.", nameof(type));
        QuantisationMix.TryFind(type, out QuantisationMix? mix);
        List<TensorEntry> tensors = TensorTable.Of(shape, mix);
        GgufWriter writer = new(output);
        Metadata(writer, shape, mix?.FileType ?? 1);
        foreach (TensorEntry tensor in tensors)
            writer.Announce(tensor.Name, tensor.Shape, tensor.Format);
        RandomBlocks blocks = new(seed, tensors.Max(tensor => BlockCodecs.For(tensor.Format).BytesFor(Count(tensor))));
        foreach (TensorEntry tensor in tensors)
            Write(writer, blocks, tensor);
        writer.Finish();
    }

    private static void Metadata(GgufWriter writer, ModelShape shape, int fileType)
    {
        string a = shape.Architecture + ".";
        int keySize = shape.Latent is { } latent ? latent.KeyRank + shape.Rotated : shape.HeadSize;
        writer.Add("general.architecture", shape.Architecture);
        writer.Add("general.type", "model");
        writer.Add("general.name", $"random {shape.Name}");
        writer.Add("general.file_type", (uint)fileType);
        writer.Add("general.quantization_version", 2u);
        writer.Add(a + "block_count", (uint)shape.Layers);
        writer.Add(a + "context_length", (uint)shape.Context);
        writer.Add(a + "embedding_length", (uint)shape.Hidden);
        writer.Add(a + "feed_forward_length", (uint)shape.FeedForward);
        writer.Add(a + "vocab_size", (uint)shape.Vocabulary);
        writer.Add(a + "attention.head_count", (uint)shape.Heads);
        writer.Add(a + "attention.head_count_kv", (uint)shape.KeyHeads);
        writer.Add(a + "attention.key_length", (uint)keySize);
        writer.Add(a + "attention.value_length", (uint)(shape.Latent?.KeyRank ?? shape.HeadSize));
        writer.Add(a + "attention.layer_norm_rms_epsilon", 1e-5f);
        writer.Add(a + "rope.dimension_count", (uint)shape.Rotated);
        writer.Add(a + "rope.freq_base", shape.Theta);
        if (shape.RotarySections.Count > 0)
            writer.Add(a + "rope.dimension_sections", [.. shape.RotarySections]);
        if (shape.Latent is not null)
        {
            writer.Add(a + "attention.q_lora_rank", (uint)shape.Latent.QueryRank);
            writer.Add(a + "attention.kv_lora_rank", (uint)shape.Latent.KeyRank);
            writer.Add(a + "attention.key_length_mla", (uint)shape.Latent.KeySize);
            writer.Add(a + "attention.value_length_mla", (uint)shape.Latent.ValueSize);
        }

        if (shape.Experts is { } experts)
        {
            writer.Add(a + "expert_count", (uint)experts.Count);
            writer.Add(a + "expert_used_count", (uint)experts.Used);
            writer.Add(a + "expert_feed_forward_length", (uint)experts.Width);
            writer.Add(a + "expert_shared_count", (uint)experts.Shared);
            writer.Add(a + "leading_dense_block_count", (uint)experts.DenseLayers);
            writer.Add(a + "expert_group_count", 1u);
            writer.Add(a + "expert_group_used_count", 1u);
            writer.Add(a + "expert_gating_func", 2u); // sigmoid
            writer.Add(a + "expert_weights_scale", experts.Scale);
            writer.Add(a + "expert_weights_norm", true);
        }

        TokenTable.Write(writer, shape);
    }

    private static void Write(GgufWriter writer, RandomBlocks blocks, TensorEntry tensor)
    {
        long columns = tensor.Shape[^1], rows = Count(tensor) / columns;
        long rowBytes = BlockCodecs.For(tensor.Format).BytesFor(columns);
        if (tensor.Constant is { } value)
        {
            float[] row = new float[columns];
            Array.Fill(row, value);
            writer.Write(MemoryMarshal.AsBytes<float>(row));
        }
        else if (tensor.Name == "output.weight")
        {
            // Bytes and control tokens get the logit 0, which is never the largest: greedy answers are plain words and do not end.
            writer.Write(new byte[TokenTable.Bytes * rowBytes]);
            blocks.Write(tensor.Format, columns, (rows - TokenTable.Bytes - TokenTable.ControlTokens) * rowBytes, writer.Write);
            writer.Write(new byte[TokenTable.ControlTokens * rowBytes]);
        }
        else
        {
            blocks.Write(tensor.Format, columns, rows * rowBytes, writer.Write);
        }
    }

    private static long Count(TensorEntry tensor) => tensor.Shape.Aggregate(1L, (count, size) => checked(count * size));
}
