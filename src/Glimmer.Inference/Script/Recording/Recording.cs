using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Script;

/// <summary>An answer that was recorded, or the error in its place. Holds no header and no key.</summary>
public sealed record Recording
{
    /// <summary>Which requests it answers (<see cref="RequestFingerprint"/>).</summary>
    public required string Fingerprint { get; init; }

    /// <summary>What was asked, for people.</summary>
    public string Summary { get; init; } = "";

    /// <summary>Why there was no answer; null when there was one.</summary>
    public PlatformError? Refused { get; init; }

    /// <summary>Whose fault it was that there was none.</summary>
    public StartFault Fault { get; init; }

    /// <summary>The vectors that were asked for, with the model that makes them; null for a chat request.</summary>
    public RecordedVectors? Embedding { get; init; }

    /// <summary>What was said.</summary>
    public IReadOnlyList<RecordedEvent> Events { get; init; } = [];

    /// <summary>How it ended.</summary>
    public FinishReason Finish { get; init; }

    /// <summary>What it cost.</summary>
    public ChatUsage Usage { get; init; }

    /// <summary>The stop text that ended it.</summary>
    public string? StopText { get; init; }

    /// <summary>What the backend said of its failure.</summary>
    public PlatformError? Error { get; init; }
}

/// <summary>Vectors that were made, in the order of the texts.</summary>
/// <param name="Model">Code of the model that made them.</param>
/// <param name="Tokens">What they cost.</param>
/// <param name="Vectors">One for each text, all of one length; none where the request was refused.</param>
public sealed record RecordedVectors(string Model, int Tokens, IReadOnlyList<float[]> Vectors);

/// <summary>Something that was said, and when.</summary>
/// <param name="Event">What.</param>
/// <param name="Milliseconds">How long after the request it came.</param>
public readonly record struct RecordedEvent(ChatEvent Event, int Milliseconds);
