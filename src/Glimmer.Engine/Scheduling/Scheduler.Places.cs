using Glimmer.Engine.Memory;

namespace Glimmer.Engine.Scheduling;

/// <summary>Places and pages: admission, reuse of prefixes, and putting sequences back.</summary>
internal sealed partial class Scheduler
{
    /// <summary>Prompt tokens a pass has for every prompt it works on at least: fewer would only make all of them late.</summary>
    private const int TokensPerPrompt = 32;

    private string ScopeOf(Sequence sequence) => _options.SharePrefixes ? "" : sequence.Request.Tenant;

    /// <summary>Gives free places away: to those put back first, oldest first, then in the tenants' turn.</summary>
    private void Admit(int budget, List<Sequence> admitted)
    {
        int prompts = 0;
        foreach (Sequence sequence in _running)
            prompts += sequence.Decoding ? 0 : 1;
        int mostPrompts = Math.Max(2, budget / TokensPerPrompt);
        while (_running.Count < _options.MaxBatch && prompts < mostPrompts)
        {
            Sequence? next = _putBack.Count > 0 ? _putBack[0] : Line.Peek();
            if (next is null || !TryPlace(next))
                return;
            if (_putBack.Count > 0)
            {
                _putBack.RemoveAt(0);
            }
            else
            {
                Line.Take(next);
                next.Tenant!.Running++;
                next.WasAdmitted = true;
                admitted.Add(next);
            }

            InsertByAge(_running, next);
            prompts++;
        }
    }

    /// <summary>Finds pages for all known tokens of a sequence, reusing what is computed; false when there is no room now.</summary>
    private bool TryPlace(Sequence sequence)
    {
        int pageTokens = _arena.PageTokens;
        int pages = (sequence.Count + pageTokens - 1) / pageTokens;
        // The last token is always computed: its logits are wanted.
        PrefixMatch match = _cache?.Match(ScopeOf(sequence), sequence.Tokens.AsSpan(0, sequence.Count - 1), _matched) ?? new PrefixMatch(0, -1, 0);
        // The whole page on disk is better than the beginning of it in memory.
        if (match.PartialPage >= 0 && IsNextSpilled(sequence, match.FullPages))
            match = match with { PartialPage = -1, PartialTokens = 0 };
        for (int i = 0; i < match.FullPages; i++)
            _pool.Retain(_matched[i]);
        if (match.PartialPage >= 0)
            _pool.Retain(match.PartialPage);

        // One page to spare for each that runs, or the newcomer would soon put somebody back.
        int wanted = pages - match.FullPages + _running.Count;
        if (match.PartialPage >= 0 && _pool.Free + _pool.Cached < wanted)
        {
            // The page to copy from may be the very one that is missing.
            _pool.Release(match.PartialPage);
            match = match with { PartialPage = -1, PartialTokens = 0 };
        }

        bool fits = _pool.Free + _pool.Cached >= wanted;
        if (fits)
        {
            sequence.ReservePages((int)Math.Min(
                (sequence.PromptLength + (long)Math.Min(sequence.Request.MaxTokens, Sequence.UsualAnswer)) / pageTokens + 1, _arena.Pages));
            for (int i = 0; i < match.FullPages; i++)
                sequence.AddPage(_matched[i]);
            while (sequence.PageCount < pages)
                sequence.AddPage(TakePage() ?? throw new InvalidOperationException("Fewer pages can be evicted than the pool counts."));
            if (match.PartialPage >= 0)
                _arena.CopyPage(match.PartialPage, sequence.Pages[match.FullPages], match.PartialTokens);
            if (_arena.StateSlots > 0)
                sequence.StateSlot = _freeSlots.Pop();
            sequence.Computed = match.FullPages * pageTokens + match.PartialTokens;
            sequence.PagesShared = match.FullPages;
            CountReuse(sequence, sequence.Computed);
        }
        else
        {
            for (int i = match.FullPages - 1; i >= 0; i--)
                _pool.Release(_matched[i]);
        }

        if (match.PartialPage >= 0)
            _pool.Release(match.PartialPage);
        return fits;
    }

    /// <summary>Skips pages of a prompt that another sequence has computed since this one began.</summary>
    private void AdoptComputed(Sequence sequence)
    {
        int pageTokens = _arena.PageTokens;
        int own = sequence.Computed / pageTokens;
        if (_cache is null || sequence.Computed % pageTokens != 0 || sequence.Remaining <= pageTokens)
            return;
        PrefixMatch match = _cache.Match(ScopeOf(sequence), sequence.Tokens.AsSpan(0, sequence.Count - 1), _matched);
        if (match.FullPages <= own)
            return;
        for (int i = 0; i < match.FullPages; i++)
        {
            if (_matched[i] == sequence.Pages[i])
                continue;
            _pool.Retain(_matched[i]);
            _pool.Release(sequence.Pages[i]);
            sequence.Pages[i] = _matched[i];
        }

        sequence.Computed = match.FullPages * pageTokens;
        sequence.PagesShared = match.FullPages;
        CountReuse(sequence, (match.FullPages - own) * pageTokens);
    }

    /// <summary>Counts reused rows of the prompt; rows that a put-back sequence finds again are its own.</summary>
    private void CountReuse(Sequence sequence, int tokens)
    {
        if (sequence.WasPutBack)
            return;
        sequence.CachedTokens += tokens;
        CachedTokens += tokens;
    }

    /// <summary>Makes sure that a running answer has a page for its next row, putting the youngest back if need be; false when that is the answer itself.</summary>
    private bool EnsureRoom(Sequence sequence)
    {
        while (sequence.PageCount * _arena.PageTokens < sequence.Count)
        {
            if (TakePage() is { } page)
            {
                sequence.AddPage(page);
                continue;
            }

            Sequence youngest = _running[^1];
            PutBack(youngest);
            if (youngest == sequence)
                return false;
        }

        return true;
    }

    private int? TakePage()
    {
        if (!_pool.TryTake(out int page) && (_cache is null || !_cache.EvictOne() || !_pool.TryTake(out page)))
            return null;
        return page;
    }

    /// <summary>Takes a sequence's place and pages away. It computes its rows again later and goes on where it was.</summary>
    private void PutBack(Sequence sequence)
    {
        _running.Remove(sequence);
        FreePlace(sequence, keepRows: true);
        sequence.Decoding = false;
        sequence.WasPutBack = true;
        InsertByAge(_putBack, sequence);
        Preemptions++;
    }

    private void FreePlace(Sequence sequence, bool keepRows)
    {
        if (keepRows && _cache is not null && sequence.Computed > 0)
            _cache.Insert(ScopeOf(sequence), sequence.Tokens.AsSpan(0, sequence.Computed), sequence.Pages, keepPartial: true);
        // From the end, so that a page is never held by more sequences than its parent.
        while (sequence.PageCount > 0)
            _pool.Release(sequence.TakeLastPage());
        if (sequence.StateSlot >= 0)
            _freeSlots.Push(sequence.StateSlot);
        sequence.StateSlot = -1;
        sequence.Computed = 0;
        sequence.PagesShared = 0;
        sequence.GuessCount = sequence.ModelGuesses = 0;
    }

    private static void InsertByAge(List<Sequence> list, Sequence sequence)
    {
        int at = list.Count;
        while (at > 0 && list[at - 1].Order > sequence.Order)
            at--;
        list.Insert(at, sequence);
    }
}
