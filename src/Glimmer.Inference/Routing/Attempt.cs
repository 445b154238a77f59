using System.Runtime.CompilerServices;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Routing.Choosing;

namespace Glimmer.Inference.Routing;

/// <summary>
/// One request at one backend: begins it, waits for its first event, ends it, and tells the backend's books what came of it, once. What it
/// cannot do by its own is the choice of another.
/// </summary>
internal sealed class Attempt(BackendPool pool, Choice choice, CancellationTokenSource? cut)
{
    private readonly BackendMember _member = choice.Entry!.Member;
    private readonly long _started = pool.Time.GetTimestamp();
    private IAsyncEnumerator<ChatEvent>? _events;
    private bool _trial = choice.Trial;
    private int _closed;
    private int _ended;

    public BackendMember Member => _member;

    public RouteReason Reason => choice.Reason;

    /// <summary>The answer, once it has begun.</summary>
    public IChatAnswer? Answer { get; private set; }

    /// <summary>Why there is none, or why it ended before its first event.</summary>
    public ChatStart Refusal { get; private set; }

    /// <summary>What it threw, when it did.</summary>
    public Exception? Thrown { get; private set; }

    /// <summary>The event that stands ready.</summary>
    public ChatEvent Current => _events!.Current;

    /// <summary>Whether there was any event.</summary>
    public bool HasEvent { get; private set; }

    /// <summary>Begins the answer. False when the backend gives none: see <see cref="Refusal"/>.</summary>
    /// <exception cref="OperationCanceledException">The caller wants it no more.</exception>
    public async Task<bool> StartAsync(ChatRequest request, CancellationToken cancel)
    {
        string model = choice.Entry!.Model;
        try
        {
            ChatStart start = await _member.Backend.StartAsync(request.Model == model ? request : request with { Model = model }, cut?.Token ?? cancel);
            if (start.Answer is not null)
            {
                Answer = start.Answer;
                return true;
            }

            Refusal = start;
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested || cut is { IsCancellationRequested: true })
        {
            Close(Outcome.Abandoned);
            throw;
        }
        catch (Exception fault)
        {
            Thrown = fault;
            Refusal = new ChatStart(null, null) { Fault = StartFault.Backend };
        }

        Close(Refusal.Fault switch
        {
            StartFault.Busy => Outcome.Busy,
            StartFault.Backend => Outcome.Failed,
            _ => Outcome.Abandoned,
        });
        return false;
    }

    /// <summary>Waits for the first event, or a proper end without one. False when it failed before.</summary>
    public async Task<bool> FirstAsync(CancellationToken cancel)
    {
        CancellationToken token = cut?.Token ?? cancel;
        using CancellationTokenRegistration ends = cut is null ? default : cancel.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), cut);
        try
        {
            _events = Answer!.ReadAsync(token).GetAsyncEnumerator(token);
            if (await _events.MoveNextAsync())
            {
                HasEvent = true;
                _member.CountLatency(pool.Time.GetElapsedTime(_started));
                if (_trial && _member.Circuit.Succeed(trial: true))
                    pool.Tell(_member, "closed", "its trial was answered");
                _trial = false;
                return true;
            }

            _ended = 1;
            if (Answer.Finish != FinishReason.BackendFault)
            {
                Close(Answer.Finish == FinishReason.Cancelled ? Outcome.Abandoned : Outcome.Answered);
                return true;
            }

            Refusal = new ChatStart(null, Answer.Error) { Fault = StartFault.Backend };
        }
        catch (OperationCanceledException) when (token.IsCancellationRequested)
        {
            _ended = 1;
            Close(Outcome.Abandoned);
            throw;
        }
        catch (Exception fault)
        {
            _ended = 1;
            Thrown = fault;
            Refusal = new ChatStart(null, null) { Fault = StartFault.Backend };
        }

        Close(Outcome.Failed);
        return false;
    }

    /// <summary>Goes on to the next event. Completes at once while the backend is ahead.</summary>
    public ValueTask<bool> NextAsync(CancellationToken cancel)
    {
        if (_ended != 0)
            return new ValueTask<bool>(false);
        ValueTask<bool> next = _events!.MoveNextAsync();
        if (!next.IsCompletedSuccessfully)
            return WaitAsync(next, cancel);
        bool more = next.Result;
        if (!more)
            Finish();
        return new ValueTask<bool>(more);
    }

    /// <summary>Ends it, whatever it does: a read that is under way must have ended. The place is given back.</summary>
    public async ValueTask EndAsync()
    {
        try
        {
            if (_events is not null)
                await _events.DisposeAsync();
            else if (Answer is not null && _ended == 0)
                await DrainAsync(Answer);
        }
        catch (Exception fault)
        {
            Thrown ??= fault;
        }
        finally
        {
            _ended = 1;
            Close(Outcome.Abandoned);
            cut?.Dispose();
        }
    }

    /// <summary>Ends it because another has answered; completes when the backend has let go.</summary>
    /// <param name="running">What it is doing.</param>
    public async Task LoseAsync(Task<bool> running)
    {
        _member.CountLostHedge();
        await cut!.CancelAsync();
        await ((Task)running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        await EndAsync();
    }

    /// <summary>Takes the reader's token as another way to end it.</summary>
    public CancellationTokenRegistration Follow(CancellationToken cancel) =>
        cut is null ? default : cancel.UnsafeRegister(static source => ((CancellationTokenSource)source!).Cancel(), cut);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> WaitAsync(ValueTask<bool> next, CancellationToken cancel)
    {
        try
        {
            if (await next)
                return true;
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            _ended = 1;
            Close(Outcome.Abandoned);
            throw;
        }
        catch (Exception fault)
        {
            _ended = 1;
            Thrown = fault;
            Close(Outcome.Failed);
            throw;
        }

        Finish();
        return false;
    }

    private void Finish()
    {
        _ended = 1;
        Close(Answer!.Finish switch
        {
            FinishReason.BackendFault => Outcome.Failed,
            FinishReason.Cancelled => Outcome.Abandoned,
            _ => Outcome.Answered,
        });
    }

    /// <summary>An answer that nobody will read ends when it is read with a token that has been cancelled.</summary>
    private static async ValueTask DrainAsync(IChatAnswer answer)
    {
        await foreach (ChatEvent _ in answer.ReadAsync(new CancellationToken(canceled: true)))
        {
            // What was made before it saw that.
        }
    }

    private void Close(Outcome outcome)
    {
        if (Interlocked.Exchange(ref _closed, 1) != 0)
            return;
        bool trial = _trial;
        switch (outcome)
        {
            case Outcome.Answered:
                _member.CountAnswer();
                if (_member.Circuit.Succeed(trial))
                    pool.Tell(_member, "closed", "its trial was answered");
                break;
            case Outcome.Failed:
                string why = WhyFailed();
                _member.CountFailure(why);
                pool.Fail(_member, trial, why);
                break;
            default:
                if (outcome == Outcome.Busy)
                    _member.CountBusy(Refusal.Error?.RetryAfter);
                if (trial)
                    _member.Circuit.Abandon();
                break;
        }

        _member.Leave();
    }

    private string WhyFailed()
    {
        string text = (Answer?.Error ?? Refusal.Error)?.Message is { Length: > 0 } said && Thrown is null ? said : Thrown is { } fault ? fault.GetType().Name : "it ended without saying why";
        return text.Length <= 200 ? text : string.Concat(text.AsSpan(0, 200), "…");
    }

    private enum Outcome
    {
        Answered,
        Failed,
        Busy,
        Abandoned,
    }
}
