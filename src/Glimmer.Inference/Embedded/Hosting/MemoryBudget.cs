namespace Glimmer.Inference.Embedded.Hosting;

/// <summary>
/// Bytes that models share. Who wants some stands in a line: the first is served before the second is looked at, so a large
/// model is not starved by small ones. Not safe for threads: its host holds a lock around every call.
/// </summary>
/// <param name="total">Bytes there are.</param>
internal sealed class MemoryBudget(long total)
{
    private readonly LinkedList<Claim> _line = new();

    /// <summary>Bytes there are.</summary>
    public long Total { get; } = total;

    /// <summary>Bytes promised.</summary>
    public long Used { get; private set; }

    /// <summary>Of those, bytes that will be given back without anybody doing more.</summary>
    public long Freeing { get; private set; }

    /// <summary>Bytes that the first in the line lacks, those on their way back counted as there; 0 when it needs nothing done, or nobody waits.</summary>
    public long Shortage => _line.First is { Value: var first } ? Math.Max(0, Used - Freeing - Total + first.Bytes) : 0;

    /// <summary>Gets into the line. The claim's task completes with true once the bytes are promised.</summary>
    public Claim Enter(long bytes)
    {
        Claim claim = new(bytes);
        _line.AddLast(claim);
        return claim;
    }

    /// <summary>Leaves the line without the bytes; false when they had been promised by then, and are the caller's.</summary>
    public bool Leave(Claim claim) => _line.Remove(claim);

    /// <summary>Serves the line as far as the bytes go.</summary>
    public void Serve()
    {
        while (_line.First is { Value: var first } && first.Bytes <= Total - Used)
        {
            Used += first.Bytes;
            _line.RemoveFirst();
            first.Grant();
        }
    }

    /// <summary>Says that bytes are on their way back.</summary>
    public void BeginFreeing(long bytes) => Freeing += bytes;

    /// <summary>Takes bytes back that were on their way.</summary>
    public void Freed(long bytes)
    {
        Freeing -= bytes;
        Used -= bytes;
    }

    /// <summary>Takes bytes back that were never used.</summary>
    public void GiveBack(long bytes) => Used -= bytes;

    /// <summary>A place in the line.</summary>
    /// <param name="bytes">What is wanted.</param>
    internal sealed class Claim(long bytes)
    {
        private readonly TaskCompletionSource _granted = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>What is wanted.</summary>
        public long Bytes { get; } = bytes;

        /// <summary>Completes when the bytes are promised.</summary>
        public Task Granted => _granted.Task;

        /// <summary>Promises them.</summary>
        public void Grant() => _granted.SetResult();
    }
}
