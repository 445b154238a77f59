using System.Globalization;
using Glimmer.Inference;
using Glimmer.Inference.Rerank;
using Glimmer.Inference.Routing;

namespace Glimmer.Server.Routing;

/// <summary>
/// A provider that is filled once the models are loaded, so that the server can listen, answer health checks and show
/// its page before.
/// </summary>
public sealed class ChatBackendSlot : IChatBackendProvider
{
    private volatile State _state;
    private volatile IReadOnlyList<IEmbeddingBackend> _embeddings = [];
    private volatile IReadOnlyList<IRerankBackend> _rerankers = [];

    /// <summary>An empty slot.</summary>
    /// <param name="detail">What is being loaded, for people.</param>
    public ChatBackendSlot(string detail = "The model is being loaded.") =>
        _state = new State(new BackendReadiness(BackendPhase.Loading, detail), Route([]), null);

    /// <inheritdoc/>
    public BackendReadiness Readiness => _state.Pool is { } pool ? ReadinessOf(pool) : _state.Readiness;

    /// <inheritdoc/>
    public IReadOnlyList<IChatBackend> Backends => _state.Router.Backends;

    /// <inheritdoc/>
    public BackendPool? Pool => _state.Pool;

    /// <inheritdoc/>
    public ChatRoute? StandIn => _state.StandIn is { Models.Count: > 0 } backend
        ? new ChatRoute(backend, backend.Models[0], true)
        : null;

    /// <summary>Takes the loaded backends; from now on requests are answered.</summary>
    /// <param name="backends">All backends; of several that serve the same code the first that is ready answers.</param>
    /// <param name="standIn">Backend whose first model answers for chat codes that nobody serves; null for none.</param>
    /// <param name="detail">What is loaded, for people.</param>
    public void Fill(IReadOnlyList<IChatBackend> backends, IChatBackend? standIn, string detail = "Ready.") =>
        _state = new State(new BackendReadiness(BackendPhase.Ready, detail), Route(backends), standIn);

    /// <summary>Takes the models of a pool, and follows it as they come and go.</summary>
    /// <param name="pool">The pool.</param>
    /// <param name="standIn">Code of the model that answers for chat codes that nobody serves, unless the pool's options name another; null for none.</param>
    public void Follow(BackendPool pool, string? standIn)
    {
        ArgumentNullException.ThrowIfNull(pool);
        pool.ModelsChanged = Take;
        Take();

        void Take()
        {
            string? code = pool.Options.StandIn ?? standIn;
            _state = new State(new BackendReadiness(BackendPhase.Ready, ""), Route(pool.Models), code is null ? null : pool.Find(code)) { Pool = pool };
        }
    }

    /// <summary>Takes the backends that make embeddings. Where no other was given, the first of them scores documents too.</summary>
    public void FillEmbeddings(IReadOnlyList<IEmbeddingBackend> backends)
    {
        _embeddings = backends;
        if (_rerankers.All(static backend => backend is EmbeddingRerankBackend))
            _rerankers = backends.Count > 0 ? [new EmbeddingRerankBackend(backends[0])] : [];
    }

    /// <summary>Takes the backends that score documents, in place of the one that embeddings give.</summary>
    public void FillRerankers(IReadOnlyList<IRerankBackend> backends) => _rerankers = backends;

    /// <inheritdoc/>
    public IEmbeddingBackend? FindEmbeddings(string model) => _embeddings.Concat(_state.Pool?.Embeddings ?? []).FirstOrDefault(backend => string.Equals(backend.Model, model, StringComparison.OrdinalIgnoreCase));

    /// <inheritdoc/>
    public IRerankBackend? FindRerank(string model)
    {
        IReadOnlyList<IRerankBackend> known = _rerankers;
        if (known.Count == 0 && _state.Pool?.Embeddings is [{ } first, ..])
            known = [new EmbeddingRerankBackend(first)];
        return known.FirstOrDefault(backend => string.Equals(backend.Model, model, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Says that loading failed.</summary>
    /// <param name="reason">Why, for people; shown by the health check.</param>
    public void Fail(string reason) => _state = new State(new BackendReadiness(BackendPhase.Failed, reason), Route([]), null);

    /// <inheritdoc/>
    public ChatRoute? FindOwn(string model) =>
        _state.Router.Resolve(model) is { } own ? new ChatRoute(own.Backend, own.Model, false) : null;

    // Which codes a stand-in may answer for is the catalogue's business: ModelOffers asks it. The router only knows names.
    private static ModelRouter Route(IReadOnlyList<IChatBackend> backends) => new(backends, standIn: null, static _ => false);

    private static BackendReadiness ReadinessOf(BackendPool pool)
    {
        int ready = pool.Models.Count(static model => model.IsReady);
        return new BackendReadiness(BackendPhase.Ready, string.Create(CultureInfo.InvariantCulture, $"{ready} of {pool.Models.Count} models have a backend that takes requests."));
    }

    private sealed record State(BackendReadiness Readiness, ModelRouter Router, IChatBackend? StandIn)
    {
        public BackendPool? Pool { get; init; }
    }
}
