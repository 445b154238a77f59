using Glimmer.Engine.Memory;

namespace Glimmer.Engine.Scheduling;

/// <summary>Pages that come back from the spill file instead of being computed.</summary>
internal sealed partial class Scheduler
{
    /// <summary>Pages read in a pass beside running answers: reading delays them too, though less than computing would.</summary>
    private const int RestoredBesideAnswers = 2;

    /// <summary>Pages missing in the file that are looked over for the next one.</summary>
    private const int LostPages = 8;

    /// <summary>Reads pages of a prompt back, as long as the next one is in the file.</summary>
    /// <param name="sequence">The sequence, in the middle of its prompt.</param>
    /// <param name="most">Pages that may be read in this pass; reduced by those that were.</param>
    private void Restore(Sequence sequence, ref int most)
    {
        sequence.IsRestoring = false;
        sequence.MostGranted = int.MaxValue;
        if (_spill is null || _cache is null)
            return;
        int pageTokens = _arena.PageTokens;
        // The last token is always computed: its logits are wanted.
        while (sequence.Computed % pageTokens == 0 && sequence.Remaining > pageTokens)
        {
            int page = sequence.Computed / pageTokens;
            SpillKey key = KeyOf(sequence, page + 1);
            if (!_spill.Contains(key))
                break;
            if (most == 0)
            {
                sequence.IsRestoring = true;
                return;
            }

            // Pages before this one may be shared; this one is the sequence's own, since nothing in it is computed.
            if (!_spill.TryRestore(key, _arena.PageMemory(sequence.Pages[page])))
                return;
            most--;
            sequence.Computed += pageTokens;
            Share(sequence);
            CountReuse(sequence, pageTokens);
        }

        // Where a page on the way was lost, those behind it are still there.
        int page0 = sequence.Computed / pageTokens;
        SpillKey ahead = KeyOf(sequence, page0);
        for (int page = page0; page <= page0 + LostPages && (page + 1) * pageTokens < sequence.Count; page++)
        {
            ahead = ahead.Next(sequence.Tokens.AsSpan(page * pageTokens, pageTokens));
            if (page == page0 || !_spill.Contains(ahead))
                continue;
            sequence.MostGranted = page * pageTokens - sequence.Computed;
            return;
        }
    }

    /// <summary>The key of a sequence's first pages, computed on from the last one asked for.</summary>
    private SpillKey KeyOf(Sequence sequence, int pages)
    {
        (SpillKey key, int known) = sequence.Spilled;
        if (known == 0 || known > pages)
            (key, known) = (_spill!.Root(ScopeOf(sequence)), 0);
        for (; known < pages; known++)
            key = key.Next(sequence.Tokens.AsSpan(known * _arena.PageTokens, _arena.PageTokens));
        sequence.Spilled = (key, known);
        return key;
    }

    /// <summary>Whether the page behind the first <paramref name="pages"/> is in the file.</summary>
    private bool IsNextSpilled(Sequence sequence, int pages) =>
        _spill is not null && (pages + 1) * _arena.PageTokens < sequence.Count && _spill.Contains(KeyOf(sequence, pages + 1));
}
