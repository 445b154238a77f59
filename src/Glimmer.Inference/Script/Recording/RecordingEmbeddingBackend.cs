using System.Globalization;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Script;

/// <summary>
/// Asks another backend for vectors and keeps them in a file, to be given again without it. A request that the file knows is answered from it: same model, same texts in
/// the same order, same number of dimensions. Reranking asks for vectors too, so it is recorded with them.
/// </summary>
/// <param name="inner">The backend that is asked.</param>
/// <param name="file">Where vectors are kept.</param>
public sealed class RecordingEmbeddingBackend(IEmbeddingBackend inner, RecordingFile file) : IEmbeddingBackend
{
    /// <inheritdoc/>
    public string Name => inner.Name;

    /// <inheritdoc/>
    public string Model => inner.Model;

    /// <inheritdoc/>
    public int Dimensions => inner.Dimensions;

    /// <inheritdoc/>
    public async Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel)
    {
        string fingerprint = RequestFingerprint.Of(Model, texts, dimensions);
        if (file.Find(fingerprint) is { } known)
            return Outcome(known);
        EmbeddingOutcome made = await inner.EmbedAsync(texts, dimensions, cancel);
        file.Add(new Recording
        {
            Fingerprint = fingerprint,
            Summary = Summarise(texts),
            Embedding = new RecordedVectors(Model, made.Tokens, made.Vectors ?? []),
            Refused = made.Error,
            Fault = made.Error is { Status: >= 400 and < 500 and not 429 } ? StartFault.Request : made.Error is { Status: 429 } ? StartFault.Busy : StartFault.Backend,
        });
        return made;
    }

    /// <summary>Gives a recording again.</summary>
    internal static EmbeddingOutcome Outcome(Recording recording) => recording.Refused is { } refused
        ? new EmbeddingOutcome(null, 0, refused)
        : new EmbeddingOutcome(recording.Embedding!.Vectors, recording.Embedding.Tokens, null);

    /// <summary>What was asked, in a line for people.</summary>
    private string Summarise(IReadOnlyList<string> texts) =>
        string.Create(CultureInfo.InvariantCulture, $"{Model}; {texts.Count} texts; first: {RequestMatcher.Show(texts[0])}");
}
