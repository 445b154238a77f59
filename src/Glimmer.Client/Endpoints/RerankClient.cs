using System.Text.Json.Serialization;

namespace Glimmer.Client;

/// <summary><c>POST /rerank</c> (spec: api.md §12.2).</summary>
public sealed class RerankClient
{
    private readonly Transport _transport;

    internal RerankClient(Transport transport) => _transport = transport;

    /// <summary>Ranks documents by how well they answer a query.</summary>
    /// <param name="request">Query and documents.</param>
    /// <param name="cancel">Ends the call.</param>
    public Task<RerankResult> CreateAsync(RerankRequest request, CancellationToken cancel = default) =>
        _transport.CallAsync("/rerank", ClientJson.Write(request, ClientJson.Default.RerankRequest), ClientJson.Default.RerankResult, cancel);
}

/// <summary>Documents to rank.</summary>
public sealed record RerankRequest : WireObject
{
    /// <summary>Model code, e.g. <c>rerank</c>.</summary>
    public required string Model { get; init; }

    /// <summary>At most 4096 characters.</summary>
    public required string Query { get; init; }

    /// <summary>At most 128 of at most 4096 characters.</summary>
    public required IReadOnlyList<string> Documents { get; init; }

    /// <summary>How many of the best; null or 0 for all.</summary>
    public int? TopN { get; init; }

    /// <summary>Whether the texts come back.</summary>
    public bool? ReturnDocuments { get; init; }

    /// <summary>Whether scores come as the model gives them.</summary>
    public bool? ReturnRawScores { get; init; }

    /// <summary>6 to 64 characters.</summary>
    public string? RequestId { get; init; }

    /// <summary>The end user, 6 to 128 characters.</summary>
    public string? UserId { get; init; }
}

/// <summary>Documents in order.</summary>
public sealed record RerankResult : WireObject
{
    /// <summary>Id of the answer.</summary>
    public string? Id { get; init; }

    /// <summary>Id of the request.</summary>
    public string? RequestId { get; init; }

    /// <summary>Unix seconds.</summary>
    public long Created { get; init; }

    /// <summary>The best first.</summary>
    public IReadOnlyList<RerankedDocument> Results
    {
        get => field ?? [];
        init;
    }

    /// <summary>What it cost.</summary>
    public Usage? Usage { get; init; }
}

/// <summary>A document's place.</summary>
public sealed record RerankedDocument
{
    /// <summary>Its place in the request.</summary>
    public int Index { get; init; }

    /// <summary>How well it answers.</summary>
    public double RelevanceScore { get; init; }

    /// <summary>Its text, where asked for.</summary>
    public string? Document { get; init; }
}
