using Glimmer.Inference;

namespace Glimmer.Server.Routing;

/// <summary>
/// A provider that is filled once the models are loaded, so that the server can listen, answer health checks and show
/// its page before.
/// </summary>
public sealed class ChatBackendSlot : IChatBackendProvider
{
    private volatile State _state;

    /// <summary>An empty slot.</summary>
    /// <param name="detail">What is being loaded, for people.</param>
    public ChatBackendSlot(string detail = "The model is being loaded.") =>
        _state = new State(new BackendReadiness(BackendPhase.Loading, detail), [], null);

    /// <inheritdoc/>
    public BackendReadiness Readiness => _state.Readiness;

    /// <inheritdoc/>
    public IReadOnlyList<IChatBackend> Backends => _state.Backends;

    /// <inheritdoc/>
    public ChatRoute? StandIn => _state.StandIn is { } backend && backend.Models.Count > 0
        ? new ChatRoute(backend, backend.Models[0], true)
        : null;

    /// <summary>Takes the loaded backends; from now on requests are answered.</summary>
    /// <param name="backends">All backends; of two that serve the same code the first wins.</param>
    /// <param name="standIn">Backend whose first model answers for chat codes that nobody serves; null for none.</param>
    /// <param name="detail">What is loaded, for people.</param>
    public void Fill(IReadOnlyList<IChatBackend> backends, IChatBackend? standIn, string detail = "Ready.") =>
        _state = new State(new BackendReadiness(BackendPhase.Ready, detail), backends, standIn);

    /// <summary>Says that loading failed.</summary>
    /// <param name="reason">Why, for people; shown by the health check.</param>
    public void Fail(string reason) => _state = new State(new BackendReadiness(BackendPhase.Failed, reason), [], null);

    /// <inheritdoc/>
    public ChatRoute? FindOwn(string model)
    {
        foreach (IChatBackend backend in _state.Backends)
        {
            foreach (string own in backend.Models)
            {
                if (string.Equals(own, model, StringComparison.OrdinalIgnoreCase))
                    return new ChatRoute(backend, own, false);
            }
        }

        return null;
    }

    private sealed record State(BackendReadiness Readiness, IReadOnlyList<IChatBackend> Backends, IChatBackend? StandIn);
}
