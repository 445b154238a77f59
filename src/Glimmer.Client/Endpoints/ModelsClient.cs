using System.Text.Json.Serialization;

namespace Glimmer.Client;

/// <summary><c>GET /models</c>.</summary>
public sealed class ModelsClient
{
    private readonly Transport _transport;

    internal ModelsClient(Transport transport) => _transport = transport;

    /// <summary>What is offered.</summary>
    /// <param name="cancel">Ends the call.</param>
    public async Task<IReadOnlyList<ModelInfo>> ListAsync(CancellationToken cancel = default) =>
        (await _transport.CallAsync("/models", null, ClientJson.Default.ModelList, cancel).ConfigureAwait(false)).Data;

    /// <summary>One model.</summary>
    /// <param name="id">Its code.</param>
    /// <param name="cancel">Ends the call.</param>
    /// <exception cref="GlimmerInvalidRequestException">There is no such model.</exception>
    public Task<ModelInfo> GetAsync(string id, CancellationToken cancel = default) =>
        _transport.CallAsync($"/models/{Uri.EscapeDataString(id)}", null, ClientJson.Default.ModelInfo, cancel);
}

/// <summary>A model.</summary>
public sealed record ModelInfo : WireObject
{
    /// <summary>Its code.</summary>
    public required string Id { get; init; }

    /// <summary>Unix seconds.</summary>
    public long Created { get; init; }

    /// <summary>Whose it is.</summary>
    public string? OwnedBy { get; init; }
}

/// <summary>The answer of the list.</summary>
internal sealed record ModelList
{
    public IReadOnlyList<ModelInfo> Data
    {
        get => field ?? [];
        init;
    }
}
