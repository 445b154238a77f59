namespace Glimmer.Kernels.Attention;

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

    /// <summary>Finds a part: its kv head, and the first row and first query head with their counts.</summary>
    public void Locate(int part, int rows, out int kvHead, out int row, out int rowCount, out int head, out int headCount)
    {
        int block = part % HeadBlocks;
        part /= HeadBlocks;
        kvHead = part % _kvHeads;

        // The last rows see most keys and so take longest: they come first.
        int rowBlocks = (rows + RowsPerPart - 1) / RowsPerPart;
        row = (rowBlocks - 1 - part / _kvHeads) * RowsPerPart;
        rowCount = Math.Min(RowsPerPart, rows - row);
        head = kvHead * _headsPerKv + block * HeadsPerPart;
        headCount = Math.Min(HeadsPerPart, _headsPerKv - block * HeadsPerPart);
    }
}
