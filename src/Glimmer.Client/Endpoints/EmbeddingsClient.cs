using System.Text.Json.Serialization;

namespace Glimmer.Client;

/// <summary><c>POST /embeddings</c> (spec: api.md §12.1).</summary>
public sealed class EmbeddingsClient
{
    private readonly Transport _transport;

    internal EmbeddingsClient(Transport transport) => _transport = transport;

    /// <summary>Makes vectors of texts.</summary>
    /// <param name="request">The texts.</param>
    /// <param name="cancel">Ends the call.</param>
    public Task<EmbeddingResult> CreateAsync(EmbeddingRequest request, CancellationToken cancel = default) =>
        _transport.CallAsync("/embeddings", ClientJson.Write(request, ClientJson.Default.EmbeddingRequest), ClientJson.Default.EmbeddingResult, cancel);
}

/// <summary>Texts to make vectors of.</summary>
public sealed record EmbeddingRequest : WireObject
{
    /// <summary>Model code, e.g. <c>embedding-3</c>.</summary>
    public required string Model { get; init; }

    /// <summary>The texts.</summary>
    public required IReadOnlyList<string> Input { get; init; }

    /// <summary>Length of the vectors.</summary>
    public int? Dimensions { get; init; }

    /// <summary><c>float</c> or <c>base64</c>; both are read.</summary>
    public string? EncodingFormat { get; init; }

    /// <summary>6 to 64 characters.</summary>
    public string? RequestId { get; init; }

    /// <summary>The end user, 6 to 128 characters.</summary>
    public string? UserId { get; init; }
}

/// <summary>Vectors of texts.</summary>
public sealed record EmbeddingResult : WireObject
{
    /// <summary>Model code.</summary>
    public string? Model { get; init; }

    /// <summary>A vector for each text.</summary>
    public IReadOnlyList<EmbeddingVector> Data
    {
        get => field ?? [];
        init;
    }

    /// <summary>What it cost.</summary>
    public Usage? Usage { get; init; }
}

/// <summary>The vector of a text.</summary>
public sealed record EmbeddingVector
{
    /// <summary>Place of the text.</summary>
    public int Index { get; init; }

    /// <summary>The numbers.</summary>
    [JsonConverter(typeof(VectorConverter))]
    public ReadOnlyMemory<float> Embedding { get; init; }
}
