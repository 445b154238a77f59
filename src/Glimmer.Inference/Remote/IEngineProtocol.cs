using System.Text.Json;
using Glimmer.Dialogue.Constraints.Gbnf;

namespace Glimmer.Inference.Remote;

/// <summary>What a probe of an engine found.</summary>
internal sealed record EngineStatus
{
    /// <summary>Name and version.</summary>
    public required string Server { get; init; }

    /// <inheritdoc cref="Backends.BackendProbe.Running"/>
    public int? Running { get; init; }

    /// <inheritdoc cref="Backends.BackendProbe.Waiting"/>
    public int? Waiting { get; init; }

    /// <inheritdoc cref="Backends.BackendProbe.CacheUsage"/>
    public double? CacheUsage { get; init; }

    /// <summary>The models it names and their most tokens; null when it names none.</summary>
    public IReadOnlyDictionary<string, int?>? Models { get; init; }

    /// <summary>Most tokens of prompt and answer of the one model that it has; null when it does not say.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Where the engine found its model; null when it does not say.</summary>
    public string? ModelPath { get; init; }
}

/// <summary>How one kind of engine is spoken to. Keeps no state of single requests.</summary>
internal interface IEngineProtocol
{
    /// <summary>Path of the requests.</summary>
    string Path { get; }

    /// <summary>How its grammars are written.</summary>
    GbnfDialect Grammars { get; }

    /// <summary>Writes the body of a request for a stream of tokens.</summary>
    void Write(Utf8JsonWriter json, EngineRequest request);

    /// <summary>Reads an event of the stream. May throw what <see cref="JsonElement"/> throws when a value has another type.</summary>
    /// <param name="data">The event.</param>
    /// <param name="received">Ids read before, in this run.</param>
    /// <param name="vocabulary">The model's vocabulary.</param>
    /// <param name="chunk">Receives what it says; empty before.</param>
    void Read(JsonElement data, IReadOnlyList<int> received, TokenBytes vocabulary, EngineChunk chunk);

    /// <summary>Asks the engine whether it is well.</summary>
    /// <exception cref="EngineException">It is not.</exception>
    Task<EngineStatus> ProbeAsync(EngineTransport transport, CancellationToken cancel);

    /// <summary>The engine's tokens of a text, nothing prepended; null when it cannot tell.</summary>
    /// <exception cref="EngineException">It failed.</exception>
    Task<int[]?> TokenizeAsync(EngineTransport transport, string? model, string text, CancellationToken cancel);
}
