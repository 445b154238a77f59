using Glimmer.Inference;
using Glimmer.Inference.Routing;

namespace Glimmer.Server.Routing;

/// <summary>How far the backends are.</summary>
public enum BackendPhase
{
    /// <summary>They are being loaded.</summary>
    Loading,

    /// <summary>Requests can be answered.</summary>
    Ready,

    /// <summary>Loading failed and will not be tried again.</summary>
    Failed,
}

/// <summary>How far the backends are, in a word and a sentence.</summary>
/// <param name="Phase">The word.</param>
/// <param name="Detail">For people: what is loaded, or why it failed.</param>
public sealed record BackendReadiness(BackendPhase Phase, string Detail);

/// <summary>Who answers for a model code.</summary>
/// <param name="Backend">The backend.</param>
/// <param name="Model">The code to ask it for: the requested one, or the stand-in's own.</param>
/// <param name="StandIn">Whether another model answers under this code.</param>
public readonly record struct ChatRoute(IChatBackend Backend, string Model, bool StandIn);

/// <summary>What the server needs to know of routing: readiness, backends and who serves a code.</summary>
public interface IChatBackendProvider
{
    /// <summary>How far the backends are.</summary>
    BackendReadiness Readiness { get; }

    /// <summary>All backends; empty until they are loaded.</summary>
    IReadOnlyList<IChatBackend> Backends { get; }

    /// <summary>The backend that serves a code under its own name; null when none does.</summary>
    /// <param name="model">Code in any case.</param>
    ChatRoute? FindOwn(string model);

    /// <summary>The backend that stands in for codes nobody serves; null when there is none.</summary>
    ChatRoute? StandIn { get; }

    /// <summary>The pool that the backends belong to, for those who administer it; null when there is none.</summary>
    BackendPool? Pool => null;

    /// <summary>The backend that makes embeddings under a code; null when none does.</summary>
    /// <param name="model">Code in any case.</param>
    IEmbeddingBackend? FindEmbeddings(string model) => null;

    /// <summary>The backend that scores documents under a code; null when none does.</summary>
    /// <param name="model">Code in any case.</param>
    IRerankBackend? FindRerank(string model) => null;
}
