using Glimmer.Inference.Backends;

namespace Glimmer.Inference.Routing.Definitions;

/// <summary>What a file of backends says.</summary>
/// <param name="Backends">The backends, in the file's order.</param>
/// <param name="Routing">How requests are spread over them.</param>
public sealed record BackendSet(IReadOnlyList<BackendDefinition> Backends, RoutingOptions Routing)
{
    /// <summary>What is legal and better said otherwise, for people.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>Whether two sets say the same.</summary>
    internal bool SaysTheSameAs(BackendSet other) =>
        Routing == other.Routing
        && Backends.Count == other.Backends.Count
        && Backends.Zip(other.Backends).All(static pair => IsSame(pair.First, pair.Second) && pair.First.Weight == pair.Second.Weight && pair.First.MaxInFlight == pair.Second.MaxInFlight);

    /// <summary>Whether two definitions need no other backend: they say the same but for weight and places.</summary>
    internal static bool IsSame(BackendDefinition left, BackendDefinition right) =>
        left with { Headers = right.Headers, Models = right.Models, Weight = right.Weight, MaxInFlight = right.MaxInFlight } == right
        && left.Models.SequenceEqual(right.Models)
        && left.Headers.Count == right.Headers.Count
        && left.Headers.All(header => right.Headers.TryGetValue(header.Key, out string? value) && value == header.Value);
}

/// <summary>A file of backends cannot be used. The message is one line that names the file, the line, the key and a legal value.</summary>
public sealed class BackendFileException(string message, Exception? inner = null) : Exception(message, inner);
