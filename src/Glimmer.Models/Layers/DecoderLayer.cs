namespace Glimmer.Models.Layers;

/// <summary>One layer of a decoder: changes the residual stream in place.</summary>
internal abstract class DecoderLayer
{
    /// <summary>Runs the layer on <paramref name="stream"/>, shape (rows, streams · hidden).</summary>
    public abstract void Apply(ForwardPass pass, Rows stream);
}

/// <summary>
/// The common layer: x += attention(norm(x)); x += feedForward(norm(x)). With sandwich norms each part's output is
/// normalised once more before it is added.
/// </summary>
internal sealed unsafe class ResidualLayer : DecoderLayer
{
    private readonly int _layer;
    private readonly RmsNorm _inputNorm;
    private readonly ILayerPart _attention;
    private readonly RmsNorm? _attentionOutNorm;
    private readonly RmsNorm _feedForwardNorm;
    private readonly ILayerPart _feedForward;
    private readonly RmsNorm? _feedForwardOutNorm;

    /// <summary>Takes the norms from the builder's current layer.</summary>
    public ResidualLayer(LayerBuilder builder, ILayerPart attention, ILayerPart feedForward, bool sandwich = false)
    {
        int hidden = builder.Config.HiddenSize;
        _layer = builder.Layer;
        _attention = attention;
        _feedForward = feedForward;
        _inputNorm = builder.Norm("input_layernorm", hidden);
        _feedForwardNorm = builder.Norm("post_attention_layernorm", hidden);
        if (sandwich)
        {
            _attentionOutNorm = builder.Norm("post_self_attn_layernorm", hidden);
            _feedForwardOutNorm = builder.Norm("post_mlp_layernorm", hidden);
        }
    }

    /// <inheritdoc/>
    public override void Apply(ForwardPass pass, Rows stream)
    {
        Half(pass, stream, _inputNorm, "input_layernorm", _attention, "self_attn", _attentionOutNorm, "post_self_attn_layernorm");
        Half(pass, stream, _feedForwardNorm, "post_attention_layernorm", _feedForward, "mlp", _feedForwardOutNorm, "post_mlp_layernorm");
    }

    private void Half(ForwardPass pass, Rows stream, RmsNorm norm, string normName, ILayerPart part, string partName, RmsNorm? outNorm, string outNormName)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        Rows input = pass.Scratch.Rows(stream.Count, stream.Width), output = pass.Scratch.Rows(stream.Count, stream.Width);
        norm.Apply(pass, stream, input);
        pass.Observe("layer", _layer, normName, input);
        part.Apply(pass, input, output);
        pass.Observe("layer", _layer, partName, output);
        if (outNorm is not null && pass.Observer is not null)
        {
            outNorm.Apply(pass, output, output);
            pass.Observe("layer", _layer, outNormName, output);
            outNorm = null;
        }

        pass.Parallel(stream.Count, stream.Width * (outNorm is null ? 1 : 3), (Norm: outNorm, Stream: stream, Output: output), static (s, row) =>
        {
            s.Norm?.Apply(s.Output.Row(row), s.Output.Row(row));
            RowMath.Add(s.Stream.Row(row), s.Output.Row(row), s.Stream.Width);
        });
    }
}
