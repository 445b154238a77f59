namespace Glimmer.Kernels.Attention;

/// <summary>Query rows with heads of one kv head, and the keys they walk.</summary>
/// <param name="KvHead">The kv head.</param>
/// <param name="FirstRow">First query row.</param>
/// <param name="Rows">Query rows.</param>
/// <param name="FirstHead">First query head.</param>
/// <param name="Heads">Query heads.</param>
/// <param name="FirstKey">First key, where a span begins.</param>
/// <param name="EndKey">Keys from here on are another part's.</param>
internal readonly record struct ItemBlock(int KvHead, int FirstRow, int Rows, int FirstHead, int Heads, int FirstKey, int EndKey)
{
    /// <summary>Rows times heads; item i is row i / Heads with head i % Heads.</summary>
    public int Items => Rows * Heads;
}

/// <summary>Cuts a chunk into parts: some query rows with some heads of one kv head. How it is cut changes no result.</summary>
internal readonly struct AttentionSplit
{
    private readonly int _kvHeads;
    private readonly int _headsPerKv;

    public AttentionSplit(in AttentionShape shape)
    {
        _kvHeads = shape.KvHeads;
        _headsPerKv = shape.QueryHeads / shape.KvHeads;
        HeadsPerPart = Math.Min(_headsPerKv, PagedAttention.ItemsPerPart);
        RowsPerPart = Math.Max(1, PagedAttention.ItemsPerPart / HeadsPerPart);
    }

    /// <summary>Most query heads of a part, all of one kv head.</summary>
    public int HeadsPerPart { get; }

    /// <summary>Most query rows of a part.</summary>
    public int RowsPerPart { get; }

    private int HeadBlocks => (_headsPerKv + HeadsPerPart - 1) / HeadsPerPart;

    /// <summary>Parts of a chunk of so many rows.</summary>
    public int Parts(int rows) => checked((rows + RowsPerPart - 1) / RowsPerPart * _kvHeads * HeadBlocks);

    /// <summary>Finds a part.</summary>
    public void Locate(int part, int rows, out ItemBlock block)
    {
        int headBlock = part % HeadBlocks;
        part /= HeadBlocks;
        int kvHead = part % _kvHeads;

        // The last rows see most keys and so take longest: they come first.
        int rowBlocks = (rows + RowsPerPart - 1) / RowsPerPart;
        int row = (rowBlocks - 1 - part / _kvHeads) * RowsPerPart;
        block = new ItemBlock(
            kvHead,
            row,
            Math.Min(RowsPerPart, rows - row),
            kvHead * _headsPerKv + headBlock * HeadsPerPart,
            Math.Min(HeadsPerPart, _headsPerKv - headBlock * HeadsPerPart),
            0,
            int.MaxValue);
    }
}
