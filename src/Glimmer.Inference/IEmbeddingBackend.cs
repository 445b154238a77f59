using Glimmer.Protocol.Errors;

namespace Glimmer.Inference;

/// <summary>Vectors of some texts, or why there are none.</summary>
/// <param name="Vectors">One per text, each of length 1; null with an error.</param>
/// <param name="Tokens">Tokens of all texts.</param>
/// <param name="Error">What is wrong with the request.</param>
public readonly record struct EmbeddingOutcome(IReadOnlyList<float[]>? Vectors, int Tokens, PlatformError? Error);

/// <summary>Something that turns texts into vectors whose angles say how alike they are.</summary>
public interface IEmbeddingBackend
{
    /// <summary>Name for logs and traces.</summary>
    string Name { get; }

    /// <summary>Code it answers for.</summary>
    string Model { get; }

    /// <summary>Numbers of a vector.</summary>
    int Dimensions { get; }

    /// <summary>Makes the vectors. Errors of the request come back as values.</summary>
    /// <param name="texts">At least one.</param>
    /// <param name="dimensions">Numbers to keep of each, from the front; null for all.</param>
    /// <param name="cancel">Ends the work after the text in hand.</param>
    Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel);
}
