using Glimmer.Inference.Routing.Choosing;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Routing;

/// <summary>All backends that make embeddings under one code as one. A request goes to another where one fails: nothing has been sent by then.</summary>
public sealed class PooledEmbeddingBackend : IEmbeddingBackend
{
    private readonly BackendPool _pool;
    private readonly PlaceLine _line;
    private readonly Func<MemberSet> _current;
    private volatile MemberSet _members;

    internal PooledEmbeddingBackend(BackendPool pool, string code, MemberSet members)
    {
        _pool = pool;
        _members = members;
        _current = () => _members;
        _line = new PlaceLine(pool.Time);
        Model = code;
    }

    /// <inheritdoc/>
    public string Model { get; }

    /// <inheritdoc/>
    public string Name => _members.Entries is [{ } only] ? only.Member.Name : $"pool:{Model}";

    /// <inheritdoc/>
    public int Dimensions
    {
        get
        {
            foreach (PoolEntry entry in _members.Entries)
            {
                if (Of(entry.Member) is { Dimensions: > 0 and var dimensions })
                    return dimensions;
            }

            return 0;
        }
    }

    /// <summary>Requests that wait for a place.</summary>
    public int Waiting => _line.Count;

    internal MemberSet Members => _members;

    /// <inheritdoc/>
    public async Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(texts);
        MemberSet members = _members;
        List<BackendMember> tried = [];
        EmbeddingOutcome? failed = null;
        ulong root = PromptBlocks.OfText(texts.Count > 0 && texts[0].Length <= 256 ? texts[0] : texts.Count > 0 ? texts[0][..256] : "");
        while (tried.Count < members.Options.Attempts && await ChooseAsync(new ChoiceQuery(root, 0, tried), cancel) is { Entry: { } entry } choice)
        {
            BackendMember member = entry.Member;
            if (tried.Count > 0)
                tried[^1].CountFailover();
            tried.Add(member);
            bool judged = false;
            try
            {
                EmbeddingOutcome outcome = await Of(member)!.EmbedAsync(texts, dimensions, cancel);
                if (outcome.Error is not { } error || error.Status is < 429 or (> 429 and < 500))
                {
                    judged = true;
                    member.CountAnswer();
                    member.Circuit.Succeed(choice.Trial);
                    return outcome;
                }

                failed = outcome;
                if (error.Status == 429)
                {
                    member.CountBusy(error.RetryAfter);
                    continue;
                }

                judged = true;
                Fail(member, choice.Trial, error.Message.Length <= 200 ? error.Message : error.Message[..200]);
            }
            catch (Exception fault) when (!cancel.IsCancellationRequested)
            {
                judged = true;
                Fail(member, choice.Trial, fault.GetType().Name);
                if (tried.Count >= members.Options.Attempts || tried.Count >= members.Entries.Count)
                    throw;
            }
            finally
            {
                if (!judged && choice.Trial)
                    member.Circuit.Abandon();
                member.Leave();
            }
        }

        PlatformError none = PlatformError.Of(BusinessCode.Overloaded);
        return failed ?? new EmbeddingOutcome(null, 0, _members.AnyTakesRequests ? none with { RetryAfter = TimeSpan.FromSeconds(1) } : none with { Status = 503, RetryAfter = TimeSpan.FromSeconds(2) });
    }

    internal void Take(MemberSet members)
    {
        _members = members;
        Serve();
    }

    internal void Serve() => _line.Serve(_current);

    /// <summary>Chooses a backend and takes a place at it, after waiting for one where all that are well are full.</summary>
    private async ValueTask<Choice> ChooseAsync(ChoiceQuery query, CancellationToken cancel)
    {
        bool again = query.Tried.Count > 0;
        while (true)
        {
            MemberSet members = _members;
            if ((again || _line.Count == 0) && members.Choose(query) is { Entry: not null } choice)
                return choice;

            // Those of a set that has just been replaced take nobody any more, and look as if they were ill.
            bool worthIt = again ? members.MayServe(query) : members.AnyTakesRequests;
            if (!ReferenceEquals(members, _members))
                continue;
            return worthIt ? await _line.WaitAsync(_current, query, members.Options.WaitLength, members.Options.Wait, cancel) : default;
        }
    }

    private IEmbeddingBackend? Of(BackendMember member)
    {
        foreach (IEmbeddingBackend backend in member.Embeddings)
        {
            if (string.Equals(backend.Model, Model, StringComparison.OrdinalIgnoreCase))
                return backend;
        }

        return null;
    }

    private void Fail(BackendMember member, bool trial, string why)
    {
        member.CountFailure(why);
        _pool.Fail(member, trial, why);
    }
}
