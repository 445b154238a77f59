using System.Runtime.CompilerServices;
using Glimmer.Dialogue.Output;

namespace Glimmer.Inference.Script;

/// <summary>When the tokens of an answer come.</summary>
/// <param name="Clock">The clock; null for at once.</param>
/// <param name="Delay">Time before the first.</param>
/// <param name="Rate">Tokens per second; 0 for as fast as they are read.</param>
internal readonly record struct ScriptedPace(TimeProvider? Clock, TimeSpan Delay, double Rate)
{
    public bool Waits => Clock is not null && (Delay > TimeSpan.Zero || Rate > 0);

    /// <summary>When a token is due, from the beginning.</summary>
    public TimeSpan DueOf(int token) => Delay + (Rate > 0 ? TimeSpan.FromSeconds(token / Rate) : TimeSpan.Zero);
}

/// <summary>A scripted answer being said: its tokens go through the automaton at the script's pace.</summary>
internal sealed class ScriptedAnswer(OutputAutomaton automaton, int[] tokens, ScriptedReply reply, ChatRequest request, int promptTokens, ScriptedPace pace, LoggedRequest entry) : IChatAnswer
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
        int? room = request.ContextLength - promptTokens;
        long start = pace.Clock?.GetTimestamp() ?? 0;
        for (int i = 0; i < tokens.Length; i++)
        {
            if (pace.Waits && pace.DueOf(i) - pace.Clock!.GetElapsedTime(start) is { Ticks: > 0 } pause)
                await Task.Delay(pause, pace.Clock, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (cancel.IsCancellationRequested || i == request.MaxTokens || i == room || i == reply.CutAfter)
            {
                cause = cancel.IsCancellationRequested ? EndCause.Cancelled : i == request.MaxTokens ? EndCause.MaxTokens : i == room ? EndCause.ContextFull : EndCause.Fault;
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
        entry.Finish = _finish;
        foreach (ChatEvent said in events)
            yield return said;
    }
}
