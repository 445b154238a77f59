using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine;
using Glimmer.Inference.Embedded;
using Glimmer.Inference.Routing.Choosing;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Routing;

/// <summary>
/// All backends of one model as one: chooses by health, weight, load and prefix affinity, and asks another when one fails before its first
/// event. It stays the same while its backends come and go. Made by a <see cref="BackendPool"/>.
/// </summary>
public sealed class PooledChatBackend : IChatBackend, IEngineReport, ITokenizerBackend
{
    private readonly BackendPool _pool;
    private readonly PlaceLine _line;
    private readonly Func<MemberSet> _current;
    private volatile MemberSet _members;

    internal PooledChatBackend(BackendPool pool, string code, MemberSet members)
    {
        _pool = pool;
        _members = members;
        _current = () => _members;
        _line = new PlaceLine(pool.Time);
        Code = code;
        Models = [code];
    }

    /// <summary>Code of the model.</summary>
    public string Code { get; }

    /// <summary>Name of the only backend, or that of the pool.</summary>
    public string Name => _members.Entries is [{ } only] ? only.Member.Name : $"pool:{Code}";

    /// <inheritdoc/>
    public IReadOnlyList<string> Models { get; }

    /// <summary>Whether any of its backends is well and wanted, or has just come. All may be full at the moment.</summary>
    public bool IsReady
    {
        get
        {
            while (true)
            {
                MemberSet members = _members;
                bool ready = members.AnyTakesRequests || members.AnyIsComing;
                if (ready || ReferenceEquals(members, _members))
                    return ready;
            }
        }
    }

    /// <summary>Whether any of its backends does; only those are asked then.</summary>
    public bool TakesRawPrompts
    {
        get
        {
            foreach (PoolEntry entry in _members.Entries)
            {
                if (entry.Member.Backend.TakesRawPrompts)
                    return true;
            }

            return false;
        }
    }

    /// <summary>Requests that wait for a place.</summary>
    public int Waiting => _line.Count;

    /// <summary>What the engine of this process does, where it is one of the backends.</summary>
    public EngineStatistics? EngineStatistics
    {
        get
        {
            foreach (PoolEntry entry in _members.Entries)
            {
                if (entry.Member.Backend is IEngineReport { EngineStatistics: { } statistics })
                    return statistics;
            }

            return null;
        }
    }

    internal MemberSet Members => _members;

    /// <inheritdoc/>
    public ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(request);
        cancel.ThrowIfCancellationRequested();
        return new RoutedAnswer(this, _pool, request).BeginAsync(cancel);
    }

    /// <inheritdoc/>
    /// <exception cref="ChatRequestException">The request can't be rendered, or no backend takes requests.</exception>
    public async ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(request);
        MemberSet members = _members;
        int tried = 0;
        foreach (PoolEntry entry in members.Entries.OrderByDescending(static entry => entry.Member.TakesRequests).ThenByDescending(static entry => entry.Member.Weight))
        {
            if (!entry.Member.TakesRequests)
                break;
            try
            {
                return await entry.Member.Backend.CountTokensAsync(request.Model == entry.Model ? request : request with { Model = entry.Model }, cancel);
            }
            catch (Exception fault) when (fault is not ChatRequestException && !cancel.IsCancellationRequested && ++tried < members.Options.Attempts && tried < members.Entries.Count)
            {
                // Counting says nothing of how it answers, so that its health is left as it is.
            }
        }

        throw new ChatRequestException(NoneFree().Error!);
    }

    /// <inheritdoc/>
    public ValueTask<T> UseTokenizerAsync<T>(Func<ITokenizer, Generation, T> use, CancellationToken cancel)
    {
        foreach (PoolEntry entry in _members.Entries)
        {
            if (entry.Member.Backend is ITokenizerBackend backend && entry.Member.Backend.IsReady)
                return backend.UseTokenizerAsync(entry.Model, use, cancel);
        }

        throw new ChatRequestException(PlatformError.Unsupported("model", "tokenize", $"no backend of {Code} shows its vocabulary"));
    }

    /// <summary>Chooses a backend and takes a place at it, after waiting for one where that may be.</summary>
    /// <param name="query">What the choice is made by.</param>
    /// <param name="patience">How long it may wait; nothing or less for not at all.</param>
    /// <param name="cancel">Ends the wait.</param>
    internal async ValueTask<Choice> ChooseAsync(ChoiceQuery query, TimeSpan patience, CancellationToken cancel)
    {
        bool again = query.Tried.Count > 0;
        while (true)
        {
            MemberSet members = _members;

            // Who comes while others wait stands behind them; who has been at a backend already has waited.
            if ((again || _line.Count == 0) && members.Choose(query) is { Entry: not null } choice)
                return choice;

            // Those of a set that has just been replaced take nobody any more, and look as if they were ill.
            bool worthIt = again ? members.MayServe(query) : members.AnyTakesRequests || members.AnyIsComing;
            if (!ReferenceEquals(members, _members))
                continue;
            return worthIt ? await _line.WaitAsync(_current, query, members.Options.WaitLength, patience, cancel) : default;
        }
    }

    /// <summary>Why no backend was asked at all.</summary>
    internal ChatStart NoneFree()
    {
        bool full = _members.AnyTakesRequests;
        PlatformError error = PlatformError.Of(BusinessCode.Overloaded);
        error = full
            ? error with { RetryAfter = TimeSpan.FromSeconds(1) }
            : error with
            {
                Message = $"No backend of {Code} can take requests now, please try again later.",
                Chinese = $"模型 {Code} 暂无可用后端，请稍后重试",
                Status = 503,
                RetryAfter = TimeSpan.FromSeconds(2),
            };
        return new ChatStart(null, error) { Fault = full ? StartFault.Busy : StartFault.Backend };
    }

    internal void Take(MemberSet members)
    {
        _members = members;
        Serve();
    }

    internal void Serve() => _line.Serve(_current);
}
