using System.Runtime.CompilerServices;
using Glimmer.Kernels.Lanes;
using Glimmer.Kernels.MatrixProducts;

namespace Glimmer.Kernels.Attention;

/// <summary>One part of an attention operation: a few query rows with a few heads of one kv head, called items here.</summary>
internal readonly unsafe ref struct AttentionPart(AttentionShape shape, KvRows keys, KvRows values, ref AttentionChunk chunk, int part) : ILaneKernel
{
    private const int TileKeys = PagedAttention.TileKeys;

    private readonly ref AttentionChunk _chunk = ref chunk;

    public void Run<V>()
        where V : struct, ILanes<V>
    {
        new AttentionSplit(shape).Locate(part, _chunk.Rows, out int kvHead, out int firstRow, out int rows, out int firstHead, out int heads);
        if (_chunk.Selected == null)
        {
            Rows<V>(kvHead, firstRow, rows, firstHead, heads);
            return;
        }

        // Every row has a list of its own, so rows cannot share tiles.
        for (int row = firstRow; row < firstRow + rows; row++)
            Rows<V>(kvHead, row, 1, firstHead, heads);
    }

    private void Rows<V>(int kvHead, int firstRow, int rows, int firstHead, int heads)
        where V : struct, ILanes<V>
    {
        int items = rows * heads, keyWidth = shape.KeyWidth, valueWidth = shape.ValueWidth;
        int paddedValue = (valueWidth + 15) & ~15;
        bool copyValues = paddedValue != valueWidth;

        // Scratch: queries, scores, running values and, where a value does not fill whole lanes, a padded copy of the tile's values.
        long queryFloats = ((long)items * keyWidth + 15) & ~15L;
        float* queries = Scratch.Floats(queryFloats + items * TileKeys + (long)items * paddedValue + (copyValues ? TileKeys * paddedValue : 0));
        float* scores = queries + queryFloats;
        float* sums = scores + items * TileKeys;
        float* valueCopy = sums + (long)items * paddedValue;
        float** keyRows = stackalloc float*[TileKeys];
        float** valueRows = stackalloc float*[TileKeys];
        var state = stackalloc ItemState[items];

        int longest = 0;
        for (int item = 0; item < items; item++)
        {
            int row = firstRow + item / heads;
            float* query = _chunk.Queries + (long)row * _chunk.QueryStride + (long)(firstHead + item % heads) * keyWidth;
            new ReadOnlySpan<float>(query, keyWidth).CopyTo(new Span<float>(queries + (long)item * keyWidth, keyWidth));
            int length = _chunk.Length(row);
            state[item] = new ItemState { Length = length, Maximum = float.NegativeInfinity };
            longest = Math.Max(longest, length);
        }

        new Span<float>(sums, items * paddedValue).Clear();
        for (int start = 0; start < longest; start += TileKeys)
        {
            int count = Math.Min(TileKeys, longest - start);
            Gather(kvHead, firstRow, start, count, keyRows, valueRows);
            if (copyValues)
                Pad(valueRows, count, valueCopy, valueWidth, paddedValue);
            DotTile.Multiply<V>(keyRows, count, queries, keyWidth, items, keyWidth, scores, TileKeys);
            for (int item = 0; item < items; item++)
                Weigh<V>(scores + item * TileKeys, Math.Clamp(state[item].Length - start, 0, TileKeys), ref state[item], sums + (long)item * paddedValue, paddedValue);
            WeightedValues.Add<V>(scores, state, items, start, valueRows, sums, paddedValue);
        }

        for (int item = 0; item < items; item++)
        {
            float* output = _chunk.Output + (long)(firstRow + item / heads) * _chunk.OutputStride + (long)(firstHead + item % heads) * valueWidth;
            Finish<V>(sums + (long)item * paddedValue, state[item], output, valueWidth);
        }
    }

    /// <summary>Finds the rows of a tile: through the pages, and through the row's list if it has one.</summary>
    private void Gather(int kvHead, int row, int start, int count, float** keyRows, float** valueRows)
    {
        int* selected = _chunk.Selected == null ? null : _chunk.Selected + (long)row * _chunk.SelectedStride + start;
        for (int i = 0; i < count; i++)
        {
            int position = selected == null ? start + i : selected[i];
            keyRows[i] = keys.Row(_chunk.Pages, position) + (long)kvHead * shape.KeyWidth;
            valueRows[i] = values.Row(_chunk.Pages, position) + (long)kvHead * shape.ValueWidth;
        }
    }

    private static void Pad(float** rows, int count, float* copy, int width, int paddedWidth)
    {
        for (int i = 0; i < count; i++, copy += paddedWidth)
        {
            new ReadOnlySpan<float>(rows[i], width).CopyTo(new Span<float>(copy, width));
            new Span<float>(copy + width, paddedWidth - width).Clear();
            rows[i] = copy;
        }
    }

    /// <summary>
    /// Turns the dot products of a tile into weights e^(score − maximum), and corrects sum and values when the maximum rises.
    /// Keys that the row does not see count as −∞, so their weight is 0.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Weigh<V>(float* scores, int count, ref ItemState state, float* sums, int width)
        where V : struct, ILanes<V>
    {
        if (count == 0)
            return;
        V scale = V.Broadcast(shape.Scale);
        V.Store(V.Load(scores) * scale, scores);
        V.Store(V.Load(scores + 16) * scale, scores + 16);
        for (int i = count; i < TileKeys; i++)
            scores[i] = float.NegativeInfinity;

        V first = V.Load(scores), second = V.Load(scores + 16);
        float largest = V.Largest(V.SelectLess(first, second, second, first));
        if (largest > state.Maximum)
        {
            if (state.Sum != 0)
            {
                float* power = stackalloc float[16];
                V.Store(LaneMath.Exp(V.Broadcast(state.Maximum) - V.Broadcast(largest)), power);
                state.Sum *= power[0];
                V correction = V.Broadcast(power[0]);
                for (int i = 0; i < width; i += 16)
                    V.Store(V.Load(sums + i) * correction, sums + i);
            }

            state.Maximum = largest;
        }

        V shift = V.Broadcast(state.Maximum);
        first = LaneMath.Exp(V.Load(scores) - shift);
        second = LaneMath.Exp(V.Load(scores + 16) - shift);
        V.Store(first, scores);
        V.Store(second, scores + 16);
        state.Sum += Folding.Sum(first + second);
    }

    private static void Finish<V>(float* sums, ItemState state, float* output, int width)
        where V : struct, ILanes<V>
    {
        if (state.Length == 0)
        {
            new Span<float>(output, width).Clear();
            return;
        }

        V total = V.Broadcast(state.Sum);
        int i = 0;
        for (; i + 16 <= width; i += 16)
            V.Store(V.Load(sums + i) / total, output + i);
        if (i < width)
            V.StoreFirst(V.Load(sums + i) / total, output + i, width - i);
    }
}
