namespace Glimmer.Kernels;

/// <summary>
/// The threads that run forward passes. <see cref="Run"/> splits one operation into parts and returns when all are
/// done; the calling thread takes part. One pass at a time uses a team: calls must not overlap.
/// </summary>
/// <remarks>Which thread computes a part never changes its result: a part's arithmetic does not depend on the split.</remarks>
public sealed class ThreadTeam : IDisposable
{
    /// <summary>Starts a team of <paramref name="threads"/> including the caller; at least 1.</summary>
    public ThreadTeam(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        Threads = threads;
    }

    /// <summary>Threads that work in parallel, the caller included.</summary>
    public int Threads { get; }

    /// <summary>Runs <paramref name="body"/> for every part in [0, <paramref name="parts"/>), in any order, in parallel.</summary>
    public void Run<TState>(int parts, TState state, Action<TState, int> body)
    {
        if (Threads == 1 || parts <= 1)
        {
            for (int part = 0; part < parts; part++)
                body(state, part);
            return;
        }

        Parallel.For(0, parts, new ParallelOptions { MaxDegreeOfParallelism = Threads }, part => body(state, part));
    }

    /// <summary>Ends the team's threads.</summary>
    public void Dispose()
    {
    }
}
