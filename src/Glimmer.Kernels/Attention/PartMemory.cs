using Glimmer.Kernels.Lanes;
using Glimmer.Kernels.MatrixProducts;

namespace Glimmer.Kernels.Attention;

/// <summary>What a part of an attention operation works in: pieces of the thread's scratch memory, and how the part goes about it.</summary>
internal readonly unsafe ref struct PartMemory
{
    private const int TileKeys = PagedAttention.TileKeys;

    // Above it, queries fill a register by themselves and keys need not be turned.
    private const int MostItemsByKey = 8;

    public PartMemory(in AttentionShape shape, in KvRows keys, in KvRows values, int items, bool wide)
    {
        ByKey = items <= MostItemsByKey;
        PaddedItems = ByKey ? (items + 3) & ~3 : (items + 15) & ~15;
        PaddedValue = (shape.ValueWidth + 15) & ~15;
        KeyStride = (shape.KeyWidth + 15) & ~15;
        ValuesAreKeys = keys.Origin == values.Origin && shape.ValueWidth % 16 == 0 && keys.RowBytes == values.RowBytes;
        RawColumns = ByKey && (wide ? KeyColumns.TakesRaw<Lanes512>(keys.Format, shape.KeyWidth) : KeyColumns.TakesRaw<Lanes256>(keys.Format, shape.KeyWidth));
        NeedsKeyRows = !RawColumns || ValuesAreKeys;
        CopiesValues = !ValuesAreKeys && (values.Format != KvFormat.F32 || PaddedValue != shape.ValueWidth);

        bool copiesKeys = NeedsKeyRows && keys.Format != KvFormat.F32;
        long pointers = 5 * TileKeys * sizeof(void*) / sizeof(float), rounded = (items + 15) & ~15;
        long queries = ((long)PaddedItems * shape.KeyWidth + 15) & ~15L, columns = ByKey ? (long)shape.KeyWidth * TileKeys : 0;
        long keyTile = copiesKeys ? (long)TileKeys * KeyStride : 0, valueTile = CopiesValues ? (long)TileKeys * PaddedValue : 0;
        long sums = (long)items * PaddedValue, scores = (long)TileKeys * rounded;
        float* memory = MatrixProducts.Scratch.Floats(pointers + queries + columns + keyTile + valueTile + 2 * sums + scores + 7 * rounded);
        RawKeys = (byte**)memory;
        KeyRows = (float**)(RawKeys + TileKeys);
        ValueRows = KeyRows + TileKeys;
        NextKeys = (byte**)(ValueRows + TileKeys);
        NextValues = NextKeys + TileKeys;
        Queries = memory + pointers;
        Columns = Queries + queries;
        KeyTile = Columns + columns;
        ValueTile = KeyTile + keyTile;
        TotalSums = ValueTile + valueTile;
        SpanSums = TotalSums + sums;
        Scores = SpanSums + sums;
        Total = new ItemStatistics(Scores + scores, Scores + scores + rounded);
        Span = new ItemStatistics(Total.Totals + rounded, Total.Totals + 2 * rounded);
        Corrections = Span.Totals + rounded;
        ItemLengths = Corrections + rounded;
        Lengths = (int*)(ItemLengths + rounded);
    }

    /// <summary>Whether sixteen keys share a register, not sixteen items.</summary>
    public bool ByKey { get; }

    /// <summary>Items, rounded up to what the kernels want.</summary>
    public int PaddedItems { get; }

    /// <summary>Floats of a value, rounded up to whole registers.</summary>
    public int PaddedValue { get; }

    /// <summary>Floats from one widened key to the next.</summary>
    public int KeyStride { get; }

    /// <summary>Whether values are the beginnings of the keys (MLA).</summary>
    public bool ValuesAreKeys { get; }

    /// <summary>Whether keys are turned as they lie in the cache.</summary>
    public bool RawColumns { get; }

    /// <summary>Whether keys are needed as rows of floats.</summary>
    public bool NeedsKeyRows { get; }

    /// <summary>Whether values must be widened or padded.</summary>
    public bool CopiesValues { get; }

    /// <summary>The tile's keys in the cache.</summary>
    public byte** RawKeys { get; }

    /// <summary>The tile's keys as floats.</summary>
    public float** KeyRows { get; }

    /// <summary>The tile's values as floats.</summary>
    public float** ValueRows { get; }

    /// <summary>The keys of the next tile in the cache, to be fetched ahead; null without one.</summary>
    public byte** NextKeys { get; }

    /// <summary>The values of the next tile in the cache, to be fetched ahead; null without one.</summary>
    public byte** NextValues { get; }

    /// <summary>The items' queries.</summary>
    public float* Queries { get; }

    /// <summary>The tile's keys, turned.</summary>
    public float* Columns { get; }

    /// <summary>Room for widened keys.</summary>
    public float* KeyTile { get; }

    /// <summary>Room for widened values.</summary>
    public float* ValueTile { get; }

    /// <summary>Weighted values of all spans so far.</summary>
    public float* TotalSums { get; }

    /// <summary>Weighted values of the current span.</summary>
    public float* SpanSums { get; }

    /// <summary>Scores of the tile, later weights.</summary>
    public float* Scores { get; }

    /// <summary>Statistics of all spans so far.</summary>
    public ItemStatistics Total { get; }

    /// <summary>Statistics of the current span.</summary>
    public ItemStatistics Span { get; }

    /// <summary>What each item's sums must be multiplied with.</summary>
    public float* Corrections { get; }

    /// <summary>Keys that each item sees, as floats.</summary>
    public float* ItemLengths { get; }

    /// <summary>Keys that each item sees.</summary>
    public int* Lengths { get; }

    /// <summary>Copies the lengths to floats; items past the end see as many as the longest.</summary>
    public void PadLengths(int items, int longest)
    {
        for (int item = 0; item < PaddedItems; item++)
            ItemLengths[item] = item < items ? Lengths[item] : longest;
    }
}
