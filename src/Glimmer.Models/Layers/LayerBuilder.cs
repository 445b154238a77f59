using Glimmer.Kernels;
using Glimmer.Kernels.Formats;
using Glimmer.Models.Configuration;
using Glimmer.Models.Loading;
using Glimmer.Models.Memory;

namespace Glimmer.Models.Layers;

/// <summary>Hands the parts of a model their tensors, and collects what they cache.</summary>
internal sealed class LayerBuilder(ModelConfig config, ITensorProvider tensors)
{
    private readonly List<KvPlane> _planes = [];

    /// <summary>The model's numbers.</summary>
    public ModelConfig Config { get; } = config;

    /// <summary>The file's tensors.</summary>
    public ITensorProvider Tensors { get; } = tensors;

    /// <summary>The layer being built; −1 for what belongs to none.</summary>
    public int Layer { get; private set; } = -1;

    /// <summary>What all parts built so far cache.</summary>
    public KvLayout KvLayout => new([.. _planes], StateWidth);

    /// <summary>Recurrent numbers per sequence of all parts built so far.</summary>
    public int StateWidth { get; private set; }

    /// <summary>Goes on to a layer.</summary>
    public LayerBuilder At(int layer)
    {
        Layer = layer;
        return this;
    }

    /// <summary>Whether the current layer has a tensor.</summary>
    public bool Has(string name) => Tensors.Has(Full(name));

    /// <summary>Reserves a plane of the cache for the current layer and returns its index.</summary>
    /// <param name="name">What it holds.</param>
    /// <param name="width">Numbers per token over all heads.</param>
    /// <param name="heads">Heads that they belong to.</param>
    /// <param name="exact">Whether it is single precision in every cache.</param>
    public int AddPlane(string name, int width, int heads = 1, bool exact = false)
    {
        _planes.Add(new KvPlane(name, Layer, width, heads, exact));
        return _planes.Count - 1;
    }

    /// <summary>Reserves recurrent state and returns its offset.</summary>
    public int AddState(int width)
    {
        int offset = StateWidth;
        StateWidth = checked(StateWidth + width);
        return offset;
    }

    /// <summary>A norm's weights.</summary>
    public RmsNorm Norm(string name, int width) => new(Vector(name + ".weight", width), Config.NormEpsilon);

    /// <summary>A layer norm's weights and biases.</summary>
    public LayerNorm LayerNorm(string name, int width, float epsilon) => new(Vector(name + ".weight", width), Vector(name + ".bias", width), epsilon);

    /// <summary>A matrix.</summary>
    public WeightMatrix Matrix(string name, int rows, int columns)
    {
        WeightMatrix matrix = Tensors.Matrix(Full(name), rows, columns);
        HasRoundedWeights |= matrix.Format != BlockFormat.F32;
        return matrix;
    }

    /// <summary>Whether any matrix so far is stored in less than single precision.</summary>
    public bool HasRoundedWeights { get; private set; }

    /// <summary>A vector.</summary>
    public float[] Vector(string name, int length) => Tensors.Floats(Full(name), length);

    /// <summary>A small tensor of any shape.</summary>
    public float[] Floats(string name, params ReadOnlySpan<long> shape) => Tensors.Floats(Full(name), shape);

    /// <summary>A vector, or null when the file has none.</summary>
    public float[]? TryVector(string name, int length) => Has(name) ? Vector(name, length) : null;

    /// <summary>A matrix with the bias the file may have.</summary>
    public Linear Linear(string name, int outputs, int inputs, bool biasRequired = false) => new(
        Prepare(name, Matrix(name + ".weight", outputs, inputs)),
        biasRequired ? Vector(name + ".bias", outputs) : TryVector(name + ".bias", outputs));

    /// <summary>Query, key and value projections, stored apart or as one matrix of q, k and v rows.</summary>
    public (Linear Query, Linear Key, Linear Value) QueryKeyValue(string name, int hidden, int queryWidth, int kvWidth, bool? bias)
    {
        bool required = bias ?? false;
        if (!Has($"{name}.qkv_proj.weight"))
        {
            return (
                Linear($"{name}.q_proj", queryWidth, hidden, required),
                Linear($"{name}.k_proj", kvWidth, hidden, required),
                Linear($"{name}.v_proj", kvWidth, hidden, required));
        }

        int rows = queryWidth + 2 * kvWidth;
        WeightMatrix fused = Matrix($"{name}.qkv_proj.weight", rows, hidden);
        float[]? biases = required ? Vector($"{name}.qkv_proj.bias", rows) : TryVector($"{name}.qkv_proj.bias", rows);
        return (Part(0, queryWidth), Part(queryWidth, kvWidth), Part(queryWidth + kvWidth, kvWidth));

        Linear Part(int start, int count) => new(Prepare($"{name}.qkv_proj", fused.RowRange(start, count)), biases?.AsSpan(start, count).ToArray());
    }

    /// <summary>Bound on gate and up values; infinite without one.</summary>
    public float SwigluLimit => Config.SwigluLimit ?? float.PositiveInfinity;

    /// <summary>A SwiGLU network whose gate and up matrices are stored apart or as one of gate rows, then up rows.</summary>
    public FeedForwardWeights FeedForward(string name, int hidden, int width)
    {
        WeightMatrix down = Matrix($"{name}.down_proj.weight", hidden, width);
        if (Has($"{name}.gate_proj.weight"))
            return Network(name, Matrix($"{name}.gate_proj.weight", width, hidden), Matrix($"{name}.up_proj.weight", width, hidden), down);

        // GGUF keeps the fused matrix under the name of the up matrix.
        string fusedName = Has($"{name}.gate_up_proj.weight") ? "gate_up_proj" : "up_proj";
        WeightMatrix fused = Matrix($"{name}.{fusedName}.weight", checked(2 * width), hidden);
        return Network(name, fused.RowRange(0, width), fused.RowRange(width, width), down);
    }

    /// <summary>The routed experts: one tensor per matrix, stacked per matrix, or stacked with gate and up fused.</summary>
    public FeedForwardWeights[] Experts(string name, int experts, int hidden, int width)
    {
        FeedForwardWeights[] networks = new FeedForwardWeights[experts];
        string suffix = Has($"{name}.down_proj.weight") ? ".weight" : "";
        if (!Has($"{name}.down_proj{suffix}"))
        {
            for (int e = 0; e < experts; e++)
                networks[e] = FeedForward($"{name}.{e}", hidden, width);
            return networks;
        }

        WeightMatrix down = Tensors.Stack(Full($"{name}.down_proj{suffix}"), experts, hidden, width);
        bool fused = Has($"{name}.gate_up_proj{suffix}");
        WeightMatrix gate = fused
            ? Tensors.Stack(Full($"{name}.gate_up_proj{suffix}"), experts, checked(2 * width), hidden)
            : Tensors.Stack(Full($"{name}.gate_proj{suffix}"), experts, width, hidden);
        WeightMatrix up = fused ? gate : Tensors.Stack(Full($"{name}.up_proj{suffix}"), experts, width, hidden);
        int stride = fused ? 2 * width : width, upStart = fused ? width : 0;
        for (int e = 0; e < experts; e++)
            networks[e] = Network(name, gate.RowRange(e * stride, width), up.RowRange(e * stride + upStart, width), down.RowRange(e * hidden, hidden));
        return networks;
    }

    /// <summary>
    /// The two halves of the latent up-projection, head by head: keys as a product from the unrotated query to the
    /// latent, shape (heads · rank, nope), and values from the latent, shape (value, rank) per head.
    /// </summary>
    public (WeightMatrix[] QueryToLatent, WeightMatrix[] LatentToValue) LatentHeads(string name, int heads, LatentConfig latent)
    {
        WeightMatrix[] keys = new WeightMatrix[heads], values = new WeightMatrix[heads];
        if (Has($"{name}.k_b_proj.weight"))
        {
            WeightMatrix k = Tensors.Stack(Full($"{name}.k_b_proj.weight"), heads, latent.KvRank, latent.NopeDim);
            WeightMatrix v = Tensors.Stack(Full($"{name}.v_b_proj.weight"), heads, latent.ValueDim, latent.KvRank);
            for (int h = 0; h < heads; h++)
                (keys[h], values[h]) = (Prepare($"{name}.k_b_proj", k.RowRange(h * latent.KvRank, latent.KvRank)), Prepare($"{name}.v_b_proj", v.RowRange(h * latent.ValueDim, latent.ValueDim)));
            return (keys, values);
        }

        // One matrix, per head key rows, then value rows. The key rows are needed transposed: copied once, in their own precision.
        int stride = latent.NopeDim + latent.ValueDim;
        WeightMatrix fused = Matrix($"{name}.kv_b_proj.weight", checked(heads * stride), latent.KvRank);
        for (int h = 0; h < heads; h++)
        {
            keys[h] = Tensors.Transposed(fused.RowRange(h * stride, latent.NopeDim));
            values[h] = fused.RowRange(h * stride + latent.NopeDim, latent.ValueDim);
        }

        return (keys, values);
    }

    /// <summary>The feed-forward part of the current layer: experts or dense, as the configuration says.</summary>
    public ILayerPart FeedForward()
    {
        // A next-n layer stands behind the trunk and has the form of its last layer.
        if (Config.Moe is { } moe && moe.Sparse[Math.Min(Layer, Config.Layers - 1)])
            return new SparseFeedForward(this, moe);
        return new DenseFeedForward(FeedForward("mlp", Config.HiddenSize, Config.FeedForwardWidth), SwigluLimit);
    }

    private WeightMatrix Prepare(string name, WeightMatrix matrix) => Tensors.Prepare(Full(name + ".weight"), matrix);

    private FeedForwardWeights Network(string name, WeightMatrix gate, WeightMatrix up, WeightMatrix down) =>
        new(Prepare(name, gate), Prepare(name, up), Prepare(name, down));

    private string Full(string name) => Layer < 0 ? name : $"layers.{Layer}.{name}";
}
