using System.Runtime.CompilerServices;
using Glimmer.Dialogue.Output;

namespace Glimmer.Inference.Script;

/// <summary>A scripted answer being said: its tokens go through the automaton at the script's pace.</summary>
internal sealed class ScriptedAnswer(OutputAutomaton automaton, int[] tokens, ScriptedReply reply, ChatRequest request, int promptTokens, TimeProvider time) : IChatAnswer
{
    private FinishReason _finish = FinishReason.Cancelled;
    private int _said;
    private int _readers;

    /// <inheritdoc/>
    public FinishReason Finish => _finish;

    /// <inheritdoc/>
    public ChatUsage Usage => new(promptTokens, Math.Clamp(reply.CachedTokens, 0, Math.Max(promptTokens - 1, 0)), _said, automaton.ReasoningTokens);

    /// <inheritdoc/>
    public string? StopText => automaton.StopText;

    /// <inheritdoc/>
    public int CountRepairs(Repairs kind) => automaton.CountOf(kind);

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        if (Interlocked.Exchange(ref _readers, 1) != 0)
            throw new InvalidOperationException("An answer can be read once.");
        List<ChatEvent> events = [];
        EndCause cause = reply.End switch
        {
            ScriptedEnd.Length => EndCause.MaxTokens,
            ScriptedEnd.Sensitive => EndCause.Sensitive,
            _ => EndCause.StopToken,
        };
        long start = time.GetTimestamp();
        bool waits = reply.Delay > TimeSpan.Zero || reply.Rate > 0;
        for (int i = 0; i < tokens.Length; i++)
        {
            if (waits && reply.Delay + (reply.Rate > 0 ? TimeSpan.FromSeconds(i / reply.Rate) : TimeSpan.Zero) - time.GetElapsedTime(start) is { Ticks: > 0 } pause)
                await Task.Delay(pause, time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (cancel.IsCancellationRequested || i == request.MaxTokens || i == reply.CutAfter)
            {
                cause = cancel.IsCancellationRequested ? EndCause.Cancelled : i == request.MaxTokens ? EndCause.MaxTokens : EndCause.Fault;
                break;
            }

            events.Clear();
            _said++;
            AutomatonVerdict verdict = automaton.Feed(tokens[i], events);
            foreach (ChatEvent said in events)
                yield return said;
            if (verdict == AutomatonVerdict.Done)
                break;
        }

        if (reply.CutAfter >= tokens.Length)
            cause = EndCause.Fault;
        events.Clear();
        _finish = automaton.Finish(cause, events);
        foreach (ChatEvent said in events)
            yield return said;
    }
}
