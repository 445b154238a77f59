using System.Globalization;
using System.Runtime.CompilerServices;
using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Prompting;
using Glimmer.Protocol.Errors;
using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Remote;

/// <summary>
/// One answer of an engine: reads its tokens as they come, checks them against the constraint, and asks for a further run where the
/// reasoning ends before a grammar begins, or must be ended. What was received is the record, whatever the engine counts.
/// </summary>
internal sealed class RemoteChatAnswer : IChatAnswer
{
    private static readonly TimeSpan _patience = TimeSpan.FromSeconds(1);
    private readonly RemoteCall _call;
    private readonly Func<EngineRequest, CancellationToken, Task<EngineRun>> _begin;
    private readonly ILogger _log;
    private readonly EngineChunk _chunk = new();
    private readonly List<ChatEvent> _events = [];
    private readonly List<int> _tokens = [];
    private volatile EngineRun _run;
    private OutputAutomaton _automaton;
    private SaidTokens? _said;
    private GrammarConstraint? _constraint;
    private bool _isReasoningRun;
    private bool _mayEndByItself;
    private bool _ended;
    private int _cachedTokens;
    private int _readers;
    private volatile FinishReason _finish = FinishReason.Cancelled;

    /// <summary>An answer that the engine has accepted.</summary>
    /// <param name="call">What was asked.</param>
    /// <param name="run">Its first run.</param>
    /// <param name="begin">Begins a further one.</param>
    /// <param name="log">Hears of faults.</param>
    public RemoteChatAnswer(RemoteCall call, EngineRun run, Func<EngineRequest, CancellationToken, Task<EngineRun>> begin, ILogger log)
    {
        _call = call;
        _run = run;
        _begin = begin;
        _log = log;
        _isReasoningRun = call.ReasonsFirst;
        Begin();
        if (call.ReasonsNever)
            EndReasoning();
    }

    /// <summary>What happens after a token.</summary>
    private enum Step
    {
        Continue,
        End,
        NextRun,
    }

    /// <inheritdoc/>
    public FinishReason Finish => _finish;

    /// <inheritdoc/>
    public ChatUsage Usage => new(_call.Prompt.Length, _cachedTokens, _tokens.Count, _automaton.ReasoningTokens);

    /// <inheritdoc/>
    public PlatformError? Error { get; private set; }

    /// <inheritdoc/>
    public string? StopText => _automaton.StopText;

    /// <inheritdoc/>
    public IReadOnlyList<Relaxation> Relaxations => _call.Relaxations;

    /// <summary>Hears what the engine counted otherwise than was received.</summary>
    public Action<string>? Noted { get; init; }

    /// <inheritdoc/>
    public int CountRepairs(Repairs kind) => _automaton.CountOf(kind);

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        if (Interlocked.Exchange(ref _readers, 1) != 0)
            throw new InvalidOperationException("An answer can be read once.");
        using CancellationTokenRegistration registration = cancel.UnsafeRegister(static answer => ((RemoteChatAnswer)answer!)._run.Abort(), this);
        try
        {
            while (true)
            {
                // Until it is known whether the model reasons, what it said may have to be said again.
                if (_ended || !_isReasoningRun || !_automaton.IsThinkPending)
                {
                    foreach (ChatEvent said in _events)
                        yield return said;
                    _events.Clear();
                }

                if (_ended)
                    break;
                await StepAsync(cancel).ConfigureAwait(false);
            }

            if (_mayEndByItself)
                await DrainAsync().ConfigureAwait(false);
        }
        finally
        {
            _run.Dispose();
        }
    }

    private async ValueTask StepAsync(CancellationToken cancel)
    {
        try
        {
            cancel.ThrowIfCancellationRequested();
            bool more = await _run.ReadAsync(_chunk, cancel).ConfigureAwait(false);
            Step step = more ? TakeChunk() : Break("The engine closed the stream before the answer was complete.");
            if (step == Step.NextRun)
                await NextRunAsync(cancel).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            End(EndCause.Cancelled);
        }
        catch (EngineException fault)
        {
            RemoteLog.Failed(_log, _call.Model.Definition.Code, fault.Message);
            Fail(fault.Error);
        }
#pragma warning disable CA1031 // A reader is promised that nothing is thrown; the fault is logged whole.
        catch (Exception fault)
#pragma warning restore CA1031
        {
            RemoteLog.Unexpected(_log, fault, _call.Model.Definition.Code);
            Fail(new PlatformError(BusinessCode.CallProcess, "The engine's answer could not be read."));
        }
    }

    private Step TakeChunk()
    {
        _cachedTokens = Math.Clamp(_chunk.CachedTokens ?? _cachedTokens, 0, _call.Prompt.Length);
        foreach (EngineToken token in _chunk.Tokens)
        {
            Step step = Take(token);
            if (step != Step.Continue)
                return step;
        }

        return _chunk.Finish == EngineFinish.None ? Step.Continue : TakeFinish();
    }

    private Step Take(EngineToken token)
    {
        RemoteModel model = _call.Model;
        bool stops = model.StopTokens.Contains(token.Id);

        // The end of the turn in place of an answer: the reasoning is closed for the model, or it did not reason.
        if (_isReasoningRun && stops)
            return _automaton.IsReasoning ? EndReasoning() : Again();
        if (_constraint is not null && !Allows(token.Id, stops))
            return Break("The engine broke the grammar or the schema that the answer was to follow.", BusinessCode.CallProcess);
        _tokens.Add(token.Id);
        if (model.SilentStops.Contains(token.Id))
            return End(EndCause.StopToken, byItself: true);
        bool reasoned = _automaton.IsReasoning;
        if (token.LogProb is { } logProb && _said?.Wants(token.Id) == true)
            _said.Add(token.Id, logProb, TopOf(token));
        int before = _events.Count;
        AutomatonVerdict verdict = _automaton.Feed(token.Id, _events);
        _said?.Give(_events);
        if (verdict == AutomatonVerdict.Done)
            return End(EndCause.StopToken, byItself: _automaton.Ended == EndCause.StopToken);
        if (_isReasoningRun && !_automaton.IsReasoning && !_automaton.IsThinkPending)
        {
            if (!reasoned)
                return Again();
            if (_events.Skip(before).Any(static said => said.Kind != ChatEventKind.Reasoning && !string.IsNullOrWhiteSpace(said.Text)))
                return Break("The engine said a part of the answer with the end of the reasoning; it cannot be held to its grammar.", BusinessCode.CallProcess);
            return AfterReasoning();
        }

        if (_automaton.ShouldForceEndThink && _automaton.EndThinkTokens.Count > 0)
            return EndReasoning();
        return _tokens.Count >= _call.Limit ? End(LimitCause, byItself: true) : Step.Continue;
    }

    private EndCause LimitCause => _call.LimitIsContext ? EndCause.ContextFull : EndCause.MaxTokens;

    /// <summary>What the engine says of the end, where its tokens did not say it.</summary>
    private Step TakeFinish()
    {
        if (_chunk.Finish == EngineFinish.Stop && _chunk.StopToken is { } stop && _call.Model.ReasoningStops.Contains(stop) && (_tokens.Count == 0 || _tokens[^1] != stop))
        {
            Step step = Take(new EngineToken(stop, null, []));
            if (step != Step.Continue)
                return step;
        }

        switch (_chunk.Finish)
        {
            case EngineFinish.Stop when _isReasoningRun:
                return _automaton.IsReasoning ? EndReasoning() : Again();
            case EngineFinish.Stop:
                return _constraint is null || MayEnd()
                    ? End(EndCause.StopToken, byItself: true)
                    : Break("The engine ended the answer before the grammar or the schema that it was to follow was satisfied.", BusinessCode.CallProcess);
            case EngineFinish.Length:
                return End(_call.Prompt.Length + _tokens.Count + 1 >= _call.Model.ContextLength ? EndCause.ContextFull : EndCause.MaxTokens, byItself: true);
            case EngineFinish.ContextFull:
                return End(EndCause.ContextFull, byItself: true);
            default:
                return Break($"The engine failed in the middle of the answer: {_chunk.Error}");
        }
    }

    /// <summary>Says the end of the reasoning for the model, as far as the limit allows.</summary>
    private Step EndReasoning()
    {
        foreach (int token in _automaton.EndThinkTokens)
        {
            if (_tokens.Count >= _call.Limit)
                return End(LimitCause);
            _tokens.Add(token);
            _automaton.Feed(token, _events);
        }

        return _automaton.IsReasoning ? Break("The reasoning cannot be ended in this vocabulary.", BusinessCode.CallProcess) : AfterReasoning();
    }

    private Step AfterReasoning()
    {
        _isReasoningRun = false;
        _constraint = _call.Constraint?.Start();
        return _tokens.Count >= _call.Limit ? End(LimitCause) : Step.NextRun;
    }

    /// <summary>The model does not reason: what it said was said without the grammar, and nobody has heard it.</summary>
    private Step Again()
    {
        _tokens.Clear();
        _events.Clear();
        _isReasoningRun = false;
        Begin();
        return Step.NextRun;
    }

    private async ValueTask NextRunAsync(CancellationToken cancel)
    {
        _run.Dispose();
        EngineRun next = await _begin(_call.RunAfter(_tokens, isReasoning: false), cancel).ConfigureAwait(false);
        _run = next;
        if (cancel.IsCancellationRequested)
            next.Abort();
    }

    [System.Diagnostics.CodeAnalysis.MemberNotNull(nameof(_automaton))]
    private void Begin()
    {
        _automaton = _call.NewAutomaton();
        _said = _call.Request.TopLogProbs is null ? null : new SaidTokens(_call.Model.Tokenizer, _automaton);
        _constraint = _isReasoningRun ? null : _call.Constraint?.Start();
    }

    // Which of the ids that end a turn may stand here, engines do not know: they end where the text is complete.
    private bool Allows(int token, bool stops) => _constraint!.TryAccept(token) || (stops && MayEnd());

    private bool MayEnd() => _constraint!.CanEnd || _constraint.HasEnded || _call.Model.StopTokens.Any(_constraint.TryAccept);

    private TokenChance[] TopOf(EngineToken token)
    {
        int wanted = _call.Request.TopLogProbs ?? 0;
        return [.. token.Top.Where(chance => chance.Id >= 0).OrderByDescending(chance => chance.LogProb).Take(wanted).Select(chance => _said!.ChanceOf(chance.Id, chance.LogProb))];
    }

    private Step End(EndCause cause, bool byItself = false)
    {
        _mayEndByItself = byItself;
        _ended = true;
        _finish = _automaton.Finish(cause, _events);
        _said?.Give(_events);
        if (_chunk.Finish != EngineFinish.None)
            Compare();
        return Step.End;
    }

    private Step Break(string problem, BusinessCode code = BusinessCode.Network)
    {
        RemoteLog.Failed(_log, _call.Model.Definition.Code, problem);
        Fail(new PlatformError(code, problem));
        return Step.End;
    }

    private void Fail(PlatformError error)
    {
        Error = error;
        if (_ended)
            return;
        _chunk.Clear();
        End(EndCause.Fault);
    }

    /// <summary>Reads what comes after the last token: the engine's counts.</summary>
    private async ValueTask DrainAsync()
    {
        try
        {
            _run.EndWithin(_patience);
            for (int events = 0; events < 4 && await _run.ReadAsync(_chunk, CancellationToken.None).ConfigureAwait(false) && _chunk.Tokens.Count == 0; events++)
            {
                _cachedTokens = Math.Clamp(_chunk.CachedTokens ?? _cachedTokens, 0, _call.Prompt.Length);
                Compare();
            }
        }
        catch (EngineException fault)
        {
            // The answer is complete; what its counts would have been is of no consequence.
            RemoteLog.NoCounts(_log, _call.Model.Definition.Code, fault.Message);
        }
    }

    private void Compare()
    {
        if (_chunk.PromptTokens is not null && _chunk.PromptTokens < _call.Prompt.Length)
            Remember("prompt", _chunk.PromptTokens.Value, _call.Prompt.Length);
        if (_chunk.CompletionTokens is { } counted && counted != _run.Received && (_chunk.StopToken is null || counted != _run.Received + 1))
            Remember("answer", counted, _run.Received);
    }

    private void Remember(string what, int counted, int ours)
    {
        Noted?.Invoke(string.Create(CultureInfo.InvariantCulture, $"it counted {counted} tokens of the {what} where {ours} were {(what == "prompt" ? "sent" : "received")}"));
        RemoteLog.CountsDiffer(_log, _call.Model.Definition.Code, what, counted, ours);
    }
}
