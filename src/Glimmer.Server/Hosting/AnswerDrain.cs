namespace Glimmer.Server.Hosting;

/// <summary>
/// Ends answers in flight when the server stops: they may go on for the drain time, then <see cref="Deadline"/> cancels
/// them, and each says so in its dialect's way.
/// </summary>
internal sealed class AnswerDrain : IDisposable
{
    private readonly CancellationTokenSource _deadline;
    private readonly CancellationTokenRegistration _registration;

    public AnswerDrain(IHostApplicationLifetime lifetime, GlimmerOptions options, TimeProvider time)
    {
        _deadline = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _registration = lifetime.ApplicationStopping.Register(() => _deadline.CancelAfter(options.DrainTime));
    }

    /// <summary>Cancelled when answers must end.</summary>
    public CancellationToken Deadline => _deadline.Token;

    public void Dispose()
    {
        _registration.Dispose();
        _deadline.Dispose();
    }
}
