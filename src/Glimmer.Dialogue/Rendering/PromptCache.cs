using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Rendering;

/// <summary>
/// Remembers the token ids of text between control tokens, so that a conversation that continues a known one costs the
/// encoding of its new part only. Because a control token ends every run, a run's ids depend on nothing around it:
/// whatever a new turn does to earlier ones (thinking dropped, tools changed), every run that is still the same is found,
/// and the result always equals rendering from nothing. Bounded by the number of ids held; the least recently used go
/// first. Safe to share between threads; one cache belongs to one tokenizer.
/// </summary>
/// <remarks>
/// Keys are SHA-256 of the text: tenants share a cache, so no client may be able to make another's text collide.
/// </remarks>
public sealed class PromptCache
{
    // Shorter runs cost less to encode than to look up.
    private const int MinChars = 48;

    private readonly Lock _gate = new();
    private readonly Dictionary<UInt128, LinkedListNode<Entry>> _entries = [];
    private readonly LinkedList<Entry> _recent = new();
    private readonly ITokenizer _tokenizer;
    private readonly int _maxTokens;
    private long _hits;
    private long _misses;

    /// <summary>An empty cache.</summary>
    /// <param name="tokenizer">The tokenizer whose ids are held.</param>
    /// <param name="maxTokens">Most ids held, at least 1. An entry costs its ids plus 32 for its bookkeeping.</param>
    public PromptCache(ITokenizer tokenizer, int maxTokens)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxTokens, 1);
        _tokenizer = tokenizer;
        _maxTokens = maxTokens;
    }

    /// <summary>Ids held now, with each entry's bookkeeping.</summary>
    public int HeldTokens { get; private set; }

    /// <summary>Runs found.</summary>
    public long Hits => Interlocked.Read(ref _hits);

    /// <summary>Runs encoded.</summary>
    public long Misses => Interlocked.Read(ref _misses);

    /// <summary>Appends the ids of a run of text.</summary>
    /// <exception cref="ArgumentException">The tokenizer is not the cache's own.</exception>
    internal void Encode(ReadOnlySpan<char> text, ITokenizer tokenizer, List<int> ids)
    {
        if (!ReferenceEquals(tokenizer, _tokenizer))
            throw new ArgumentException("This cache holds the ids of another tokenizer.", nameof(tokenizer));
        if (text.Length < MinChars)
        {
            tokenizer.Encode(text, recogniseAdded: false, ids);
            return;
        }

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(MemoryMarshal.AsBytes(text), hash);
        UInt128 key = MemoryMarshal.Read<UInt128>(hash);
        if (Find(key) is { } known)
        {
            Interlocked.Increment(ref _hits);
            ids.AddRange(known);
            return;
        }

        Interlocked.Increment(ref _misses);
        int start = ids.Count;
        tokenizer.Encode(text, recogniseAdded: false, ids);
        Keep(key, CollectionsMarshal.AsSpan(ids)[start..].ToArray());
    }

    private int[]? Find(UInt128 key)
    {
        lock (_gate)
        {
            if (!_entries.TryGetValue(key, out LinkedListNode<Entry>? node))
                return null;
            _recent.Remove(node);
            _recent.AddFirst(node);
            return node.Value.Ids;
        }
    }

    private void Keep(UInt128 key, int[] ids)
    {
        Entry entry = new(key, ids);
        if (entry.Cost > _maxTokens)
            return;
        lock (_gate)
        {
            if (_entries.ContainsKey(key))
                return;
            while (HeldTokens + entry.Cost > _maxTokens && _recent.Last is { } oldest)
            {
                _recent.RemoveLast();
                _entries.Remove(oldest.Value.Key);
                HeldTokens -= oldest.Value.Cost;
            }

            _entries.Add(key, _recent.AddFirst(entry));
            HeldTokens += entry.Cost;
        }
    }

    private sealed record Entry(UInt128 Key, int[] Ids)
    {
        public int Cost => Ids.Length + 32;
    }
}
