using Glimmer.Kernels;

namespace Glimmer.Models.Loading;

/// <summary>
/// Rearranges a model's weights behind its back: the model can be used at once, and a pass that comes to a matrix first rearranges it itself.
/// </summary>
internal sealed class Rearrangement : IDisposable
{
    private readonly Task _done;
    private volatile bool _stopping;

    /// <summary>Begins.</summary>
    /// <param name="matrices">What to rearrange, in the order in which a pass needs it.</param>
    public Rearrangement(IReadOnlyList<WeightMatrix> matrices) =>
        _done = matrices.Count == 0 ? Task.CompletedTask : Task.Factory.StartNew(() => Run(matrices), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    /// <summary>Completes when all is rearranged, or with what stopped it.</summary>
    public Task Done => _done;

    /// <summary>Stops after the matrix in work and waits for it: the file may be closed then.</summary>
    public void Dispose()
    {
        _stopping = true;
        ((IAsyncResult)_done).AsyncWaitHandle.WaitOne();
    }

    private void Run(IReadOnlyList<WeightMatrix> matrices)
    {
        foreach (WeightMatrix matrix in matrices)
        {
            if (_stopping)
                return;
            matrix.MakePacked();
        }
    }
}
