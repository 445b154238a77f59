namespace Glimmer.Inference.Routing;

/// <summary>Who answers for a model code.</summary>
/// <param name="Backend">The backend.</param>
/// <param name="Model">The code to ask it for: the backend's own spelling, or the stand-in's model.</param>
/// <param name="IsStandIn">Whether another model answers under the asked code; clients are told.</param>
public readonly record struct ResolvedModel(IChatBackend Backend, string Model, bool IsStandIn);

/// <summary>
/// Finds the backend for a model code. Every backend answers under its models' own names; one of them may be declared
/// the stand-in, which answers for the catalogue's chat codes that no backend has.
/// </summary>
public sealed class ModelRouter
{
    private readonly Dictionary<string, (string Code, List<IChatBackend> Backends)> _own = new(StringComparer.OrdinalIgnoreCase);
    private readonly IChatBackend? _standIn;
    private readonly Func<string, bool> _isChatCode;

    /// <summary>A router over backends.</summary>
    /// <param name="backends">In order of preference: of several that serve a code, the first that is ready answers.</param>
    /// <param name="standIn">The backend whose first model answers for codes without a backend; null for none.</param>
    /// <param name="isChatCode">Whether the catalogue knows a code as that of a chat model.</param>
    public ModelRouter(IReadOnlyList<IChatBackend> backends, IChatBackend? standIn, Func<string, bool> isChatCode)
    {
        Backends = backends;
        _standIn = standIn;
        _isChatCode = isChatCode;
        foreach (IChatBackend backend in backends)
        {
            foreach (string code in backend.Models)
            {
                if (!_own.TryGetValue(code, out (string Code, List<IChatBackend> Backends) known))
                    _own.Add(code, known = (code, []));
                known.Backends.Add(backend);
            }
        }
    }

    /// <summary>All backends.</summary>
    public IReadOnlyList<IChatBackend> Backends { get; }

    /// <summary>Finds who answers for a code, in any case; null when nobody does.</summary>
    public ResolvedModel? Resolve(string code)
    {
        if (_own.TryGetValue(code, out (string Code, List<IChatBackend> Backends) own))
            return new ResolvedModel(own.Backends.Find(backend => backend.IsReady) ?? own.Backends[0], own.Code, IsStandIn: false);
        return _standIn is { Models.Count: > 0 } && _isChatCode(code)
            ? new ResolvedModel(_standIn, _standIn.Models[0], IsStandIn: true)
            : null;
    }
}
