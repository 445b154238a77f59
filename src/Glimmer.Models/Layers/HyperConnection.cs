using Glimmer.Models.Configuration;

namespace Glimmer.Models.Layers;

/// <summary>
/// Manifold-constrained hyper-connection (arXiv 2512.24880) of one sublayer: how the residual streams are collapsed into
/// its input, how they mix, and where its output goes. The mixing matrix is made doubly stochastic.
/// </summary>
internal sealed unsafe class HyperConnection
{
    private readonly int _layer;
    private readonly string _name;
    private readonly int _streams;
    private readonly int _steps;
    private readonly float _epsilon;
    private readonly float _normEpsilon;
    private readonly Linear _function;
    private readonly float[] _base;
    private readonly float[] _scale;

    /// <summary>Takes its tensors <c>hc_NAME_*</c> from the builder's current layer.</summary>
    public HyperConnection(LayerBuilder builder, string name)
    {
        HyperConnectionConfig config = builder.Config.Hyper!;
        (_layer, _name, _streams, _steps) = (builder.Layer, name, config.Streams, config.SinkhornSteps);
        (_epsilon, _normEpsilon) = ((float)config.Epsilon, builder.Config.NormEpsilon);
        int outputs = Outputs;
        _function = new Linear(builder.Matrix($"hc_{name}_fn", outputs, checked(_streams * builder.Config.HiddenSize)), null);
        _base = builder.Vector($"hc_{name}_base", outputs);
        _scale = builder.Vector($"hc_{name}_scale", 3);
    }

    private int Outputs => (2 + _streams) * _streams;

    /// <summary>Computes gates and mixing matrix of every row, shape (rows, (2+n)·n): input gates, output gates, matrix.</summary>
    public Rows Gates(ForwardPass pass, Rows stream)
    {
        Rows gates = pass.Scratch.Rows(stream.Count, Outputs);
        using (pass.Scratch.Open())
        {
            Rows flat = pass.Scratch.Rows(stream.Count, stream.Width);
            pass.Parallel(stream.Count, stream.Width * 2, (Stream: stream, Flat: flat, Epsilon: _normEpsilon), static (s, row) =>
                Normalise(s.Stream.Row(row), s.Flat.Row(row), s.Flat.Width, s.Epsilon));
            _function.Apply(pass, flat, gates);
        }

        pass.Parallel(gates.Count, Outputs * (_steps + 16), (This: this, Gates: gates), static (s, row) => s.This.Shape(s.Gates.Row(row)));
        return gates;
    }

    /// <summary>input = Σ_i pre_i · stream_i.</summary>
    public void Collapse(ForwardPass pass, Rows gates, Rows stream, Rows input)
    {
        pass.Parallel(input.Count, stream.Width, (Streams: _streams, Gates: gates, Stream: stream, Input: input), static (s, row) =>
        {
            float* to = s.Input.Row(row);
            new Span<float>(to, s.Input.Width).Clear();
            for (int i = 0; i < s.Streams; i++)
                RowMath.AddScaled(to, s.Gates.Row(row)[i], s.Stream.Row(row) + i * s.Input.Width, s.Input.Width);
        });
        if (pass.Observer is null)
            return;
        using Scratch.Frame frame = pass.Scratch.Open();
        pass.Observe("hyper", _layer, $"{_name}.collapsed", input);
        pass.Observe("hyper", _layer, $"{_name}.post", Part(pass, gates, _streams, _streams));
        pass.Observe("hyper", _layer, $"{_name}.comb", Part(pass, gates, 2 * _streams, _streams * _streams));
    }

    /// <summary>stream_j = post_j · output + Σ_i C_ij · stream_i.</summary>
    public void Expand(ForwardPass pass, Rows gates, Rows output, Rows stream)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        Rows mixed = pass.Scratch.Rows(stream.Count, stream.Width);
        pass.Parallel(stream.Count, (long)stream.Width * (_streams + 1), (Streams: _streams, Gates: gates, Output: output, Stream: stream, Mixed: mixed), static (s, row) =>
        {
            int n = s.Streams, width = s.Output.Width;
            float* post = s.Gates.Row(row) + n, matrix = post + n, from = s.Stream.Row(row), to = s.Mixed.Row(row);
            new Span<float>(to, n * width).Clear();
            for (int j = 0; j < n; j++)
            {
                RowMath.AddScaled(to + j * width, post[j], s.Output.Row(row), width);
                for (int i = 0; i < n; i++)
                    RowMath.AddScaled(to + j * width, matrix[i * n + j], from + i * width, width);
            }

            new ReadOnlySpan<float>(to, n * width).CopyTo(new Span<float>(from, n * width));
        });
    }

    private static void Normalise(float* x, float* y, int width, float epsilon)
    {
        RowMath.Copy(x, y, width);
        RowMath.Scale(y, 1 / MathF.Sqrt(RowMath.Dot(x, x, width) / width + epsilon), width);
    }

    // Sigmoid gates, and Sinkhorn's alternation of column and row normalisation.
    private void Shape(float* gates)
    {
        int n = _streams;
        for (int i = 0; i < n; i++)
        {
            gates[i] = RowMath.Sigmoid(gates[i] * _scale[0] + _base[i]) + _epsilon;
            gates[n + i] = 2 * RowMath.Sigmoid(gates[n + i] * _scale[1] + _base[n + i]);
        }

        float* matrix = gates + 2 * n;
        for (int i = 0; i < n; i++)
        {
            float maximum = float.NegativeInfinity, sum = 0;
            for (int j = 0; j < n; j++)
            {
                matrix[i * n + j] = matrix[i * n + j] * _scale[2] + _base[(2 + i) * n + j];
                maximum = Math.Max(maximum, matrix[i * n + j]);
            }

            for (int j = 0; j < n; j++)
                sum += matrix[i * n + j] = MathF.Exp(matrix[i * n + j] - maximum);
            for (int j = 0; j < n; j++)
                matrix[i * n + j] = matrix[i * n + j] / sum + _epsilon;
        }

        Balance(matrix, 1, n);
        for (int step = 1; step < _steps; step++)
        {
            Balance(matrix, n, 1);
            Balance(matrix, 1, n);
        }
    }

    // Divides each line by its sum: lines begin at multiples of first, their items lie step apart.
    private void Balance(float* matrix, int first, int step)
    {
        for (int line = 0; line < _streams; line++)
        {
            float sum = 0;
            for (int i = 0; i < _streams; i++)
                sum += matrix[line * first + i * step];
            for (int i = 0; i < _streams; i++)
                matrix[line * first + i * step] /= sum + _epsilon;
        }
    }

    private static Rows Part(ForwardPass pass, Rows gates, int start, int width)
    {
        Rows part = pass.Scratch.Rows(gates.Count, width);
        for (int row = 0; row < gates.Count; row++)
            new ReadOnlySpan<float>(gates.Row(row) + start, width).CopyTo(new Span<float>(part.Row(row), width));
        return part;
    }
}

/// <summary>A layer over several residual streams.</summary>
internal sealed unsafe class HyperLayer : DecoderLayer
{
    private readonly int _layer;
    private readonly int _hidden;
    private readonly (HyperConnection Connection, RmsNorm Norm, string NormName, ILayerPart Part, string PartName)[] _halves;

    /// <summary>Takes norms and connections from the builder's current layer.</summary>
    public HyperLayer(LayerBuilder builder, ILayerPart attention, ILayerPart feedForward)
    {
        _layer = builder.Layer;
        _hidden = builder.Config.HiddenSize;
        _halves =
        [
            (new HyperConnection(builder, "attn"), builder.Norm("input_layernorm", _hidden), "input_layernorm", attention, "self_attn"),
            (new HyperConnection(builder, "ffn"), builder.Norm("post_attention_layernorm", _hidden), "post_attention_layernorm", feedForward, "mlp"),
        ];
    }

    /// <inheritdoc/>
    public override void Apply(ForwardPass pass, Rows stream)
    {
        foreach ((HyperConnection connection, RmsNorm norm, string normName, ILayerPart part, string partName) in _halves)
        {
            using Scratch.Frame frame = pass.Scratch.Open();
            Rows gates = connection.Gates(pass, stream);
            Rows input = pass.Scratch.Rows(stream.Count, _hidden), output = pass.Scratch.Rows(stream.Count, _hidden);
            connection.Collapse(pass, gates, stream, input);
            norm.Apply(pass, input, input);
            pass.Observe("layer", _layer, normName, input);
            part.Apply(pass, input, output);
            pass.Observe("layer", _layer, partName, output);
            connection.Expand(pass, gates, output, stream);
        }
    }
}
