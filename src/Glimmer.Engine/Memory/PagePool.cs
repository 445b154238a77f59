namespace Glimmer.Engine.Memory;

/// <summary>
/// Who holds which page of the KV arena. A page is held by any number of sequences (counted) and by at most one node of
/// the prefix cache; it is free when nobody holds it. Used by the engine's thread alone.
/// </summary>
/// <remarks>
/// Pages that the cache holds alone stand in a line, in the order in which their last sequence let go of them. Sequences let go
/// of their last page first, so a page stands before the pages that its text begins with: the line's head is always a leaf of
/// the cache's tree, and finding what to evict takes one step.
/// </remarks>
internal sealed class PagePool
{
    private const int None = -1;
    private readonly int[] _holders;
    private readonly int[] _later;
    private readonly int[] _earlier;
    private int _youngest = None;
    private readonly bool[] _cached;
    private readonly int[] _free;
    private int _freeCount;

    /// <summary>A pool of <paramref name="pages"/> free pages.</summary>
    public PagePool(int pages)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(pages, 1);
        _holders = new int[pages];
        _later = new int[pages];
        _earlier = new int[pages];
        _cached = new bool[pages];
        _free = new int[pages];
        // The lowest page is taken first, so that memory never needed is never touched.
        for (int i = 0; i < pages; i++)
            _free[i] = pages - 1 - i;
        _freeCount = pages;
    }

    /// <summary>Pages in all.</summary>
    public int Pages => _holders.Length;

    /// <summary>Pages nobody holds.</summary>
    public int Free => _freeCount;

    /// <summary>Pages held by the prefix cache alone; they can be evicted.</summary>
    public int Cached { get; private set; }

    /// <summary>Of these the one that was let go of first, −1 when there is none.</summary>
    public int Oldest { get; private set; } = None;

    /// <summary>The one let go of next after <paramref name="page"/>, which stands in the line; −1 for none.</summary>
    public int After(int page) => _later[page];

    /// <summary>Pages held by sequences.</summary>
    public int InUse { get; private set; }

    /// <summary>How many sequences hold the page.</summary>
    public int Holders(int page) => _holders[page];

    /// <summary>Whether the prefix cache holds the page.</summary>
    public bool IsCached(int page) => _cached[page];

    /// <summary>Takes a free page for one sequence; false when none is free.</summary>
    public bool TryTake(out int page)
    {
        if (_freeCount == 0)
        {
            page = -1;
            return false;
        }

        page = _free[--_freeCount];
        _holders[page] = 1;
        InUse++;
        return true;
    }

    /// <summary>Adds a holder to a page that is in use or cached.</summary>
    public void Retain(int page)
    {
        if (_holders[page] == 0)
        {
            if (!_cached[page])
                throw new InvalidOperationException($"Page {page} is free and cannot be retained.");
            LeaveLine(page);
            InUse++;
        }

        _holders[page]++;
    }

    /// <summary>Takes a holder away.</summary>
    public void Release(int page)
    {
        if (_holders[page] == 0)
            throw new InvalidOperationException($"Page {page} has no holder to release.");
        if (--_holders[page] > 0)
            return;
        InUse--;
        if (_cached[page])
            EnterLine(page);
        else
            _free[_freeCount++] = page;
    }

    /// <summary>The prefix cache takes hold of a page that a sequence holds.</summary>
    public void HoldForCache(int page)
    {
        if (_cached[page] || _holders[page] == 0)
            throw new InvalidOperationException($"Page {page} is cached already or free.");
        _cached[page] = true;
    }

    /// <summary>The prefix cache lets go of a page.</summary>
    public void DropFromCache(int page)
    {
        if (!_cached[page])
            throw new InvalidOperationException($"Page {page} is not cached.");
        _cached[page] = false;
        if (_holders[page] > 0)
            return;
        LeaveLine(page);
        _free[_freeCount++] = page;
    }

    private void EnterLine(int page)
    {
        Cached++;
        _earlier[page] = _youngest;
        _later[page] = None;
        if (_youngest != None)
            _later[_youngest] = page;
        else
            Oldest = page;
        _youngest = page;
    }

    private void LeaveLine(int page)
    {
        Cached--;
        int earlier = _earlier[page], later = _later[page];
        if (earlier != None)
            _later[earlier] = later;
        else
            Oldest = later;
        if (later != None)
            _earlier[later] = earlier;
        else
            _youngest = earlier;
    }
}
