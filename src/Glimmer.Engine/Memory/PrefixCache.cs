namespace Glimmer.Engine.Memory;

/// <summary>Rows of the cache that a prompt can reuse.</summary>
/// <param name="FullPages">Whole pages to share, in order.</param>
/// <param name="PartialPage">A page whose first rows can be copied, or −1.</param>
/// <param name="PartialTokens">How many rows of it.</param>
internal readonly record struct PrefixMatch(int FullPages, int PartialPage, int PartialTokens);

/// <summary>All rows of a page of the arena.</summary>
internal delegate Span<byte> PageMemory(int page);

/// <summary>
/// A radix tree over the tokens of computed pages, with roots of its own for every scope (tenant): how many tokens of a
/// prompt were reused tells that somebody sent them before, so one tenant must not find another's. Every node is one page: its tokens are the label of its edge, its
/// number is the page's number, so that the tree lives in arrays made once. Only a leaf may hold fewer tokens than a
/// page has room for. Used by the engine's thread alone.
/// </summary>
/// <remarks>
/// A sequence that holds a node's page holds the pages of all its ancestors as well (<see cref="Insert"/> swaps a
/// duplicate for the cached page), so every page that the cache holds alone can be evicted, leaves first.
/// </remarks>
internal sealed class PrefixCache
{
    private const int None = -1;
    private const int KeptAhead = 64;
    private readonly PagePool _pool;
    private readonly int _pageTokens;
    private readonly int[] _tokens;
    private readonly int[] _count;
    private readonly int[] _parent;
    private readonly int[] _firstChild;
    private readonly int[] _next;
    private readonly int[] _previous;
    private readonly int[] _scopeOfRoot;
    private readonly CacheScopes _scopes = new();
    private readonly PrefixSpill? _spill;
    private readonly PageMemory? _memory;
    private readonly SpillKey[] _keys = [];
    private readonly bool[] _kept = [];

    /// <summary>An empty cache over the pool's pages of <paramref name="pageTokens"/> tokens each.</summary>
    /// <param name="pool">Who holds which page.</param>
    /// <param name="pageTokens">Tokens per page.</param>
    /// <param name="spill">Where evicted pages go; null for nowhere.</param>
    /// <param name="memory">The rows of a page; needed with a spill.</param>
    public PrefixCache(PagePool pool, int pageTokens, PrefixSpill? spill = null, PageMemory? memory = null)
    {
        _spill = spill;
        _memory = memory;
        if (spill is not null)
        {
            _keys = new SpillKey[pool.Pages];
            _kept = new bool[pool.Pages];
        }

        _pool = pool;
        _pageTokens = pageTokens;
        int pages = pool.Pages;
        _tokens = new int[checked(pages * pageTokens)];
        _count = new int[pages];
        _parent = new int[pages];
        _firstChild = new int[pages];
        _next = new int[pages];
        _previous = new int[pages];
        _scopeOfRoot = new int[pages];
    }

    /// <summary>Pages in the tree.</summary>
    public int Nodes { get; private set; }

    /// <summary>Scopes that have pages.</summary>
    public int Scopes => _scopes.Count;

    /// <summary>
    /// Finds the longest computed prefix of <paramref name="tokens"/> and writes its whole pages. Nothing is retained:
    /// the caller does so before anything else can evict them.
    /// </summary>
    /// <param name="scope">Whose prefixes; those of other scopes are not seen.</param>
    /// <param name="tokens">The tokens whose rows are wanted.</param>
    /// <param name="pages">Room for tokens.Length / page tokens pages.</param>
    public PrefixMatch Match(string scope, ReadOnlySpan<int> tokens, Span<int> pages)
    {
        int full = 0, child = _scopes.Find(scope) is { } known ? _scopes.First(known) : None;
        while (true)
        {
            ReadOnlySpan<int> rest = tokens[(full * _pageTokens)..];
            int best = None, bestLength = 0;
            for (int node = child; node != None; node = _next[node])
            {
                int length = LabelOf(node).CommonPrefixLength(rest);
                if (length <= bestLength)
                    continue;
                (best, bestLength) = (node, length);
                if (length == _pageTokens)
                    break;
            }

            if (best == None)
                return new PrefixMatch(full, None, 0);
            if (bestLength < _pageTokens)
                return new PrefixMatch(full, best, bestLength);
            pages[full++] = best;
            child = _firstChild[best];
        }
    }

    /// <summary>
    /// Puts the pages of computed tokens into the tree. Where an equal page is there already, the caller's page is
    /// swapped for it in <paramref name="pages"/> and its hold moves along.
    /// </summary>
    /// <param name="scope">Whose prefix it is.</param>
    /// <param name="tokens">Tokens whose rows are computed, from the start of the sequence.</param>
    /// <param name="pages">The pages that hold them, held by the caller; the last may be partly filled.</param>
    /// <param name="keepPartial">Whether a partly filled last page may be cached: only when nobody writes to it any more.</param>
    public void Insert(string scope, ReadOnlySpan<int> tokens, Span<int> pages, bool keepPartial)
    {
        int parent = None, scopeId = _scopes.FindOrAdd(scope);
        for (int i = 0; i * _pageTokens < tokens.Length; i++)
        {
            ReadOnlySpan<int> label = tokens[(i * _pageTokens)..Math.Min((i + 1) * _pageTokens, tokens.Length)];
            bool partial = label.Length < _pageTokens;
            if (partial && !keepPartial)
                break;
            int node = FindCovering(parent, scopeId, label);
            if (node == None)
            {
                node = pages[i];
                _pool.HoldForCache(node);
                Link(node, parent, scopeId, label);
            }
            else if (node != pages[i] && !partial)
            {
                _pool.Retain(node);
                _pool.Release(pages[i]);
                pages[i] = node;
            }

            parent = node;
        }

        _scopes.ForgetIfEmpty(scopeId);
    }

    /// <summary>Frees the page that no sequence has held for longest; false when there is none.</summary>
    public bool EvictOne()
    {
        int oldest = _pool.Oldest;
        if (oldest == None)
            return false;
        if (_firstChild[oldest] != None)
            throw new InvalidOperationException($"Page {oldest} is next to be evicted but others follow it.");
        Keep(oldest);
        Remove(oldest, forgetScope: true);
        return true;
    }

    /// <summary>
    /// Brings a few of the pages that are next to be evicted to the spill file, where there is one, so that a burst of
    /// evictions finds most of them written. Quick: at most one page is copied. False when there was none to bring.
    /// </summary>
    public bool KeepAhead()
    {
        if (_spill is null || _pool.Free > _pool.Pages / 2)
            return false;
        int page = _pool.Oldest;
        for (int step = 0; step < KeptAhead && page != None; step++, page = _pool.After(page))
        {
            if (_kept[page] || _count[page] < _pageTokens)
                continue;
            Keep(page);
            return _kept[page];
        }

        return false;
    }

    /// <summary>Checks the tree against the pool; returns what is wrong with it, or null.</summary>
    public string? FindFault()
    {
        int nodes = 0;
        for (int page = 0; page < _count.Length; page++)
        {
            if (_count[page] > 0 != _pool.IsCached(page))
                return $"Page {page} has {_count[page]} cached tokens but the pool says cached = {_pool.IsCached(page)}.";
            if (_count[page] == 0)
                continue;
            nodes++;
            if (_firstChild[page] != None && _count[page] < _pageTokens)
                return $"Page {page} has children but only {_count[page]} tokens.";
            int parent = _parent[page];
            if (parent != None && _count[parent] == 0)
                return $"Page {page} hangs below page {parent}, which is not cached.";
            if (parent != None && _pool.Holders(page) > _pool.Holders(parent))
                return $"Page {page} has {_pool.Holders(page)} holders, more than its parent {parent}.";
            int found = 0;
            for (int node = parent == None ? _scopes.First(_scopeOfRoot[page]) : _firstChild[parent]; node != None; node = _next[node])
                found += node == page ? 1 : 0;
            if (found != 1)
                return $"Page {page} is {found} times among its parent's children.";
        }

        for (int page = _pool.Oldest; page != None; page = _pool.After(page))
        {
            for (int child = _firstChild[page]; child != None; child = _next[child])
            {
                if (_pool.Holders(child) > 0)
                    return $"Page {child} is held but its parent {page} is not.";
            }
        }

        return nodes == Nodes ? null : $"The tree has {nodes} nodes but counted {Nodes}.";
    }

    private void Keep(int page)
    {
        if (_spill is not null && !_kept[page] && _count[page] == _pageTokens)
            _kept[page] = _spill.TryKeep(_keys[page], _memory!(page));
    }

    private ReadOnlySpan<int> LabelOf(int node) => _tokens.AsSpan(node * _pageTokens, _count[node]);

    /// <summary>A child whose label begins with the wanted one; drops childless children that the wanted one extends.</summary>
    private int FindCovering(int parent, int scope, ReadOnlySpan<int> label)
    {
        int node = parent == None ? _scopes.First(scope) : _firstChild[parent];
        while (node != None)
        {
            int next = _next[node];
            int common = LabelOf(node).CommonPrefixLength(label);
            if (common == label.Length)
                return node;
            if (common == _count[node] && _pool.Holders(node) == 0)
                Remove(node, forgetScope: false);
            node = next;
        }

        return None;
    }

    private void Link(int node, int parent, int scope, ReadOnlySpan<int> label)
    {
        label.CopyTo(_tokens.AsSpan(node * _pageTokens));
        _count[node] = label.Length;
        _parent[node] = parent;
        _firstChild[node] = None;
        _previous[node] = None;
        _scopeOfRoot[node] = scope;
        if (_spill is not null)
        {
            _kept[node] = false;
            if (label.Length == _pageTokens)
                _keys[node] = (parent == None ? _spill.Root(_scopes.NameOf(scope)) : _keys[parent]).Next(label);
        }

        ref int first = ref parent == None ? ref _scopes.First(scope) : ref _firstChild[parent];
        _next[node] = first;
        if (first != None)
            _previous[first] = node;
        first = node;
        Nodes++;
    }

    private void Remove(int node, bool forgetScope)
    {
        int next = _next[node], previous = _previous[node], parent = _parent[node];
        if (next != None)
            _previous[next] = previous;
        if (previous != None)
            _next[previous] = next;
        else if (parent == None)
            _scopes.First(_scopeOfRoot[node]) = next;
        else
            _firstChild[parent] = next;
        _count[node] = 0;
        Nodes--;
        _pool.DropFromCache(node);
        if (forgetScope && parent == None)
            _scopes.ForgetIfEmpty(_scopeOfRoot[node]);
    }
}
