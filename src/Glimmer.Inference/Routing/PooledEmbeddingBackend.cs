using Glimmer.Inference.Routing.Choosing;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Routing;

/// <summary>All backends that make embeddings under one code as one. A request goes to another where one fails: nothing has been sent by then.</summary>
public sealed class PooledEmbeddingBackend : IEmbeddingBackend
{
    private readonly BackendPool _pool;
    private volatile MemberSet _members;

    internal PooledEmbeddingBackend(BackendPool pool, string code, MemberSet members)
    {
        _pool = pool;
        _members = members;
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

    internal MemberSet Members => _members;

    /// <inheritdoc/>
    public async Task<EmbeddingOutcome> EmbedAsync(IReadOnlyList<string> texts, int? dimensions, CancellationToken cancel)
    {
        ArgumentNullException.ThrowIfNull(texts);
        MemberSet members = _members;
        List<BackendMember> tried = [];
        EmbeddingOutcome? failed = null;
        ulong root = PromptBlocks.OfText(texts.Count > 0 && texts[0].Length <= 256 ? texts[0] : texts.Count > 0 ? texts[0][..256] : "");
        while (tried.Count < members.Options.Attempts && members.Choose(new ChoiceQuery(root, 0, tried)) is { Entry: { } entry } choice)
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

        return failed ?? new EmbeddingOutcome(null, 0, PlatformError.Of(BusinessCode.Overloaded) with { Status = 503, RetryAfter = TimeSpan.FromSeconds(2) });
    }

    internal void Take(MemberSet members) => _members = members;

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
