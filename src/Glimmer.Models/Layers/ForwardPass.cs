using Glimmer.Kernels;
using Glimmer.Models.Memory;

namespace Glimmer.Models.Layers;

/// <summary>
/// One pass on its way through the layers: the batch as flat rows, the cache, the threads and the scratch memory.
/// Reused from pass to pass.
/// </summary>
internal sealed unsafe class ForwardPass : IDisposable
{
    private int[] _tokens = [];
    private int[] _positions = [];
    private int[] _chunkOfRow = [];
    private int[] _firstRow = [];
    private int[] _slots = [];
    private int*[] _pages = [];

    /// <summary>Activations of this pass.</summary>
    public Scratch Scratch { get; } = new();

    /// <summary>Matrix products waiting to run together.</summary>
    public ProductQueue Products { get; } = new();

    /// <summary>The cache.</summary>
    public KvArena Arena { get; private set; } = null!;

    /// <summary>The threads.</summary>
    public ThreadTeam Team { get; private set; } = null!;

    /// <summary>How activations enter products with packed weights.</summary>
    public ActivationMode Mode { get; set; }

    /// <summary>Receives intermediate results, usually null.</summary>
    public IForwardObserver? Observer { get; set; }

    /// <summary>Rows over all chunks.</summary>
    public int RowCount { get; private set; }

    /// <summary>Number of chunks.</summary>
    public int ChunkCount { get; private set; }

    /// <summary>Room for an attention chunk per chunk.</summary>
    public AttentionChunk[] AttentionChunks { get; private set; } = [];

    /// <summary>Cosines and sines of each row's position; null data for models without rotation.</summary>
    public RotationTable Rotation { get; set; }

    /// <summary>Positions that sparse attention may see, carried from a layer with an indexer to those that share it.</summary>
    public Selection Selection { get; private set; }

    /// <summary>Makes room for choices of at most <paramref name="positions"/> per row, for the whole pass; nothing is restricted until an indexer chooses.</summary>
    public void ReserveSelection(int positions)
    {
        int stride = Math.Min(positions, LongestSequence());
        int* counts = Scratch.Ints(RowCount);
        new Span<int>(counts, RowCount).Fill(-1);
        Selection = new Selection(Scratch.Ints((long)RowCount * stride), counts, stride);
    }

    /// <summary>Takes over a batch; checks what a caller could get wrong.</summary>
    public void Begin(IReadOnlyList<SequenceChunk> chunks, int rows, int vocabulary, KvArena arena, ThreadTeam team, IForwardObserver? observer)
    {
        Scratch.Settle();
        Arena = arena;
        Team = team;
        Observer = observer;
        RowCount = rows;
        ChunkCount = chunks.Count;
        Selection = default;
        if (_tokens.Length < rows)
        {
            int capacity = Math.Max(rows, _tokens.Length * 2);
            (_tokens, _positions, _chunkOfRow) = (new int[capacity], new int[capacity], new int[capacity]);
        }

        if (_firstRow.Length < chunks.Count + 1)
        {
            int capacity = Math.Max(chunks.Count, _firstRow.Length * 2) + 1;
            (_firstRow, _slots, _pages) = (new int[capacity], new int[capacity], new int*[capacity]);
            AttentionChunks = new AttentionChunk[capacity];
        }

        int row = 0;
        for (int c = 0; c < chunks.Count; c++)
        {
            SequenceChunk chunk = chunks[c];
            Check(chunk, arena);
            if (arena.StateSlots > 0 && Array.IndexOf(_slots, chunk.StateSlot, 0, c) >= 0)
                throw new ArgumentException($"State slot {chunk.StateSlot} occurs twice in one batch.", nameof(chunks));
            _firstRow[c] = row;
            _slots[c] = chunk.StateSlot;
            _pages[c] = Scratch.Ints(chunk.Pages.Length);
            chunk.Pages.Span.CopyTo(new Span<int>(_pages[c], chunk.Pages.Length));
            ReadOnlySpan<int> tokens = chunk.Tokens.Span;
            for (int i = 0; i < tokens.Length; i++, row++)
            {
                if ((uint)tokens[i] >= (uint)vocabulary)
                    throw new ArgumentException($"Token {tokens[i]} is outside the vocabulary of {vocabulary}.", nameof(chunks));
                _tokens[row] = tokens[i];
                _positions[row] = chunk.Position + i;
                _chunkOfRow[row] = c;
            }
        }

        _firstRow[chunks.Count] = row;
    }

    /// <summary>Token of a row.</summary>
    public int Token(int row) => _tokens[row];

    /// <summary>Position of a row in its sequence.</summary>
    public int Position(int row) => _positions[row];

    /// <summary>Chunk of a row.</summary>
    public int Chunk(int row) => _chunkOfRow[row];

    /// <summary>First row of a chunk; the number of rows for the index after the last.</summary>
    public int FirstRow(int chunk) => _firstRow[chunk];

    /// <summary>Pages of the sequence a row belongs to.</summary>
    public int* Pages(int row) => _pages[_chunkOfRow[row]];

    /// <summary>Recurrent state of a chunk's sequence.</summary>
    public float* State(int chunk) => Arena.State(_slots[chunk]);

    /// <summary>The longest sequence of the batch, in tokens, up to this pass's last row.</summary>
    public int LongestSequence()
    {
        int longest = 0;
        for (int c = 0; c < ChunkCount; c++)
            longest = Math.Max(longest, _positions[_firstRow[c + 1] - 1] + 1);
        return longest;
    }

    /// <summary>The cache row of a row's own token in a plane of one head in single precision.</summary>
    public float* CacheRow(int plane, int row) => CacheRow(plane, Pages(row), _positions[row]);

    /// <summary>The cache row of a position in a plane of one head in single precision.</summary>
    public float* CacheRow(int plane, int* pages, int position)
    {
        int pageTokens = Arena.PageTokens;
        return Arena.Rows(plane, pages[position / pageTokens]) + (long)(position % pageTokens) * Arena.Layout.Planes[plane].Width;
    }

    /// <summary>Stores the row of a row's own token in a plane.</summary>
    public void WriteCache(int plane, int row, float* values)
    {
        int position = _positions[row], pageTokens = Arena.PageTokens;
        Arena.Write(plane, Pages(row)[position / pageTokens], position % pageTokens, values);
    }

    /// <summary>Runs a body for every part; small jobs stay on this thread.</summary>
    /// <param name="parts">Number of parts.</param>
    /// <param name="cost">Rough operations per part; decides whether other threads are worth waking.</param>
    /// <param name="state">Handed to the body.</param>
    /// <param name="body">Computes one part; static, so that nothing is allocated.</param>
    public void Parallel<TState>(int parts, long cost, TState state, Action<TState, int> body)
    {
        if (parts * cost < 16384)
        {
            for (int part = 0; part < parts; part++)
                body(state, part);
            return;
        }

        Team.Run(parts, state, body);
    }

    /// <summary>Reports <c>layer.N.part</c> or whatever the name says, when someone listens.</summary>
    public void Observe(string prefix, int layer, string suffix, Rows rows) =>
        Observer?.Observe(suffix.Length == 0 ? $"{prefix}.{layer}" : $"{prefix}.{layer}.{suffix}", rows.Count, rows.Width, rows.Span);

    /// <inheritdoc/>
    public void Dispose() => Scratch.Dispose();

    private static void Check(in SequenceChunk chunk, KvArena arena)
    {
        long end = (long)chunk.Position + chunk.Tokens.Length;
        if (chunk.Position < 0 || end > (long)chunk.Pages.Length * arena.PageTokens)
            throw new ArgumentException($"A chunk of {chunk.Tokens.Length} tokens at position {chunk.Position} does not fit its {chunk.Pages.Length} pages of {arena.PageTokens}.", nameof(chunk));
        foreach (int page in chunk.Pages.Span)
        {
            if ((uint)page >= (uint)arena.Pages)
                throw new ArgumentException($"Page {page} is outside the arena's {arena.Pages}.", nameof(chunk));
        }

        if (arena.Layout.StateWidth > 0 && (uint)chunk.StateSlot >= (uint)arena.StateSlots)
            throw new ArgumentException($"State slot {chunk.StateSlot} is outside the arena's {arena.StateSlots}.", nameof(chunk));
    }
}
