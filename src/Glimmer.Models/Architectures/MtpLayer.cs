using Glimmer.Kernels;
using Glimmer.Models.Configuration;
using Glimmer.Models.Layers;
using Glimmer.Models.Memory;

namespace Glimmer.Models.Architectures;

/// <summary>
/// The next-n layer: joins the next token's embedding with the trunk's state, runs one decoder layer, and predicts the
/// token after the next.
/// </summary>
internal sealed unsafe class MtpLayer : IDraftModel, IDisposable
{
    private readonly ForwardPass _pass = new();
    private readonly ModelConfig _config;
    private readonly Rotation? _rotation;
    private readonly Embedding _embedding;
    private readonly RmsNorm _embeddingNorm;
    private readonly RmsNorm _stateNorm;
    private readonly Linear _join;
    private readonly DecoderLayer _layer;
    private readonly LmHead _head;

    /// <summary>Takes its tensors from the builder's current layer; copies of embedding and head are optional in the file.</summary>
    public MtpLayer(Architecture architecture, LayerBuilder builder, Rotation? rotation, Embedding embedding, Linear output, ActivationMode mode)
    {
        _config = builder.Config;
        _pass.Mode = mode;
        _rotation = rotation;
        int hidden = _config.HiddenSize, vocabulary = _config.VocabularySize;
        string? own = builder.Has("mtp.embed_tokens.weight") ? "mtp.embed_tokens.weight" : builder.Has("embed_tokens.weight") ? "embed_tokens.weight" : null;
        _embedding = own is null ? embedding : new Embedding(builder.Matrix(own, vocabulary, hidden));
        _embeddingNorm = builder.Norm("enorm", hidden);
        _stateNorm = builder.Norm("hnorm", hidden);
        _join = builder.Linear("eh_proj", hidden, 2 * hidden);
        _layer = architecture.BuildNextNLayer(builder);
        Linear head = builder.Has("shared_head.head.weight") ? builder.Linear("shared_head.head", vocabulary, hidden) : output;
        _head = new LmHead(builder.Norm("shared_head.norm", hidden), head);
    }

    /// <inheritdoc/>
    public int HiddenSize => _config.HiddenSize;

    /// <inheritdoc/>
    public void Forward(ForwardBatch batch, KvArena arena, ThreadTeam team)
    {
        if (batch.Chunks.Count == 0)
            return;
        ForwardPass pass = _pass;
        pass.Begin(batch.Chunks, batch.TokenCount, _config.VocabularySize, arena, team, batch.Observer);
        if (_rotation is not null)
            pass.Rotation = _rotation.For(pass);
        if (_config.Indexer is { } indexer)
            pass.ReserveSelection(indexer.MostChosen);
        int hidden = HiddenSize;
        Rows embedded = pass.Scratch.Rows(pass.RowCount, hidden), joined = pass.Scratch.Rows(pass.RowCount, 2 * hidden), stream = pass.Scratch.Rows(pass.RowCount, hidden);
        _embedding.Apply(pass, embedded);
        for (int c = 0; c < pass.ChunkCount; c++)
        {
            int first = pass.FirstRow(c), count = pass.FirstRow(c + 1) - first;
            ReadOnlySpan<float> states = batch.States(c).Span;
            if (states.Length != (long)count * hidden)
                throw new ArgumentException($"A draft chunk of {count} tokens needs {count} states of {hidden}, not {states.Length} numbers.", nameof(batch));
            states.CopyTo(new Span<float>(stream.Row(first), states.Length));
        }

        for (int row = 0; row < pass.RowCount; row++)
        {
            _embeddingNorm.Apply(embedded.Row(row), joined.Row(row));
            _stateNorm.Apply(stream.Row(row), joined.Row(row) + hidden);
        }

        _join.Apply(pass, joined, stream);
        pass.Observer?.Observe("mtp.z", stream.Count, stream.Width, stream.Span);
        _layer.Apply(pass, stream);
        pass.Observer?.Observe("mtp.block_out", stream.Count, stream.Width, stream.Span);
        _head.Apply(pass, batch, stream, "mtp.hidden_out");
    }

    /// <inheritdoc/>
    public void Dispose() => _pass.Dispose();
}
