using Glimmer.Kernels;
using Glimmer.Models.Memory;

namespace Glimmer.Models.Tests;

/// <summary>Runs a model with a cache of its own.</summary>
internal sealed class ModelRunner : IDisposable
{
    private readonly LanguageModel _model;
    private readonly ThreadTeam _team;
    private readonly int[][] _pages;

    public ModelRunner(LanguageModel model, int tokens, int pageTokens = 16, int threads = 1, int sequences = 1, bool shuffled = false, KvFormat format = KvFormat.F32)
    {
        _model = model;
        _team = new ThreadTeam(threads);
        int pages = (tokens + pageTokens - 1) / pageTokens;
        Arena = new KvArena(model.KvLayout, pages * sequences, pageTokens, sequences, format);
        int[] order = [.. Enumerable.Range(0, pages * sequences)];
        if (shuffled)
            new Random(5).Shuffle(order);
        _pages = [.. Enumerable.Range(0, sequences).Select(s => order[(s * pages)..((s + 1) * pages)])];
    }

    public KvArena Arena { get; }

    public ForwardBatch Batch { get; } = new();

    public int Vocabulary => _model.Description.VocabularySize;

    public int Add(int sequence, ReadOnlyMemory<int> tokens, int position, LogitsWanted logits = LogitsWanted.All) =>
        Batch.Add(new SequenceChunk(tokens, position, _pages[sequence], sequence, logits));

    public void Run() => _model.Forward(Batch, Arena, _team);

    public float[] Chunked(int sequence, int[] tokens, params int[] cuts)
    {
        List<float> logits = [];
        int start = 0;
        foreach (int end in cuts.Append(tokens.Length))
        {
            Batch.Clear();
            Add(sequence, tokens.AsMemory(start, end - start), start);
            Run();
            logits.AddRange(Batch.ReserveLogits(Vocabulary));
            start = end;
        }

        return [.. logits];
    }

    public void Dispose()
    {
        Arena.Dispose();
        _team.Dispose();
    }
}
