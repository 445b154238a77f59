namespace Glimmer.Inference.Routing.Choosing;

/// <summary>Why a backend was chosen.</summary>
internal enum RouteReason
{
    /// <summary>There is no other that could.</summary>
    Only,

    /// <summary>It has seen most of the prompt.</summary>
    Affinity,

    /// <summary>The conversation's hash leads to it.</summary>
    Hash,

    /// <summary>Those that the cache would prefer have more than their share to do, or the policy looks at the load alone.</summary>
    Load,

    /// <summary>No other takes requests.</summary>
    LastResort,
}

/// <summary>A backend in the pool of one model.</summary>
/// <param name="Member">The backend.</param>
/// <param name="Model">The model's code as the backend spells it.</param>
internal sealed record PoolEntry(BackendMember Member, string Model);

/// <summary>A backend that was chosen, with a place taken at it.</summary>
/// <param name="Entry">The backend; null when none has a place.</param>
/// <param name="Reason">Why this one.</param>
/// <param name="Trial">Whether the request shows if it is well again.</param>
internal readonly record struct Choice(PoolEntry? Entry, RouteReason Reason, bool Trial);

/// <summary>What a choice is made by.</summary>
/// <param name="Root">Hash of what the conversation begins with.</param>
/// <param name="Remembered">The backend that has seen most of the prompt; 0 for none.</param>
/// <param name="Tried">Backends that have been asked for this request.</param>
internal readonly record struct ChoiceQuery(ulong Root, ushort Remembered, IReadOnlyList<BackendMember> Tried)
{
    /// <summary>Whether only backends that take prompts without a template will do.</summary>
    public bool Raw { get; init; }

    /// <summary>Whether the backend can be sent such a request.</summary>
    public bool Suits(BackendMember member) => !Raw || member.Backend.TakesRawPrompts;

    /// <summary>Whether the backend has been asked for this request.</summary>
    public bool HasTried(BackendMember member)
    {
        for (int i = 0; i < Tried.Count; i++)
        {
            if (ReferenceEquals(Tried[i], member))
                return true;
        }

        return false;
    }
}

/// <summary>
/// The backends of one model and the choice among them. Consistent hashing with bounded loads (V. Mirrokni, M. Thorup, M. Zadimoghaddam,
/// "Consistent Hashing with Bounded Loads", SODA 2018) on weighted rendezvous hashing (D. Thaler, C. Ravishankar 1998; weights by −w / ln u):
/// no backend gets a request while it has c times its share of the load or more, and of the others the first in the order of the hash gets it.
/// A set does not change; another takes its place.
/// </summary>
internal sealed class MemberSet(PoolEntry[] entries, RoutingOptions options)
{
    private int _turn;

    public IReadOnlyList<PoolEntry> Entries => entries;

    public RoutingOptions Options => options;

    /// <summary>Whether any is well and wanted; all may be full.</summary>
    public bool AnyTakesRequests
    {
        get
        {
            foreach (PoolEntry entry in entries)
            {
                if (entry.Member.TakesRequests)
                    return true;
            }

            return false;
        }
    }

    /// <summary>Whether any has just come and may turn out to be well.</summary>
    public bool AnyIsComing
    {
        get
        {
            foreach (PoolEntry entry in entries)
            {
                if (entry.Member.IsComing)
                    return true;
            }

            return false;
        }
    }

    /// <summary>Whether any backend that has not been asked yet is well, or may turn out to be; all may be full.</summary>
    public bool MayServe(in ChoiceQuery query)
    {
        foreach (PoolEntry entry in entries)
        {
            BackendMember member = entry.Member;
            if (!query.HasTried(member) && (member.IsComing || (member.TakesRequests && query.Suits(member))))
                return true;
        }

        return false;
    }

    /// <summary>Chooses a backend and takes a place at it.</summary>
    public Choice Choose(in ChoiceQuery query)
    {
        // Another request may take the place between the look and the step: then look again.
        for (int look = 0; look <= entries.Length; look++)
        {
            (PoolEntry? entry, RouteReason reason) = Look(query);
            if (entry is null)
                break;
            if (entry.Member.TryEnter(out bool trial))
            {
                if (reason == RouteReason.Affinity)
                    entry.Member.CountAffinity();
                return new Choice(entry, reason, trial);
            }
        }

        return default;
    }

    /// <summary>Most load of a backend before others are preferred, by the load that there is.</summary>
    /// <param name="load">Load of all that could be chosen.</param>
    /// <param name="weight">Its weight.</param>
    /// <param name="weights">Weights of all that could be chosen.</param>
    public int BoundOf(long load, int weight, long weights) =>
        Math.Max(options.FreeLoad, (int)Math.Min(int.MaxValue, Math.Ceiling(options.LoadFactor * (load + 1) * weight / weights)));

    private (PoolEntry? Entry, RouteReason Reason) Look(in ChoiceQuery query)
    {
        // Those of no weight only when no other can; those that have just said that they are full only after these.
        for (Tier tier = Tier.Wanted; tier <= Tier.BusyLastResort; tier++)
        {
            long load = 0, weights = 0;
            int count = 0;
            PoolEntry? only = null;
            foreach (PoolEntry entry in entries)
            {
                if (TierOf(entry.Member, query) != tier)
                    continue;
                load += entry.Member.Load;
                weights += Math.Max(1, entry.Member.Weight);
                count++;
                only = entry;
            }

            if (count == 0)
                continue;
            RouteReason among = tier is Tier.LastResort or Tier.BusyLastResort ? RouteReason.LastResort : RouteReason.Only;
            if (count == 1)
                return (only, query.Remembered == only!.Member.Id && among == RouteReason.Only ? RouteReason.Affinity : among);
            (PoolEntry? chosen, RouteReason reason) = options.Policy == RoutingPolicy.Affinity ? ByHash(query, tier, load, weights) : ByLoad(query, tier);
            if (chosen is not null)
                return (chosen, among == RouteReason.LastResort ? among : reason);
        }

        return default;
    }

    private (PoolEntry? Entry, RouteReason Reason) ByHash(in ChoiceQuery query, Tier tier, long load, long weights)
    {
        PoolEntry? first = null, within = null;
        double firstScore = 0, withinScore = 0;
        foreach (PoolEntry entry in entries)
        {
            BackendMember member = entry.Member;
            if (TierOf(member, query) != tier)
                continue;
            int weight = Math.Max(1, member.Weight);
            bool fits = member.Load < BoundOf(load, weight, weights);
            if (fits && member.Id == query.Remembered)
                return (entry, RouteReason.Affinity);
            double score = ScoreOf(query.Root, member, weight);
            if (score > firstScore)
                (first, firstScore) = (entry, score);
            if (fits && score > withinScore)
                (within, withinScore) = (entry, score);
        }

        // One always fits, as the bounds add up to more than the load; only a race can have filled it meanwhile.
        return ReferenceEquals(first, within) ? (within, RouteReason.Hash) : (within ?? first, RouteReason.Load);
    }

    private (PoolEntry? Entry, RouteReason Reason) ByLoad(in ChoiceQuery query, Tier tier)
    {
        PoolEntry? best = null;
        double least = double.MaxValue;

        // Equals take turns.
        int turn = (int)((uint)Interlocked.Increment(ref _turn) % (uint)entries.Length);
        for (int i = 0; i < entries.Length; i++)
        {
            PoolEntry entry = entries[(turn + i) % entries.Length];
            if (TierOf(entry.Member, query) != tier)
                continue;
            double share = (entry.Member.Load + 1.0) / Math.Max(1, entry.Member.Weight);
            if (share < least)
                (best, least) = (entry, share);
        }

        return (best, RouteReason.Load);
    }

    private static double ScoreOf(ulong root, BackendMember member, int weight)
    {
        // 53 bits, in the middle of its interval: never 0 and never 1.
        double u = ((PromptBlocks.Join(root, member.NameHash) >> 11) + 0.5) * (1.0 / (1UL << 53));
        return -weight / Math.Log(u);
    }

    private static Tier TierOf(BackendMember member, in ChoiceQuery query)
    {
        if (!member.TakesRequests || member.IsFull || !query.Suits(member) || query.HasTried(member))
            return Tier.Out;
        return (member.Weight > 0, member.IsBusy) switch
        {
            (true, false) => Tier.Wanted,
            (false, false) => Tier.LastResort,
            (true, true) => Tier.Busy,
            (false, true) => Tier.BusyLastResort,
        };
    }

    private enum Tier
    {
        Out,
        Wanted,
        LastResort,
        Busy,
        BusyLastResort,
    }
}
