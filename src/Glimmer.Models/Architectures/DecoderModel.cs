using Glimmer.Kernels;
using Glimmer.Models.Configuration;
using Glimmer.Models.Layers;
using Glimmer.Models.Loading;
using Glimmer.Models.Memory;

namespace Glimmer.Models.Architectures;

/// <summary>Embedding, layers of one architecture, final norm and output matrix.</summary>
internal sealed unsafe class DecoderModel : LanguageModel
{
    private readonly ForwardPass _pass = new();
    private readonly ModelConfig _config;
    private readonly Embedding _embedding;
    private readonly Rotation? _rotation;
    private readonly DecoderLayer[] _layers;
    private readonly LmHead _head;
    private readonly MtpLayer? _draft;
    private readonly int _streams;

    /// <summary>Builds the model of <paramref name="architecture"/> over the file's tensors.</summary>
    public DecoderModel(Architecture architecture, ModelConfig config, ITensorProvider tensors, bool draft, ActivationMode mode = ActivationMode.Exact, KvFormat? kvFormat = null)
    {
        LayerBuilder builder = new(config, tensors);
        _config = config;
        _pass.Mode = mode;
        _streams = config.Hyper?.Streams ?? 1;
        _rotation = config.Rope is null ? null : new Rotation(config.Rope);
        _embedding = new Embedding(builder.Matrix("embed_tokens.weight", config.VocabularySize, config.HiddenSize));
        bool tied = config.TiedEmbeddings ?? !builder.Has("lm_head.weight");
        Linear output = tied ? new Linear(tensors.Prepare("lm_head.weight", _embedding.Weight), null) : builder.Linear("lm_head", config.VocabularySize, config.HiddenSize);
        _head = new LmHead(builder.Norm("norm", config.HiddenSize), output);
        _layers = new DecoderLayer[config.Layers];
        for (int layer = 0; layer < _layers.Length; layer++)
            _layers[layer] = architecture.BuildLayer(builder.At(layer));
        if (draft && config.NextNLayers > 0 && builder.At(config.Layers).Has("eh_proj.weight"))
            _draft = new MtpLayer(architecture, builder, _rotation, _embedding, output, mode);
        KvLayout = builder.KvLayout;
        KvFormat = kvFormat ?? KvLayout.UsualFormat(builder.HasRoundedWeights);
        Description = new ModelDescription(architecture.Name, config.VocabularySize, config.HiddenSize, config.Layers, config.ContextLength, tensors.Parameters);
    }

    /// <summary>Bytes of activations held: as much as the largest pass so far needed.</summary>
    internal long ScratchBytes => _pass.Scratch.Bytes;

    /// <inheritdoc/>
    public override ModelDescription Description { get; }

    /// <inheritdoc/>
    public override KvLayout KvLayout { get; }

    /// <inheritdoc/>
    public override KvFormat KvFormat { get; }

    /// <inheritdoc/>
    public override IDraftModel? Draft => _draft;

    /// <inheritdoc/>
    public override void Forward(ForwardBatch batch, KvArena arena, ThreadTeam team)
    {
        if (batch.Chunks.Count == 0)
            return;
        ForwardPass pass = _pass;
        pass.Begin(batch.Chunks, batch.TokenCount, _config.VocabularySize, arena, team, batch.Observer);
        if (_rotation is not null)
            pass.Rotation = _rotation.For(pass);
        if (_config.Indexer is { } indexer)
            pass.ReserveSelection(indexer.MostChosen);
        if (_config.Rope?.Yarn is not null)
            pass.Observer?.Observe("yarn.inv_freq", 1, _rotation!.InverseFrequencies.Length, _rotation.InverseFrequencies);
        Rows embedded = pass.Scratch.Rows(pass.RowCount, _config.HiddenSize);
        _embedding.Apply(pass, embedded);
        pass.Observe("hidden", 0, "", embedded);
        Rows stream = Spread(pass, embedded);
        for (int layer = 0; layer < _layers.Length; layer++)
        {
            _layers[layer].Apply(pass, stream);
            pass.Observe("hidden", layer + 1, "", stream);
        }

        _head.Apply(pass, batch, Collapse(stream, embedded), "hidden.final");
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        _pass.Dispose();
        _draft?.Dispose();
        base.Dispose(disposing);
    }

    // Several residual streams all begin as the embedding …
    private Rows Spread(ForwardPass pass, Rows embedded)
    {
        if (_streams == 1)
            return embedded;
        Rows stream = pass.Scratch.Rows(embedded.Count, embedded.Width * _streams);
        for (int row = 0; row < embedded.Count; row++)
        {
            for (int s = 0; s < _streams; s++)
                new ReadOnlySpan<float>(embedded.Row(row), embedded.Width).CopyTo(new Span<float>(stream.Row(row) + s * embedded.Width, embedded.Width));
        }

        return stream;
    }

    // … and end as their mean.
    private Rows Collapse(Rows stream, Rows target)
    {
        if (_streams == 1)
            return stream;
        for (int row = 0; row < target.Count; row++)
        {
            float* mean = target.Row(row), source = stream.Row(row);
            new Span<float>(mean, target.Width).Clear();
            for (int s = 0; s < _streams; s++)
                RowMath.Add(mean, source + s * target.Width, target.Width);
            RowMath.Scale(mean, 1f / _streams, target.Width);
        }

        return target;
    }
}
