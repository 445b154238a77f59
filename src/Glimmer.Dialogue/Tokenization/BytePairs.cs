namespace Glimmer.Dialogue.Tokenization;

/// <summary>The ids of single bytes and the ranks of pairs of them: where every merge begins.</summary>
internal sealed class BytePairs
{
    private readonly int[] _ids = new int[256];
    private readonly int[] _ranks = new int[256 * 256];

    /// <summary>Looks them all up.</summary>
    public BytePairs(PieceTable pieces)
    {
        for (int b = 0; b < 256; b++)
            _ids[b] = pieces.Find([(byte)b]);
        _ranks.AsSpan().Fill(int.MaxValue);
    }

    /// <summary>The first byte that has no token; −1 when each has one.</summary>
    public int FirstMissing => _ids.IndexOf(-1);

    /// <summary>The id of a byte; −1 for none.</summary>
    public int IdOf(byte value) => _ids[value];

    /// <summary>The rank of two bytes side by side; <see cref="int.MaxValue"/> when they do not merge.</summary>
    public int RankOf(byte left, byte right) => _ranks[(left << 8) | right];

    /// <summary>Sets the rank of two bytes.</summary>
    public void SetRank(byte left, byte right, int rank) => _ranks[(left << 8) | right] = rank;
}
