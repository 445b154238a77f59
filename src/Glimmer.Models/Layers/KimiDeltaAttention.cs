using Glimmer.Models.Configuration;

namespace Glimmer.Models.Layers;

/// <summary>
/// Kimi delta attention (arXiv 2510.26692): a short causal convolution, then a matrix of memory per head that decays
/// per channel and is corrected by each token. Tokens of a sequence are taken one after the other, heads in parallel, so
/// that any cutting of the sequence gives the same numbers.
/// </summary>
/// <remarks>State per sequence: the last kernel−1 rows of q|k|v before the convolution, then a matrix (key, value) per head.</remarks>
internal sealed unsafe class KimiDeltaAttention : ILayerPart
{
    private const float NormEpsilon = 1e-6f;
    private readonly int _layer;
    private readonly int _heads;
    private readonly int _dim;
    private readonly int _kernel;
    private readonly float? _lowerBound;
    private readonly int _state;
    private readonly Linear[] _projections;
    private readonly float[] _taps;
    private readonly Linear _decayDown;
    private readonly Linear _decayUp;
    private readonly Linear _gateDown;
    private readonly Linear _gateUp;
    private readonly Linear _beta;
    private readonly float[] _rate;
    private readonly float[] _bias;
    private readonly RmsNorm _norm;
    private readonly Linear _output;

    /// <summary>Takes its tensors from the builder's current layer.</summary>
    public KimiDeltaAttention(LayerBuilder builder)
    {
        LinearAttentionConfig config = builder.Config.Linear!;
        (_layer, _heads, _dim, _kernel) = (builder.Layer, config.Heads, config.HeadDim, config.Kernel);
        _lowerBound = (float?)config.LowerBound;
        int hidden = builder.Config.HiddenSize, width = checked(_heads * _dim);
        _projections = [builder.Linear("self_attn.q_proj", width, hidden), builder.Linear("self_attn.k_proj", width, hidden), builder.Linear("self_attn.v_proj", width, hidden)];
        _taps = [.. ((string[])["q", "k", "v"]).SelectMany(name => builder.Floats($"self_attn.{name}_conv1d.weight", width, 1, _kernel))];
        _decayDown = builder.Linear("self_attn.f_a_proj", _dim, hidden);
        _decayUp = builder.Linear("self_attn.f_b_proj", width, _dim);
        _gateDown = builder.Linear("self_attn.g_a_proj", _dim, hidden);
        _gateUp = builder.Linear("self_attn.g_b_proj", width, _dim);
        _beta = builder.Linear("self_attn.b_proj", _heads, hidden);
        _rate = [.. builder.Vector("self_attn.A_log", _heads).Select(MathF.Exp)];
        _bias = builder.Vector("self_attn.dt_bias", width);
        _norm = builder.Norm("self_attn.o_norm", _dim);
        _output = builder.Linear("self_attn.o_proj", hidden, width);
        _state = builder.AddState(checked((_kernel - 1) * 3 * width + width * _dim));
    }

    private int Width => _heads * _dim;

    private int ConvolutionState => (_kernel - 1) * 3 * Width;

    /// <inheritdoc/>
    public void Apply(ForwardPass pass, Rows x, Rows y)
    {
        using Scratch.Frame frame = pass.Scratch.Open();
        Scratch scratch = pass.Scratch;
        int rows = x.Count;
        Rows raw = scratch.Rows(rows, 3 * Width), mixed = scratch.Rows(rows, 3 * Width);
        Rows decayLow = scratch.Rows(rows, _dim), gateLow = scratch.Rows(rows, _dim), beta = scratch.Rows(rows, _heads);
        for (int i = 0; i < 3; i++)
            pass.Products.Add(_projections[i].Weight, x.Data, x.Width, rows, raw.Data + i * Width, raw.Width);
        pass.Products.Add(_decayDown.Weight, x, decayLow);
        pass.Products.Add(_gateDown.Weight, x, gateLow);
        pass.Products.Add(_beta.Weight, x, beta);
        pass.Products.Run(pass);
        Rows decay = scratch.Rows(rows, Width), gate = scratch.Rows(rows, Width);
        pass.Products.Add(_decayUp.Weight, decayLow, decay);
        pass.Products.Add(_gateUp.Weight, gateLow, gate);
        pass.Products.Run(pass);

        for (int c = 0; c < pass.ChunkCount; c++)
        {
            if (pass.Position(pass.FirstRow(c)) == 0)
                new Span<float>(State(pass, c), ConvolutionState + Width * _dim).Clear();
        }

        pass.Parallel(rows, Width * 3 * (_kernel + 8), (This: this, Pass: pass, Raw: raw, Mixed: mixed, Decay: decay, Beta: beta), static (s, row) =>
        {
            s.This.Convolve(s.Pass, row, s.Raw, s.Mixed);
            s.This.PrepareRow(row, s.Mixed, s.Decay, s.Beta);
        });
        for (int c = 0; c < pass.ChunkCount; c++)
            KeepLastRows(pass, c, raw);
        pass.Observe("kda", _layer, "g", decay);
        pass.Observe("kda", _layer, "beta", beta);

        Rows heads = scratch.Rows(rows, Width);
        pass.Parallel(pass.ChunkCount * _heads, (long)rows * _dim * _dim * 4, (This: this, Pass: pass, Mixed: mixed, Decay: decay, Beta: beta, Gate: gate, Heads: heads), static (s, part) =>
            s.This.RunHead(s.Pass, part / s.This._heads, part % s.This._heads, s.Mixed, s.Decay, s.Beta, s.Gate, s.Heads));
        if (pass.Observer is not null)
            Observe(pass);
        _output.Apply(pass, heads, y);
    }

    private float* State(ForwardPass pass, int chunk) => pass.State(chunk) + _state;

    // Depthwise, causal; rows before the chunk come from the state. Then silu.
    private void Convolve(ForwardPass pass, int row, Rows raw, Rows mixed)
    {
        int chunk = pass.Chunk(row), first = pass.FirstRow(chunk), past = _kernel - 1, width = raw.Width;
        float* state = State(pass, chunk), to = mixed.Row(row);
        new Span<float>(to, width).Clear();
        fixed (float* taps = _taps)
        {
            for (int j = 0; j < _kernel; j++)
            {
                int source = row - first - past + j;
                float* from = source >= 0 ? raw.Row(first + source) : state + (past + source) * width;
                for (int i = 0; i < width; i++)
                    to[i] += taps[i * _kernel + j] * from[i];
            }
        }

        for (int i = 0; i < width; i++)
            to[i] *= RowMath.Sigmoid(to[i]);
    }

    private void PrepareRow(int row, Rows mixed, Rows decay, Rows beta)
    {
        float* q = mixed.Row(row), k = q + Width, g = decay.Row(row), b = beta.Row(row);
        float scale = 1 / MathF.Sqrt(_dim);
        for (int h = 0; h < _heads; h++)
        {
            Normalise(q + h * _dim, scale);
            Normalise(k + h * _dim, 1);
            b[h] = RowMath.Sigmoid(b[h]);
            for (int i = h * _dim; i < (h + 1) * _dim; i++)
            {
                float input = g[i] + _bias[i];
                g[i] = _lowerBound is { } bound ? bound * RowMath.Sigmoid(_rate[h] * input) : -_rate[h] * Softplus(input);
            }
        }
    }

    private void Normalise(float* head, float scale) =>
        RowMath.Scale(head, scale / MathF.Sqrt(RowMath.Dot(head, head, _dim) + NormEpsilon), _dim);

    private static float Softplus(float x) => x > 20 ? x : MathF.Log(1 + MathF.Exp(x));

    // The state keeps the last kernel−1 rows seen, oldest first.
    private void KeepLastRows(ForwardPass pass, int chunk, Rows raw)
    {
        int first = pass.FirstRow(chunk), count = pass.FirstRow(chunk + 1) - first, past = _kernel - 1, width = raw.Width;
        float* state = State(pass, chunk);
        for (int j = 0; j < past; j++)
        {
            int source = count - past + j;
            float* from = source >= 0 ? raw.Row(first + source) : state + (past + source) * width;
            Buffer.MemoryCopy(from, state + j * width, width * sizeof(float), width * sizeof(float));
        }
    }

    // M = diag(exp g)·M; M += k ⊗ (beta·(v − Mᵀk)); o = Mᵀq; then norm and gate.
    private void RunHead(ForwardPass pass, int chunk, int head, Rows mixed, Rows decay, Rows beta, Rows gate, Rows heads)
    {
        float* memory = State(pass, chunk) + ConvolutionState + (long)head * _dim * _dim;
        float* change = stackalloc float[_dim];
        int at = head * _dim;
        for (int row = pass.FirstRow(chunk); row < pass.FirstRow(chunk + 1); row++)
        {
            float* q = mixed.Row(row) + at, k = q + Width, v = k + Width, g = decay.Row(row) + at, o = heads.Row(row) + at, z = gate.Row(row) + at;
            new Span<float>(change, _dim).Clear();
            for (int i = 0; i < _dim; i++)
            {
                RowMath.Scale(memory + i * _dim, MathF.Exp(g[i]), _dim);
                RowMath.AddScaled(change, k[i], memory + i * _dim, _dim);
            }

            float b = beta.Row(row)[head];
            for (int i = 0; i < _dim; i++)
                change[i] = b * (v[i] - change[i]);
            new Span<float>(o, _dim).Clear();
            for (int i = 0; i < _dim; i++)
            {
                RowMath.AddScaled(memory + i * _dim, k[i], change, _dim);
                RowMath.AddScaled(o, q[i], memory + i * _dim, _dim);
            }

            _norm.Apply(o, o);
            for (int i = 0; i < _dim; i++)
                o[i] *= RowMath.Sigmoid(z[i]);
        }
    }

    private void Observe(ForwardPass pass)
    {
        float* state = State(pass, pass.ChunkCount - 1);
        pass.Observe("cache", _layer, "conv", new Rows(state, _kernel - 1, 3 * Width));
        pass.Observe("cache", _layer, "state", new Rows(state + ConvolutionState, Width, _dim));
    }
}
