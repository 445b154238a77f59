using System.Globalization;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Rerank;

/// <summary>
/// Scores documents by the vectors of an embedding model: the raw score is the cosine between the query's vector and the document's, the score is the same with
/// what lies below 0 cut off. No model reads query and document together here, so it tells likeness, not whether a question is answered.
/// </summary>
/// <param name="embeddings">Makes the vectors, each of length 1.</param>
/// <param name="model">Code it answers for.</param>
public sealed class EmbeddingRerankBackend(IEmbeddingBackend embeddings, string model = "rerank") : IRerankBackend
{
    /// <summary>Texts that are asked for together: the platform's own embedding models take no more (spec: api.md §12.1).</summary>
    private const int TextsAtOnce = 64;

    /// <inheritdoc/>
    public string Name => embeddings.Name;

    /// <inheritdoc/>
    public string Model => model;

    /// <inheritdoc/>
    public async Task<RerankOutcome> ScoreAsync(string query, IReadOnlyList<string> documents, CancellationToken cancel)
    {
        string[] texts = [query, .. documents];
        List<float[]> vectors = new(texts.Length);
        int tokens = 0;
        foreach (string[] some in texts.Chunk(TextsAtOnce))
        {
            EmbeddingOutcome outcome = await embeddings.EmbedAsync(some, null, cancel);
            if (outcome.Vectors is not { } made)
                return new RerankOutcome(null, null, 0, Rename(outcome.Error!, vectors.Count, some.Length));
            vectors.AddRange(made);
            tokens += outcome.Tokens;
        }

        double[] raw = new double[documents.Count];
        for (int i = 0; i < raw.Length; i++)
            raw[i] = Cosine(vectors[0], vectors[i + 1]);
        return new RerankOutcome([.. raw.Select(static score => Math.Max(score, 0))], raw, tokens, null);
    }

    /// <summary>The sum is taken in double precision and in one order; rounding may not lead out of -1 to 1.</summary>
    private static double Cosine(float[] left, float[] right)
    {
        double product = 0;
        double leftSquare = 0;
        double rightSquare = 0;
        for (int i = 0; i < left.Length; i++)
        {
            product += (double)left[i] * right[i];
            leftSquare += (double)left[i] * left[i];
            rightSquare += (double)right[i] * right[i];
        }

        double lengths = Math.Sqrt(leftSquare) * Math.Sqrt(rightSquare);
        return lengths > 0 ? Math.Clamp(product / lengths, -1, 1) : 0;
    }

    /// <summary>The embedding backend calls its texts <c>input[i]</c>; the caller knows a query and documents.</summary>
    private static PlatformError Rename(PlatformError error, int before, int count)
    {
        for (int i = 0; i < count; i++)
        {
            string theirs = string.Create(CultureInfo.InvariantCulture, $"input[{i}]");
            if (error.Field != theirs)
                continue;
            string ours = before + i == 0 ? "query" : string.Create(CultureInfo.InvariantCulture, $"documents[{before + i - 1}]");
            return error with { Field = ours, Message = error.Message.Replace(theirs, ours, StringComparison.Ordinal), Chinese = error.Chinese?.Replace(theirs, ours, StringComparison.Ordinal) };
        }

        return error;
    }
}
