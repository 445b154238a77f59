using Glimmer.Kernels;

namespace Glimmer.Engine.Placement;

/// <summary>Seats the threads of a team.</summary>
internal static class TeamPlacement
{
    /// <summary>
    /// Binds every thread of the team, the caller included, each to a seat of its own. Which of them gets which seat does not
    /// matter: they are alike.
    /// </summary>
    /// <returns>How many were bound.</returns>
    public static int Pin(ThreadTeam team, PlacementPlan plan, Func<int, bool> pin)
    {
        int bound = 0, seat = -1, arrived = 0;
        team.Run(team.Threads, 0, (_, _) =>
        {
            // Nobody goes on before all are here, so that no thread takes two parts.
            Interlocked.Increment(ref arrived);
            SpinWait spin = default;
            while (Volatile.Read(ref arrived) < team.Threads)
                spin.SpinOnce();
            if (pin(plan.Seats[Interlocked.Increment(ref seat)].Processor))
                Interlocked.Increment(ref bound);
        });
        return bound;
    }
}
