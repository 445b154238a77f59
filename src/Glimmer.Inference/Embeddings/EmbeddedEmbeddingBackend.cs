using Glimmer.Engine.Packages;
using Glimmer.Kernels;
using Glimmer.Models;
using Glimmer.Models.Memory;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Embeddings;

/// <summary>
/// Makes vectors with a model that runs in this process: each text alone through all layers, the states after the final norm pooled and brought to length 1.
/// The operator says which model is meant for it; a model that was trained to chat gives vectors too, but poor ones.
/// </summary>
public sealed class EmbeddedEmbeddingBackend : IEmbeddingBackend, IAsyncDisposable
{
    private const int PageTokens = 64;
    private const int PassTokens = 512;
    private readonly ModelPackage _package;
    private readonly Pooling _pooling;
    private readonly ThreadTeam _team;
    private readonly KvArena _arena;
    private readonly ForwardBatch _batch = new() { KeepHidden = true };
    private readonly SemaphoreSlim _turn = new(1);
    private readonly int[] _pages;
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>A backend over a loaded model, which it owns from now on.</summary>
    /// <param name="package">The model.</param>
    /// <param name="model">Code it answers for.</param>
    /// <param name="pooling">How states become a vector.</param>
    /// <param name="threads">Threads of a pass; 0 for one per processor.</param>
    /// <param name="maxTokens">Most tokens of a text; bounded by the model's context.</param>
    public EmbeddedEmbeddingBackend(ModelPackage package, string model, Pooling pooling = Pooling.Mean, int threads = 0, int maxTokens = 3072)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokens, 1);
        _package = package;
        _pooling = pooling;
        Model = model;
        MaxTokens = Math.Min(maxTokens, package.Description.ContextLength);
        _team = new ThreadTeam(threads > 0 ? threads : Environment.ProcessorCount);
        _pages = [.. Enumerable.Range(0, (MaxTokens + PageTokens - 1) / PageTokens)];
        _arena = new KvArena(package.Model.KvLayout, _pages.Length, PageTokens, 1, package.Model.KvFormat);
    }

    /// <inheritdoc/>
    public string Name => $"embedded:{_package.Code}";

    /// <inheritdoc/>
    public string Model { get; }

    /// <inheritdoc/>
    public int Dimensions => _package.Description.HiddenSize;

    /// <summary>Most tokens of a text.</summary>
    public int MaxTokens { get; }

    /// <inheritdoc/>
    public async Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel)
    {
        if (dimensions > Dimensions || dimensions < 1)
            return Wrong(PlatformError.Invalid("dimensions", $"{dimensions} is out of range", $"{Model} makes vectors of {Dimensions} numbers; ask for 1 to {Dimensions}"));
        var tokens = new int[texts.Count][];
        int all = 0;
        for (int i = 0; i < texts.Count; i++)
        {
            List<int> ids = [];
            _package.Tokenizer.Encode(texts[i], recogniseAdded: false, ids);
            string field = $"input[{i}]";
            if (ids.Count == 0)
                return Wrong(PlatformError.Invalid(field, "it is empty", "Send some text"));
            if (ids.Count > MaxTokens)
                return Wrong(EmbeddingLimits.TooLong(Model, field, ids.Count, MaxTokens));
            all += ids.Count;
            if (EmbeddingLimits.Check(Model, i, ids.Count, all) is { } error)
                return Wrong(error);
            tokens[i] = [.. ids];
        }

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel, _stopping.Token);
        await _turn.WaitAsync(ended.Token);
        try
        {
            return await Task.Factory.StartNew(() => Run(tokens, dimensions ?? Dimensions, ended.Token), ended.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Ends the work after the text in hand and closes the model.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _turn.WaitAsync();
        _team.Dispose();
        _arena.Dispose();
        _package.Dispose();
        _turn.Dispose();
    }

    private EmbeddingOutcome Run(int[][] texts, int dimensions, CancellationToken cancel)
    {
        var vectors = new float[texts.Length][];
        int total = 0;
        for (int i = 0; i < texts.Length; i++)
        {
            cancel.ThrowIfCancellationRequested();
            vectors[i] = Unit(States(texts[i]), dimensions);
            total += texts[i].Length;
        }

        return new EmbeddingOutcome(vectors, total, null);
    }

    /// <summary>The pooled states of a text. The sum is taken token after token, so that cutting the text into passes changes nothing.</summary>
    private double[] States(int[] tokens)
    {
        int width = Dimensions;
        double[] pooled = new double[width];
        for (int at = 0; at < tokens.Length; at += PassTokens)
        {
            int count = Math.Min(PassTokens, tokens.Length - at);
            _batch.Clear();
            int chunk = _batch.Add(new SequenceChunk(tokens.AsMemory(at, count), at, _pages, 0, LogitsWanted.None));
            _package.Model.Forward(_batch, _arena, _team);
            ReadOnlySpan<float> states = _batch.Hidden(chunk, 0, count, width).Span;
            for (int row = _pooling == Pooling.Mean ? 0 : count - 1; row < count; row++)
            {
                if (_pooling == Pooling.Last)
                    Array.Clear(pooled);
                for (int column = 0; column < width; column++)
                    pooled[column] += states[row * width + column];
            }
        }

        return pooled;
    }

    private static float[] Unit(double[] values, int count)
    {
        double square = 0;
        for (int i = 0; i < count; i++)
            square += values[i] * values[i];
        double scale = square > 0 ? 1 / Math.Sqrt(square) : 0;
        float[] vector = new float[count];
        for (int i = 0; i < count; i++)
            vector[i] = (float)(values[i] * scale);
        return vector;
    }

    private static EmbeddingOutcome Wrong(PlatformError error) => new(null, 0, error);
}
