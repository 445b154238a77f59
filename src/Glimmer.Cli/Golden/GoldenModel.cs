using Glimmer.Kernels;
using Glimmer.Models;
using Glimmer.Models.Loading;
using Glimmer.Models.Memory;

namespace Glimmer.Cli.Golden;

/// <summary>A model with a small cache of its own, to run the cases of golden data token by token.</summary>
internal sealed class GoldenModel : IDisposable
{
    private readonly LoadedModel _loaded;
    private readonly KvArena _arena;
    private readonly ThreadTeam _team = new(2);
    private readonly int[][] _pages;

    /// <summary>Makes room for <paramref name="sequences"/> of <paramref name="tokens"/> tokens each in pages of <paramref name="pageTokens"/>.</summary>
    public GoldenModel(LoadedModel loaded, int tokens, int pageTokens, int sequences = 1)
    {
        _loaded = loaded;
        int pages = (tokens + pageTokens - 1) / pageTokens;
        _arena = new KvArena(loaded.Model.KvLayout, pages * sequences, pageTokens, sequences);

        // The pages of different sequences lie interleaved and backwards, so that nothing relies on their order.
        _pages = [.. Enumerable.Range(0, sequences).Select(s => Enumerable.Range(0, pages).Select(p => (pages - 1 - p) * sequences + s).ToArray())];
        PageTokens = pageTokens;
    }

    /// <summary>Tokens per page.</summary>
    public int PageTokens { get; }

    /// <summary>The batch of the last pass.</summary>
    public ForwardBatch Batch { get; } = new();

    /// <summary>The model.</summary>
    public LanguageModel Model => _loaded.Model;

    /// <summary>Rows of logits.</summary>
    public int Vocabulary => Model.Description.VocabularySize;

    /// <summary>Adds a chunk of a sequence to the next pass.</summary>
    public int Add(int sequence, ReadOnlyMemory<int> tokens, int position, LogitsWanted logits, ReadOnlyMemory<float> states = default) =>
        Batch.Add(new SequenceChunk(tokens, position, _pages[sequence], sequence, logits), states);

    /// <summary>Lets a sequence use the first pages of another.</summary>
    public void SharePrefix(int from, int to, int pages) => _pages[from].AsSpan(0, pages).CopyTo(_pages[to]);

    /// <summary>Runs what was added.</summary>
    public void Run(IForwardObserver? observer = null)
    {
        Batch.Observer = observer;
        Model.Forward(Batch, _arena, _team);
    }

    /// <summary>Runs what was added through the draft layer.</summary>
    public void RunDraft(IForwardObserver? observer = null)
    {
        Batch.Observer = observer;
        Model.Draft!.Forward(Batch, _arena, _team);
    }

    /// <summary>Logits of every token of a prompt, given in chunks of at most <paramref name="chunk"/>.</summary>
    public float[] Prompt(int sequence, int[] tokens, int chunk, IForwardObserver? observer = null)
    {
        float[] logits = new float[tokens.Length * Vocabulary];
        for (int start = 0; start < tokens.Length; start += chunk)
        {
            int count = Math.Min(chunk, tokens.Length - start);
            Batch.Clear();
            Add(sequence, tokens.AsMemory(start, count), start, LogitsWanted.All);
            Run(observer);
            for (int row = 0; row < count; row++)
                Batch.Logits(0, row, Vocabulary).CopyTo(logits.AsSpan((start + row) * Vocabulary));
        }

        return logits;
    }

    /// <summary>Goes on greedily from the logits of a prompt's last token.</summary>
    public (int[] Tokens, float[] Logits) Greedy(int sequence, int position, ReadOnlySpan<float> last, int count)
    {
        int[] tokens = new int[count];
        float[] logits = new float[count * Vocabulary];
        last[^Vocabulary..].CopyTo(logits);
        for (int i = 0; i < count; i++)
        {
            tokens[i] = ArgMax(logits.AsSpan(i * Vocabulary, Vocabulary));
            if (i + 1 == count)
                break;
            Batch.Clear();
            Add(sequence, tokens.AsMemory(i, 1), position + i, LogitsWanted.Last);
            Run();
            Batch.Logits(0, 0, Vocabulary).CopyTo(logits.AsSpan((i + 1) * Vocabulary));
        }

        return (tokens, logits);
    }

    /// <summary>Index of the largest; the lower one of equals.</summary>
    public static int ArgMax(ReadOnlySpan<float> values)
    {
        int best = 0;
        for (int i = 1; i < values.Length; i++)
        {
            if (values[i] > values[best])
                best = i;
        }

        return best;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _arena.Dispose();
        _team.Dispose();
    }
}

/// <summary>Keeps every intermediate result of a pass.</summary>
internal sealed class GoldenRecorder : IForwardObserver
{
    private readonly Dictionary<string, (int Width, float[] Values)> _seen = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public void Observe(string name, int rows, int columns, ReadOnlySpan<float> values) => _seen[name] = (columns, values.ToArray());

    /// <summary>What was seen under a name.</summary>
    public bool TryGet(string name, out int width, out float[] values)
    {
        bool found = _seen.TryGetValue(name, out (int Width, float[] Values) seen);
        (width, values) = found ? seen : (0, []);
        return found;
    }
}
