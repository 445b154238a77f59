using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Script;

/// <summary>Counts requests against the limits of a scenario: in every stretch of a window's length at most so many are let through. Refused ones do not count.</summary>
internal sealed class RateWindows(IReadOnlyList<ScenarioLimit> limits, TimeProvider clock)
{
    private const int MostScopes = 10_000;
    private readonly Lock _turn = new();
    private readonly Dictionary<(int Limit, string Scope), Queue<DateTimeOffset>> _let = [];

    /// <summary>Lets a request through and counts it, or says why not.</summary>
    /// <param name="request">The request.</param>
    /// <param name="limit">The limit that refused it.</param>
    public PlatformError? Refuse(ChatRequest request, out ScenarioLimit? limit)
    {
        limit = null;
        if (limits.Count == 0)
            return null;
        lock (_turn)
        {
            DateTimeOffset now = clock.GetUtcNow();
            List<Queue<DateTimeOffset>> counts = [];
            for (int i = 0; i < limits.Count; i++)
            {
                ScenarioLimit one = limits[i];
                if (one.Models?.Contains(request.Model, StringComparer.OrdinalIgnoreCase) == false)
                    continue;
                Queue<DateTimeOffset> let = CountOf((i, ScopeOf(one, request)), now);
                while (let.TryPeek(out DateTimeOffset oldest) && now - oldest >= one.Window)
                    let.Dequeue();
                if (let.Count >= one.Requests)
                {
                    limit = one;
                    PlatformError error = one.Error.ToPlatform();
                    return one.Error.RetryAfter is not null ? error : error with { RetryAfter = let.Count > 0 ? let.Peek() + one.Window - now : one.Window };
                }

                counts.Add(let);
            }

            foreach (Queue<DateTimeOffset> let in counts)
                let.Enqueue(now);
            return null;
        }
    }

    private static string ScopeOf(ScenarioLimit limit, ChatRequest request) => limit.Per switch
    {
        LimitScope.Key => request.Tenant,
        LimitScope.User => request.Origin?.EndUser ?? "",
        _ => "",
    };

    private Queue<DateTimeOffset> CountOf((int Limit, string Scope) scope, DateTimeOffset now)
    {
        if (_let.TryGetValue(scope, out Queue<DateTimeOffset>? known))
            return known;

        // Names of end users are the clients' words; those whose window is over are forgotten before there are too many.
        if (_let.Count >= MostScopes)
        {
            foreach ((int Limit, string Scope) old in _let.Where(pair => pair.Value.All(at => now - at >= limits[pair.Key.Limit].Window)).Select(pair => pair.Key).ToArray())
                _let.Remove(old);
            if (_let.Count >= MostScopes)
                _let.Clear();
        }

        return _let[scope] = [];
    }
}
