using System.Globalization;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Inference.Embeddings;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Script;

/// <summary>
/// Gives the vectors of a scenario: given ones as they are given, recorded ones as they were recorded, and for every other text of a model that the scenario names one of
/// length 1 that follows from the model, the text and the seed alone. Equal texts have equal vectors; others are nearly at right angles. They know nothing of meaning.
/// </summary>
public sealed class ScriptEmbeddingBackend : IEmbeddingBackend
{
    private readonly Func<ScenarioPlay> _play;
    private readonly Func<ITokenizer> _tokenizer;
    private readonly ScriptOptions _options;
    private readonly RequestLog _log;

    internal ScriptEmbeddingBackend(string model, Func<ScenarioPlay> play, Func<ITokenizer> tokenizer, ScriptOptions options, RequestLog log)
    {
        Model = model;
        _play = play;
        _tokenizer = tokenizer;
        _options = options;
        _log = log;
    }

    /// <inheritdoc/>
    public string Name => "script";

    /// <inheritdoc/>
    public string Model { get; }

    /// <summary>Numbers of a vector; 0 where only recordings know.</summary>
    public int Dimensions => Scripted(_play())?.Dimensions ?? Live?.Dimensions ?? 0;

    private RecordingEmbeddingBackend? Live => _options.LiveEmbeddings.FirstOrDefault(live => string.Equals(live.Model, Model, StringComparison.OrdinalIgnoreCase));

    /// <inheritdoc/>
    public async Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel)
    {
        ScenarioPlay play = _play();
        ScriptedEmbeddings? scripted = Scripted(play);
        LoggedRequest entry = _log.Embedded(Model, texts);

        // As with chat: what is written first, then what was recorded, then what is made up or asked for.
        bool written = scripted is not null && texts.All(text => scripted.Vectors.Any(given => given.Text.Matches(text, out _)));
        if (!written && play.FindRecording(Model, texts, dimensions) is { } recording)
            return Note(entry, RequestOutcome.Recording, RecordingEmbeddingBackend.Outcome(recording));
        if (scripted is not null)
            return Note(entry, RequestOutcome.Embedded, Make(scripted, play.Seed, texts, dimensions, cancel));
        if (Live is { } live)
            return Note(entry, RequestOutcome.Live, await live.EmbedAsync(texts, dimensions, cancel));
        return Note(entry, RequestOutcome.Unknown, new EmbeddingOutcome(null, 0, Unknown(play, texts, dimensions)));
    }

    private static EmbeddingOutcome Note(LoggedRequest entry, RequestOutcome outcome, EmbeddingOutcome made)
    {
        entry.Outcome = outcome;
        entry.Code = made.Error?.Code;
        return made;
    }

    private static float[] VectorOf(ScriptedEmbeddings scripted, ulong seed, string text, int dimensions)
    {
        foreach (ScriptedVector given in scripted.Vectors)
        {
            if (given.Text.Matches(text, out _))
                return given.Vector[..dimensions];
        }

        // Sums of four even numbers are round enough, and exact on every machine, which logarithms are not.
        SeededChance chance = new(seed, scripted.Model, text);
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

    private ScriptedEmbeddings? Scripted(ScenarioPlay play) =>
        play.Scenario.Embeddings.FirstOrDefault(scripted => string.Equals(scripted.Model, Model, StringComparison.OrdinalIgnoreCase));

    private EmbeddingOutcome Make(ScriptedEmbeddings scripted, ulong seed, IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel)
    {
        if (dimensions > scripted.Dimensions || dimensions < 1)
        {
            return new EmbeddingOutcome(null, 0, PlatformError.Invalid(
                "dimensions", string.Create(CultureInfo.InvariantCulture, $"{dimensions} is out of range"), string.Create(CultureInfo.InvariantCulture, $"{Model} makes vectors of {scripted.Dimensions} numbers; ask for 1 to {scripted.Dimensions}")));
        }

        float[][] vectors = new float[texts.Count][];
        List<int> tokens = [];
        for (int i = 0; i < vectors.Length; i++)
        {
            cancel.ThrowIfCancellationRequested();
            vectors[i] = VectorOf(scripted, seed, texts[i], dimensions ?? scripted.Dimensions);
            int before = tokens.Count;
            _tokenizer().Encode(texts[i], recogniseAdded: false, tokens);
            if (EmbeddingLimits.Check(Model, i, tokens.Count - before, tokens.Count) is { } error)
                return new EmbeddingOutcome(null, 0, error);
        }

        return new EmbeddingOutcome(vectors, tokens.Count, null);
    }

    private PlatformError Unknown(ScenarioPlay play, IReadOnlyList<string> texts, int? dimensions)
    {
        play.CountUnknown();
        string message = string.Create(
            CultureInfo.InvariantCulture,
            $"The scenario has recorded no vectors of {Model} for these {texts.Count} texts (first: {RequestMatcher.Show(texts[0])}) with {(dimensions is { } asked ? $"{asked} dimensions" : "all dimensions")}. A recording answers the same texts in the same order; \"embeddings\" in the scenario makes vectors for others.");
        _options.Unmatched?.Invoke(message);
        return new PlatformError(BusinessCode.CallFailed, message);
    }
}
