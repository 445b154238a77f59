namespace Glimmer.Engine.Placement;

/// <summary>How threads are bound to processors.</summary>
public enum ThreadPlacement
{
    /// <summary>The operating system decides.</summary>
    None,

    /// <summary>One thread per physical core, over the nodes in proportion to their cores, on machines with several memory nodes; otherwise as <see cref="None"/>.</summary>
    Auto,

    /// <summary>The same on any machine.</summary>
    Spread,

    /// <summary>One thread per physical core, a node filled before the next is begun.</summary>
    Compact,
}

/// <summary>Where a thread runs.</summary>
/// <param name="Thread">Its number in the team, 0 for the one that calls.</param>
/// <param name="Processor">Hardware thread.</param>
/// <param name="Node">Memory node.</param>
internal readonly record struct ThreadSeat(int Thread, int Processor, int Node);

/// <summary>Consecutive rows of a weight matrix that belong on a node.</summary>
internal readonly record struct RowShare(int Node, int FirstRow, int Rows);

/// <summary>Which thread runs where, and which rows of the weights belong near it.</summary>
/// <param name="Seats">The threads, in order of their numbers.</param>
internal sealed record PlacementPlan(IReadOnlyList<ThreadSeat> Seats)
{
    /// <summary>Memory nodes in use, ascending.</summary>
    public IReadOnlyList<int> Nodes => [.. Seats.Select(seat => seat.Node).Distinct().Order()];

    /// <summary>Makes a plan; null when nothing is to be bound.</summary>
    /// <param name="topology">The machine; null when unknown.</param>
    /// <param name="placement">What is wanted.</param>
    /// <param name="threads">Threads of the team, at least 1.</param>
    public static PlacementPlan? Make(NumaTopology? topology, ThreadPlacement placement, int threads)
    {
        // With more threads than cores some would have to share one for good: the system balances better.
        if (topology is null || placement == ThreadPlacement.None || threads > topology.Cores
            || (placement == ThreadPlacement.Auto && topology.Nodes.Count == 1))
        {
            return null;
        }

        int[] share = placement == ThreadPlacement.Compact ? Fill(topology, threads) : Divide(topology, threads);
        List<ThreadSeat> seats = [];
        for (int n = 0; n < share.Length; n++)
        {
            for (int core = 0; core < share[n]; core++)
                seats.Add(new ThreadSeat(seats.Count, topology.Nodes[n].Cores[core][0], topology.Nodes[n].Id));
        }

        return new PlacementPlan(seats);
    }

    /// <summary>Rows of a matrix by node: in proportion to the node's threads, cut between whole tiles.</summary>
    /// <param name="rows">Rows of the matrix.</param>
    /// <param name="tile">Rows that stay together, at least 1.</param>
    public IReadOnlyList<RowShare> RowsOf(int rows, int tile)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(tile, 1);
        int tiles = (rows + tile - 1) / tile, threads = 0, first = 0;
        List<RowShare> shares = [];
        foreach (IGrouping<int, ThreadSeat> node in Seats.GroupBy(seat => seat.Node).OrderBy(node => node.Key))
        {
            threads += node.Count();
            int end = Math.Min(rows, (int)((long)tiles * threads / Seats.Count) * tile);
            shares.Add(new RowShare(node.Key, first, end - first));
            first = end;
        }

        return shares;
    }

    private static int[] Fill(NumaTopology topology, int threads)
    {
        int[] share = new int[topology.Nodes.Count];
        for (int n = 0; n < share.Length && threads > 0; n++)
        {
            share[n] = Math.Min(threads, topology.Nodes[n].Cores.Count);
            threads -= share[n];
        }

        return share;
    }

    private static int[] Divide(NumaTopology topology, int threads)
    {
        int[] share = new int[topology.Nodes.Count];
        for (int given = 0; given < threads; given++)
        {
            // To the node whose cores are least taken; of equal ones the first.
            int best = -1;
            for (int n = 0; n < share.Length; n++)
            {
                int cores = topology.Nodes[n].Cores.Count;
                if (share[n] < cores && (best < 0 || (share[n] + 1) * (long)topology.Nodes[best].Cores.Count < (share[best] + 1) * (long)cores))
                    best = n;
            }

            share[best]++;
        }

        return share;
    }
}
