using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Attention;

/// <summary>One part of an attention operation: a few query rows with a few heads of one kv head, called items here, and all keys or some spans of them.</summary>
internal readonly unsafe ref struct AttentionPart(AttentionShape shape, KvRows keys, KvRows values, ref AttentionChunk chunk, int part) : ILaneKernel
{
    private const int TileKeys = PagedAttention.TileKeys;
    private const int SpanKeys = PagedAttention.SpanKeys;

    private readonly ref AttentionChunk _chunk = ref chunk;

    public void Run<V>()
        where V : struct, ILanes<V>
    {
        int spanPart = part % _chunk.SpanParts, spans = _chunk.SpansPerPart;
        new AttentionSplit(shape).Locate(part / _chunk.SpanParts, _chunk.Rows, out ItemBlock block);
        block = block with { FirstKey = spanPart * spans * SpanKeys, EndKey = spans == 0 ? int.MaxValue : (int)Math.Min(int.MaxValue, (spanPart + 1L) * spans * SpanKeys) };
        if (_chunk.Selected == null)
        {
            Items<V>(block);
            return;
        }

        // Every row has a list of its own, so rows cannot share tiles.
        for (int row = 0; row < block.Rows; row++)
            Items<V>(block with { FirstRow = block.FirstRow + row, Rows = 1 });
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Items<V>(in ItemBlock block)
        where V : struct, ILanes<V>
    {
        var work = new PartMemory(shape, keys, values, block.Items, typeof(V) == typeof(Lanes512));
        int longest = 0, shortest = int.MaxValue;
        for (int item = 0; item < block.Items; item++)
        {
            int length = Math.Min(_chunk.Length(block.FirstRow + item / block.Heads), block.EndKey);
            work.Lengths[item] = length;
            longest = Math.Max(longest, length);
            shortest = Math.Min(shortest, length);
        }

        work.PadLengths(block.Items, longest);
        TakeQueries(block, work);
        ItemStatistics total = work.Total, span = work.Span;
        for (int start = block.FirstKey; start < longest; start += SpanKeys)
        {
            bool first = start == block.FirstKey;
            ItemStatistics state = first ? total : span;
            float* sums = first ? work.TotalSums : work.SpanSums;
            state.Clear(work.PaddedItems);
            new Span<float>(sums, block.Items * work.PaddedValue).Clear();
            int end = Math.Min(longest, start + SpanKeys);
            for (int tile = start; tile < end; tile += TileKeys)
                Tile<V>(block, work, tile, Math.Min(TileKeys, end - tile), Math.Clamp(longest - tile - TileKeys, 0, TileKeys), shortest, state, sums);
            if (_chunk.SpansPerPart > 0)
                Keep(block, work, start, state, sums);
            else if (!first)
                Join<V>(block, work, start);
        }

        if (_chunk.SpansPerPart == 0)
            Finish<V>(block, work);
    }

    // By item, an element of all queries lies together; by key, a query does.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void TakeQueries(in ItemBlock block, in PartMemory work)
    {
        int width = shape.KeyWidth;
        for (int item = 0; item < work.PaddedItems; item++)
        {
            float* query = item < block.Items ? _chunk.Queries + (long)(block.FirstRow + item / block.Heads) * _chunk.QueryStride + (long)(block.FirstHead + item % block.Heads) * width : null;
            float* to = work.ByKey ? work.Queries + (long)item * width : work.Queries + item;
            int step = work.ByKey ? 1 : work.PaddedItems;
            for (int d = 0; d < width; d++, to += step)
                *to = query == null ? 0 : query[d];
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Tile<V>(in ItemBlock block, in PartMemory work, int start, int count, int next, int shortest, ItemStatistics state, float* sums)
        where V : struct, ILanes<V>
    {
        // Few items read each value once or twice: halves are then widened on the way.
        bool halves = typeof(V) == typeof(Lanes512) && work.ByKey && !work.ValuesAreKeys && values.Format == KvFormat.F16
            && block.Items % 4 == 0 && shape.ValueWidth % 64 == 0 && start + TileKeys <= shortest;
        Gather<V>(block, work, start, count, next, widenValues: work.CopiesValues && !halves);
        if (work.ByKey)
        {
            KeyColumns.Fill<V>(work.RawColumns ? keys.Format : KvFormat.F32, work.RawColumns ? work.RawKeys : (byte**)work.KeyRows, work.NextKeys, shape.KeyWidth, work.Columns);
            Scores.ByKey<V>(work.Columns, work.RawColumns && keys.Format == KvFormat.F16, work.Queries, work.PaddedItems, shape.KeyWidth, work.Scores);
            for (int item = 0; item < block.Items; item++)
            {
                int seen = Math.Min(count, work.Lengths[item] - start);
                work.Corrections[item] = seen <= 0 ? 1 : TileSoftmax.ByKey<V>(work.Scores + item * TileKeys, seen, shape.Scale, ref state.Maxima[item], ref state.Totals[item]);
            }
        }
        else
        {
            Scores.ByItem<V>(work.KeyRows, count, work.Queries, work.PaddedItems, shape.KeyWidth, work.Scores);
            TileSoftmax.ByItem<V>(work.Scores, count, work.PaddedItems, start, start + count > shortest ? work.ItemLengths : null, shape.Scale, state, work.Corrections);
        }

        for (int item = 0; item < block.Items; item++)
        {
            if (work.Corrections[item] != 1)
                Multiply<V>(sums + (long)item * work.PaddedValue, work.Corrections[item], work.PaddedValue);
        }

        TileWeights weights = work.ByKey ? new TileWeights(work.Scores, 1, TileKeys) : new TileWeights(work.Scores, work.PaddedItems, 1);
        if (halves)
            WeightedValues.AddHalves<V>(weights, block.Items, (byte**)work.ValueRows, work.NextValues, sums, work.PaddedValue);
        else
            WeightedValues.Add<V>(weights, work.Lengths, block.Items, start, work.ValueRows, sums, work.PaddedValue);
    }

    /// <summary>Finds the rows of a tile and widens what is not single precision; what comes next is fetched meanwhile.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Gather<V>(in ItemBlock block, in PartMemory work, int start, int count, int next, bool widenValues)
        where V : struct, ILanes<V>
    {
        Locate(block, keys, start, count, work.RawKeys);
        Locate(block, keys, start + count, next, work.NextKeys);
        if (!work.NeedsKeyRows)
            new Span<nint>(work.KeyRows, TileKeys).Clear();
        else if (keys.Format == KvFormat.F32)
            new Span<nint>(work.RawKeys, TileKeys).CopyTo(new Span<nint>(work.KeyRows, TileKeys));
        else
            Widen<V>(keys.Format, work.RawKeys, work.NextKeys, count, work.KeyRows, work.KeyTile, shape.KeyWidth, work.KeyStride);
        if (work.ValuesAreKeys)
        {
            new Span<nint>(work.KeyRows, TileKeys).CopyTo(new Span<nint>(work.ValueRows, TileKeys));
            return;
        }

        Locate(block, values, start, count, (byte**)work.ValueRows);
        Locate(block, values, start + count, next, work.NextValues);
        if (widenValues)
            Widen<V>(values.Format, (byte**)work.ValueRows, work.NextValues, count, work.ValueRows, work.ValueTile, shape.ValueWidth, work.PaddedValue);
    }

    /// <summary>Finds rows through the pages, and through the list if there is one; past the last the last again, null without any.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Locate(in ItemBlock block, in KvRows plane, int start, int count, byte** rows)
    {
        byte* row = null;
        if (_chunk.Selected != null)
        {
            int* selected = _chunk.Selected + (long)block.FirstRow * _chunk.SelectedStride + start;
            for (int i = 0; i < TileKeys; i++)
            {
                if (i < count)
                    row = plane.Row(_chunk.Pages, block.KvHead, selected[i]);
                rows[i] = row;
            }

            return;
        }

        // Within a page one row follows the other.
        long step = plane.RowBytes;
        int left = 0, taken = 0;
        for (; taken < count; taken++, left--)
        {
            if (left == 0)
            {
                row = plane.Row(_chunk.Pages, block.KvHead, start + taken);
                left = plane.PageTokens - (start + taken) % plane.PageTokens;
            }
            else
            {
                row += step;
            }

            rows[taken] = row;
        }

        for (; taken < TileKeys; taken++)
            rows[taken] = row;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Widen<V>(KvFormat format, byte** rows, byte** next, int count, float** widened, float* tile, int width, int stride)
        where V : struct, ILanes<V>
    {
        int lines = (int)Math.Min(4, (format.BytesFor((width + 31L) & ~31L) + 63) / 64);
        for (int i = 0; i < TileKeys; i++)
        {
            if (i < count)
            {
                KvRowFormats.Widen<V>(format, rows[i], tile, width);
                new Span<float>(tile + width, stride - width).Clear();
                for (int line = 0; line < lines; line++)
                    KeyColumns.FetchAhead(next[i] + line * 64);
                widened[i] = tile;
                tile += stride;
                continue;
            }

            widened[i] = widened[count - 1];
        }
    }

    private void Keep(in ItemBlock block, in PartMemory work, int start, ItemStatistics state, float* sums)
    {
        for (int item = 0; item < block.Items; item++)
        {
            if (work.Lengths[item] <= start)
                continue;
            int row = block.FirstRow + item / block.Heads, head = block.FirstHead + item % block.Heads;
            float* kept = _chunk.Spans.Statistics(start / SpanKeys, row, head);
            (kept[0], kept[1]) = (state.Maxima[item], state.Totals[item]);
            new ReadOnlySpan<float>(sums + (long)item * work.PaddedValue, work.PaddedValue).CopyTo(new Span<float>(_chunk.Spans.Sums(start / SpanKeys, row, head), work.PaddedValue));
        }
    }

    private static void Join<V>(in ItemBlock block, in PartMemory work, int start)
        where V : struct, ILanes<V>
    {
        for (int item = 0; item < block.Items; item++)
        {
            if (work.Lengths[item] > start)
                SpanResults.Join<V>(ref work.Total.Maxima[item], ref work.Total.Totals[item], work.TotalSums + (long)item * work.PaddedValue, work.Span.Maxima[item], work.Span.Totals[item], work.SpanSums + (long)item * work.PaddedValue, work.PaddedValue);
        }
    }

    private void Finish<V>(in ItemBlock block, in PartMemory work)
        where V : struct, ILanes<V>
    {
        for (int item = 0; item < block.Items; item++)
        {
            float* output = _chunk.Output + (long)(block.FirstRow + item / block.Heads) * _chunk.OutputStride + (long)(block.FirstHead + item % block.Heads) * shape.ValueWidth;
            if (work.Lengths[item] == 0)
                new Span<float>(output, shape.ValueWidth).Clear();
            else
                SpanResults.Divide<V>(work.TotalSums + (long)item * work.PaddedValue, work.Total.Totals[item], output, shape.ValueWidth);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply<V>(float* sums, float factor, int width)
        where V : struct, ILanes<V>
    {
        V correction = V.Broadcast(factor);
        for (int i = 0; i < width; i += 16)
            V.Store(V.Load(sums + i) * correction, sums + i);
    }
}
