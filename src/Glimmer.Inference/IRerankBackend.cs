using Glimmer.Protocol.Errors;

namespace Glimmer.Inference;

/// <summary>How well some documents fit a query, or why nobody knows.</summary>
/// <param name="Scores">One per document, in their order, from 0 (not at all) to 1; null with an error.</param>
/// <param name="RawScores">The model's own measure behind them, whose order decides; null with an error.</param>
/// <param name="Tokens">Tokens of the query and all documents.</param>
/// <param name="Error">What is wrong with the request; its fields are <c>query</c> and <c>documents[i]</c>.</param>
public readonly record struct RerankOutcome(IReadOnlyList<double>? Scores, IReadOnlyList<double>? RawScores, int Tokens, PlatformError? Error);

/// <summary>Something that says how well documents fit a query.</summary>
public interface IRerankBackend
{
    /// <summary>Name for logs and traces.</summary>
    string Name { get; }

    /// <summary>Code it answers for.</summary>
    string Model { get; }

    /// <summary>Scores documents. Errors of the request come back as values.</summary>
    /// <param name="query">What is looked for.</param>
    /// <param name="documents">At least one.</param>
    /// <param name="cancel">Ends the work soon.</param>
    Task<RerankOutcome> ScoreAsync(string query, IReadOnlyList<string> documents, CancellationToken cancel);
}
