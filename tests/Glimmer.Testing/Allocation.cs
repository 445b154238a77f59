namespace Glimmer.Testing;

/// <summary>What code allocates on the thread that runs it.</summary>
public static class Allocation
{
    private const int Tries = 10;

    /// <summary>The fewest bytes that a run allocated, out of several.</summary>
    /// <param name="run">What to measure; warm before.</param>
    /// <remarks>
    /// What the code itself allocates it allocates every time. But a garbage collection in the background, which other tests may bring about at any moment, has
    /// the runtime count up to eight kilobytes that a thread did not use as allocated by it.
    /// </remarks>
    public static long Least(Action run)
    {
        ArgumentNullException.ThrowIfNull(run);
        long least = long.MaxValue;
        for (int i = 0; i < Tries && least > 0; i++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            run();
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        return least;
    }
}
