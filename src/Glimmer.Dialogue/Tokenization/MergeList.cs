namespace Glimmer.Dialogue.Tokenization;

/// <summary>
/// The parts of a piece while it merges: a linked list over positions. A position that merged into its left neighbour has no rank
/// any more.
/// </summary>
internal readonly ref struct MergeList
{
    private const int RankPadding = 8;

    private readonly ReadOnlySpan<byte> _piece;
    private readonly Span<int> _ranks;
    private readonly Span<int> _parts;
    private readonly Span<int> _starts;
    private readonly Span<int> _next;
    private readonly Span<int> _before;

    /// <summary>Splits a piece into its bytes.</summary>
    /// <param name="piece">The bytes; one without a token is dropped.</param>
    /// <param name="bytes">What single bytes and pairs of them are.</param>
    /// <param name="memory">As large as <see cref="MemoryFor"/> says; need not be cleared.</param>
    public MergeList(ReadOnlySpan<byte> piece, BytePairs bytes, Span<int> memory)
    {
        int padded = Padded(piece.Length);
        _piece = piece;
        _ranks = memory[..padded];
        _parts = memory.Slice(padded, piece.Length);
        _next = memory.Slice(padded + piece.Length, piece.Length);
        _before = memory.Slice(padded + 2 * piece.Length, piece.Length + 1);
        _starts = memory.Slice(padded + 3 * piece.Length + 1, piece.Length + 1);

        int count = 0;
        for (int i = 0; i < piece.Length; i++)
        {
            int id = bytes.IdOf(piece[i]);
            if (id < 0)
                continue;
            _parts[count] = id;
            _next[count] = count + 1;
            _before[count] = count - 1;
            _starts[count++] = i;
        }

        _starts[count] = piece.Length;
        for (int i = 0; i + 1 < count; i++)
            _ranks[i] = bytes.RankOf(piece[_starts[i]], piece[_starts[i + 1]]);
        _ranks[Math.Max(count - 1, 0)..].Fill(int.MaxValue);
        Count = count;
    }

    /// <summary>How many parts there were at first.</summary>
    public int Count { get; }

    /// <summary>Rank of the pair that begins at each position, <see cref="int.MaxValue"/> for none; the length is a multiple of eight.</summary>
    public ReadOnlySpan<int> PaddedRanks => _ranks;

    /// <summary>Integers of memory for a piece of so many bytes.</summary>
    public static int MemoryFor(int length) => checked(Padded(length) + 4 * length + 2);

    /// <summary>Rank of the pair that begins at a position; <see cref="int.MaxValue"/> for none.</summary>
    public int RankAt(int position) => _ranks[position];

    /// <summary>The position of the part before; −1 for none.</summary>
    public int Before(int position) => _before[position];

    /// <summary>Merges the pair that begins at a position and sees what its neighbours' pairs are now.</summary>
    public void Merge<TRanks>(int position, in TRanks ranks)
        where TRanks : struct, IMergeRanks
    {
        int right = _next[position];
        int after = _next[right];
        int id = ranks.ResultOf(_ranks[position]);
        _parts[position] = id;
        _ranks[right] = int.MaxValue;
        _next[position] = after;
        _before[after] = position;
        _ranks[position] = after < Count ? ranks.RankOf(id, _parts[after], _piece[_starts[position].._starts[_next[after]]]) : int.MaxValue;
        int before = _before[position];
        if (before >= 0)
            _ranks[before] = ranks.RankOf(_parts[before], id, _piece[_starts[before].._starts[after]]);
    }

    /// <summary>Appends the ids of the parts that are left.</summary>
    public void AppendTo(List<int> ids)
    {
        for (int i = 0; i < Count; i = _next[i])
            ids.Add(_parts[i]);
    }

    private static int Padded(int length) => checked(length + RankPadding - 1) & -RankPadding;
}
