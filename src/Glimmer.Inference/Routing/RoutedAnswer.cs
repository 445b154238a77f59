using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using Glimmer.Dialogue.Output;
using Glimmer.Inference.Routing.Choosing;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Routing;

/// <summary>
/// A request on its way over backends, and its answer. Until the first event another backend may be asked in place of one that failed or is
/// full; from the first event on nothing is asked twice. Everything that is told of the answer is told by the backend that gave that event.
/// </summary>
internal sealed class RoutedAnswer : IRoutedAnswer
{
    private readonly PooledChatBackend _model;
    private readonly BackendPool _pool;
    private readonly RoutingOptions _options;
    private readonly ChatRequest _request;
    private readonly RouteTrace _trace;
    private readonly long _started;
    private readonly List<BackendMember> _tried = [];
    private readonly PromptBlocks _blocks;
    private readonly ushort _remembered;
    private bool _known = true;
    private Attempt? _current;
    private PlatformError? _error;
    private FinishReason? _finish;
    private Exception? _thrown;
    private int _readers;

    public RoutedAnswer(PooledChatBackend model, BackendPool pool, ChatRequest request)
    {
        _model = model;
        _pool = pool;
        _options = model.Members.Options;
        _request = request;
        _trace = new RouteTrace(Activity.Current);
        _started = pool.Time.GetTimestamp();
        if (model.Members.Entries.Count <= 1)
            return;
        _blocks = PromptBlocks.Of(model.Code, request.Conversation);
        (ushort backend, int depth) = pool.Affinity.FindDeepest(_blocks.Hashes);

        // What is common to few blocks only says little of this conversation; its root says more.
        _remembered = depth * 2 >= _blocks.Count ? backend : (ushort)0;
        _trace.Depth(depth, _blocks.Count);
    }

    /// <inheritdoc/>
    public string Backend => _current?.Member.Name ?? "";

    /// <inheritdoc/>
    public int Attempts => _tried.Count;

    /// <inheritdoc/>
    public FinishReason Finish => _finish ?? _current?.Answer?.Finish ?? FinishReason.BackendFault;

    /// <inheritdoc/>
    public ChatUsage Usage => _current?.Answer?.Usage ?? default;

    /// <inheritdoc/>
    public string? StopText => _current?.Answer?.StopText;

    /// <inheritdoc/>
    public PlatformError? Error => _error ?? _current?.Answer?.Error;

    /// <inheritdoc/>
    public IReadOnlyList<Relaxation> Relaxations => _current?.Answer?.Relaxations ?? [];

    /// <inheritdoc/>
    public int CountRepairs(Repairs kind) => _current?.Answer?.CountRepairs(kind) ?? 0;

    /// <summary>Has a backend begin the answer.</summary>
    public async ValueTask<ChatStart> BeginAsync(CancellationToken cancel)
    {
        bool begun = false;
        try
        {
            ChatStart refused = await AdvanceAsync(default, cancel);
            begun = _current is not null;
            return begun ? new ChatStart(this, null) : refused;
        }
        finally
        {
            if (!begun)
                End();
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<ChatEvent> ReadAsync([EnumeratorCancellation] CancellationToken cancel)
    {
        if (Interlocked.Exchange(ref _readers, 1) != 0)
            throw new InvalidOperationException("An answer can be read once.");
        try
        {
            if (!await FirstAsync(cancel))
                yield break;
            Attempt attempt = _current!;
            if (!attempt.HasEvent)
                yield break;
            using CancellationTokenRegistration ends = attempt.Follow(cancel);
            do
            {
                yield return attempt.Current;
            }
            while (await attempt.NextAsync(cancel));
        }
        finally
        {
            if (_current is { } last)
                await last.EndAsync();
            End();
        }
    }

    /// <summary>Waits until a backend gives its first event, asking others in place of those that fail. False when none does.</summary>
    private async ValueTask<bool> FirstAsync(CancellationToken cancel)
    {
        while (true)
        {
            Attempt attempt = _current!;
            if (await RaceAsync(attempt, attempt.FirstAsync(cancel), toFirst: true, cancel) is { } winner)
            {
                _current = winner;
                if (winner.HasEvent)
                    _pool.Affinity.Remember(_blocks.Hashes, winner.Member.Id);
                _trace.End(winner, _tried.Count);
                return true;
            }

            _current = null;
            _finish = FinishReason.BackendFault;
            if (cancel.IsCancellationRequested)
            {
                _finish = FinishReason.Cancelled;
                return false;
            }

            _thrown = attempt.Thrown;
            ChatStart refused;
            try
            {
                refused = await AdvanceAsync(attempt.Refusal, cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                _finish = FinishReason.Cancelled;
                return false;
            }

            if (_current is not null)
            {
                _finish = null;
                continue;
            }

            _error = refused.Error;
            _trace.Fail(_tried.Count);
            return false;
        }
    }

    /// <summary>Asks backends until one begins; the refusal when none does, with <see cref="_current"/> null.</summary>
    /// <param name="failed">What the last one said; nothing for the first.</param>
    /// <param name="cancel">Ends it.</param>
    private async ValueTask<ChatStart> AdvanceAsync(ChatStart failed, CancellationToken cancel)
    {
        ChatStart told = failed;
        bool isTold = _tried.Count > 0;
        while (true)
        {
            if (_tried.Count > 0 && !MayGoOn)
                return Told(told);
            if (await TakeAsync(Patience, cancel) is not { } attempt)
                return isTold ? Told(told) : _model.NoneFree();
            if (await RaceAsync(attempt, attempt.StartAsync(_request, cancel), toFirst: false, cancel) is { } winner)
            {
                _current = winner;
                return default;
            }

            // One that is full tells the client more than one that failed: it says when to come again.
            ChatStart refused = attempt.Refusal;
            if (!isTold || refused.Fault == StartFault.Busy || told.Error is null)
                told = refused;
            isTold = true;
            _thrown = attempt.Thrown ?? _thrown;
            // What one cannot do (pictures for an engine that is sent tokens) another of the same model may.
            if (refused is { Fault: StartFault.Request, Error.Code: not BusinessCode.ModelUnsupported })
                return refused;
        }
    }

    /// <summary>What the client is told. Where a backend threw and nobody said anything better, its exception is heard, as if it had been asked alone.</summary>
    private ChatStart Told(ChatStart told)
    {
        if (told.Error is null && _thrown is { } fault)
            ExceptionDispatchInfo.Throw(fault);
        return told;
    }

    /// <summary>How long it may wait for a place: a request that has failed somewhere no longer than others may be asked for it.</summary>
    private TimeSpan Patience
    {
        get
        {
            if (_tried.Count == 0)
                return _options.Wait;
            TimeSpan left = _options.FailoverWithin - _pool.Time.GetElapsedTime(_started);
            return left < _options.Wait ? left : _options.Wait;
        }
    }

    private bool MayGoOn => _tried.Count < _options.Attempts && _pool.Time.GetElapsedTime(_started) < _options.FailoverWithin;

    /// <summary>
    /// Lets a second backend run beside the first, where hedging is on and the first is slow. The winner is the first to begin, or to have its first
    /// event; the other is cut off.
    /// </summary>
    private async ValueTask<Attempt?> RaceAsync(Attempt attempt, Task<bool> running, bool toFirst, CancellationToken cancel)
    {
        if (_options.HedgeAfter is not { } patience || !MayGoOn || running.IsCompleted)
            return await SettleAsync(attempt, running);
        await ((Task)running).WaitAsync(patience, _pool.Time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (running.IsCompleted || cancel.IsCancellationRequested || await TakeAsync(TimeSpan.Zero, cancel, beside: attempt.Member) is not { } second)
            return await SettleAsync(attempt, running);
        Task<bool> beside = toFirst ? StartAndFirstAsync(second, cancel) : second.StartAsync(_request, cancel);
        (Attempt Attempt, Task<bool> Running) one = (attempt, running), other = (second, beside);
        if (await Task.WhenAny(running, beside) != running)
            (one, other) = (other, one);
        if (one.Running.IsCompletedSuccessfully && await one.Running)
        {
            _ = other.Attempt.LoseAsync(other.Running);
            return one.Attempt;
        }

        // The first to end has failed; the other may still answer.
        try
        {
            await SettleAsync(one.Attempt, one.Running);
        }
        catch
        {
            // Waited for: whoever hears of this ends the current attempt, which may be that one.
            await other.Attempt.LoseAsync(other.Running);
            throw;
        }

        return await SettleAsync(other.Attempt, other.Running);
    }

    private async Task<bool> StartAndFirstAsync(Attempt attempt, CancellationToken cancel) => await attempt.StartAsync(_request, cancel) && await attempt.FirstAsync(cancel);

    /// <summary>The attempt when it went well; null when it failed, and then it is over.</summary>
    private static async ValueTask<Attempt?> SettleAsync(Attempt attempt, Task<bool> running)
    {
        bool well = false;
        try
        {
            return (well = await running) ? attempt : null;
        }
        finally
        {
            if (!well)
                await attempt.EndAsync();
        }
    }

    /// <summary>Chooses a backend and takes a place at it; null when there is none.</summary>
    private async ValueTask<Attempt?> TakeAsync(TimeSpan patience, CancellationToken cancel, BackendMember? beside = null)
    {
        Choice choice = await _model.ChooseAsync(new ChoiceQuery(_blocks.Root, _remembered, _tried) { Raw = _request.Raw is not null }, patience, cancel);
        if (choice.Entry is not { } entry)
            return null;
        if (beside is not null)
        {
            _trace.Hedge(beside, entry.Member);
        }
        else if (_tried.Count > 0)
        {
            _tried[^1].CountFailover();
            _trace.Failover(_tried[^1], entry.Member);
        }

        _tried.Add(entry.Member);
        _trace.Choose(entry.Member, choice.Reason);
        return new Attempt(_pool, choice, _options.HedgeAfter is null ? null : CancellationTokenSource.CreateLinkedTokenSource(cancel));
    }

    private void End()
    {
        if (!_known)
            return;
        _known = false;
        _blocks.Return();
    }
}
