using System.Runtime.CompilerServices;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Answers;

/// <summary>
/// The events of an answer with the ways it can end made one: a fault or a cancellation that a backend throws is a finish
/// reason here. Times the first event.
/// </summary>
internal sealed class AnswerEvents : IAsyncDisposable
{
    internal static readonly TimeSpan HeaderPatience = TimeSpan.FromSeconds(10);
    private readonly IChatAnswer _answer;
    private readonly IAsyncEnumerator<ChatEvent> _events;
    private readonly RequestRecord _record;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _ended;
    private Task<bool>? _first;
    private FinishReason? _cutOff;

    public AnswerEvents(IChatAnswer answer, RequestRecord record, TimeProvider time, CancellationTokenSource ended)
    {
        _answer = answer;
        _events = answer.ReadAsync(ended.Token).GetAsyncEnumerator(ended.Token);
        _record = record;
        _time = time;
        _ended = ended;
    }

    public ChatEvent Current => _events.Current;

    /// <summary>Whether the first event, or the end, is there.</summary>
    public bool HasFirst => _first is null or { IsCompleted: true };

    /// <summary>Whether the last event has been read.</summary>
    public bool HasEnded { get; private set; }

    /// <summary>What the backend threw; null when it kept its word.</summary>
    public Exception? Fault { get; private set; }

    /// <summary>Why it ended; valid once <see cref="HasEnded"/>.</summary>
    public FinishReason Finish => _cutOff ?? _answer.Finish;

    public ChatUsage Usage => _answer.Usage;

    /// <summary>What the backend said of its failure; null when it said nothing to be told.</summary>
    public PlatformError? Error => _cutOff is null ? _answer.Error : null;

    /// <summary>How it ended; valid once <see cref="HasEnded"/>.</summary>
    public AnswerEnd End => new(Finish, _cutOff is null ? _answer.StopText : null, _answer.Usage) { Error = Error, Choices = _cutOff is null && _answer is ChoiceSet set ? set.Ends : [] };

    /// <summary>Ends the generation: the client reads no more.</summary>
    public void Cancel() => _ended.Cancel();

    /// <summary>
    /// Waits for the first event, the end, or until the headers should go out anyway; <see cref="MoveNextAsync"/> then gives
    /// that event. True when there is an event.
    /// </summary>
    public async ValueTask<bool> WaitForFirstAsync()
    {
        _first = ReadAsync();
        return await WaitForFirstAsync(HeaderPatience) && await _first;
    }

    /// <summary>Waits on for the first event, or the end, after <see cref="WaitForFirstAsync()"/>.</summary>
    /// <returns>False when it did not come in that time.</returns>
    public async ValueTask<bool> WaitForFirstAsync(TimeSpan patience)
    {
        if (_first is not { IsCompleted: false } first)
            return true;
        await ((Task)first).WaitAsync(patience, _time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return first.IsCompleted;
    }

    /// <summary>Goes on to the next event. Completes at once while the backend is ahead of the client.</summary>
    public ValueTask<bool> MoveNextAsync()
    {
        if (_first is { } first)
        {
            _first = null;
            return new ValueTask<bool>(first);
        }

        return HasEnded ? new ValueTask<bool>(false) : NextAsync();
    }

    public async ValueTask DisposeAsync()
    {
        // A read that is under way must end before the enumerator may be disposed.
        if (!HasEnded)
        {
            await _ended.CancelAsync();
            while (await MoveNextAsync())
            {
                // Events made before the backend saw the cancellation.
            }
        }

        try
        {
            await _events.DisposeAsync();
        }
        catch (Exception fault)
        {
            Fault ??= fault;
        }
    }

    private async Task<bool> ReadAsync() => await NextAsync();

    /// <summary>Pooled, because it runs once per token.</summary>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<bool> NextAsync()
    {
        try
        {
            if (await _events.MoveNextAsync())
            {
                if (_record.FirstEvent == 0)
                    _record.FirstEvent = _time.GetTimestamp();
                return true;
            }
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            _cutOff = FinishReason.Cancelled;
        }
        catch (Exception fault)
        {
            Fault = fault;
            _cutOff = FinishReason.BackendFault;
        }

        HasEnded = true;
        return false;
    }
}
