using System.Globalization;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Inference.Embeddings;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Script;

/// <summary>
/// Makes the vectors of a scenario: given ones as they are given, and for every other text one of length 1 that follows from the model, the text and the seed alone.
/// Equal texts have equal vectors; others are nearly at right angles. They know nothing of meaning.
/// </summary>
public sealed class ScriptEmbeddingBackend : IEmbeddingBackend
{
    private readonly ScriptedEmbeddings _scripted;
    private readonly ulong _seed;
    private readonly Func<ITokenizer> _tokenizer;
    private readonly RequestLog? _log;

    internal ScriptEmbeddingBackend(ScriptedEmbeddings scripted, ulong seed, Func<ITokenizer> tokenizer, RequestLog? log)
    {
        _scripted = scripted;
        _seed = seed;
        _tokenizer = tokenizer;
        _log = log;
    }

    /// <inheritdoc/>
    public string Name => "script";

    /// <inheritdoc/>
    public string Model => _scripted.Model;

    /// <inheritdoc/>
    public int Dimensions => _scripted.Dimensions;

    /// <inheritdoc/>
    public Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel)
    {
        if (dimensions > Dimensions || dimensions < 1)
        {
            return Task.FromResult(new EmbeddingOutcome(null, 0, PlatformError.Invalid(
                "dimensions", string.Create(CultureInfo.InvariantCulture, $"{dimensions} is out of range"), string.Create(CultureInfo.InvariantCulture, $"{Model} makes vectors of {Dimensions} numbers; ask for 1 to {Dimensions}"))));
        }

        float[][] vectors = new float[texts.Count][];
        List<int> tokens = [];
        for (int i = 0; i < vectors.Length; i++)
        {
            cancel.ThrowIfCancellationRequested();
            vectors[i] = VectorOf(texts[i], dimensions ?? Dimensions);
            int before = tokens.Count;
            _tokenizer().Encode(texts[i], recogniseAdded: false, tokens);
            if (EmbeddingLimits.Check(Model, i, tokens.Count - before, tokens.Count) is { } error)
                return Task.FromResult(new EmbeddingOutcome(null, 0, error));
        }

        _log?.Embedded(Model, texts);
        return Task.FromResult(new EmbeddingOutcome(vectors, tokens.Count, null));
    }

    private float[] VectorOf(string text, int dimensions)
    {
        foreach (ScriptedVector given in _scripted.Vectors)
        {
            if (given.Text.Matches(text, out _))
                return given.Vector[..dimensions];
        }

        // Sums of four even numbers are round enough, and exact on every machine, which logarithms are not.
        SeededChance chance = new(_seed, Model, text);
        double[] numbers = new double[dimensions];
        double square = 0;
        for (int i = 0; i < dimensions; i++)
        {
            numbers[i] = chance.NextUnit() + chance.NextUnit() + chance.NextUnit() + chance.NextUnit() - 2;
            square += numbers[i] * numbers[i];
        }

        double length = square > 0 ? Math.Sqrt(square) : 1;
        return [.. numbers.Select(number => (float)(number / length))];
    }
}
