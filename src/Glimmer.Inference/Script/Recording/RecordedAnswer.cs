using System.Runtime.CompilerServices;
using Glimmer.Dialogue.Output;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Script;

/// <summary>A recorded answer being said again, event by event.</summary>
/// <param name="recording">What was recorded.</param>
/// <param name="pace">Clock of the pace at which it was recorded; null says it as fast as it is read.</param>
/// <param name="ended">Told how it ended.</param>
internal sealed class RecordedAnswer(Recording recording, TimeProvider? pace, Action<FinishReason>? ended) : IChatAnswer
{
    private FinishReason _finish = FinishReason.Cancelled;
    private int _readers;

    public FinishReason Finish => _finish;

    public ChatUsage Usage => recording.Usage;

    public string? StopText => recording.StopText;

    public PlatformError? Error => recording.Error;

    public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        if (Interlocked.Exchange(ref _readers, 1) != 0)
            throw new InvalidOperationException("An answer can be read once.");
        int waited = 0;
        foreach (RecordedEvent said in recording.Events)
        {
            if (pace is not null && said.Milliseconds > waited)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(said.Milliseconds - waited), pace, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                waited = said.Milliseconds;
            }

            if (cancel.IsCancellationRequested)
            {
                ended?.Invoke(_finish);
                yield break;
            }

            yield return said.Event;
        }

        _finish = recording.Finish;
        ended?.Invoke(_finish);
    }
}
