namespace Glimmer.Models.Layers;

/// <summary>
/// Causal softmax attention over cached rows. Scores are taken in tiles of consecutive visible positions with a running
/// maximum (arXiv 2205.14135), so that no row of scores is stored. Tiles are counted from position 0: neither pages nor
/// chunks nor threads change the order of any sum.
/// </summary>
internal static unsafe class PagedAttention
{
    private const int Tile = 32;

    /// <summary>Runs all heads of all rows.</summary>
    /// <param name="pass">The pass; its <see cref="ForwardPass.Selection"/> restricts positions when set.</param>
    /// <param name="shape">Heads, widths and planes.</param>
    /// <param name="queries">Shape (rows, heads · key width).</param>
    /// <param name="output">Shape (rows, heads · value width).</param>
    public static void Run(ForwardPass pass, in AttentionShape shape, Rows queries, Rows output)
    {
        long cost = (long)pass.LongestSequence() * (shape.KeyWidth + shape.ValueWidth);
        pass.Parallel(
            queries.Count * shape.Heads,
            cost,
            (Pass: pass, Shape: shape, Queries: queries, Output: output),
            static (s, part) => Head(s.Pass, s.Shape, part / s.Shape.Heads, part % s.Shape.Heads, s.Queries, s.Output));
    }

    private static void Head(ForwardPass pass, in AttentionShape shape, int row, int head, Rows queries, Rows output)
    {
        int keyWidth = shape.KeyWidth, valueWidth = shape.ValueWidth;
        float* query = queries.Row(row) + head * keyWidth;
        float* sum = output.Row(row) + head * valueWidth;
        new Span<float>(sum, valueWidth).Clear();
        int kvHead = head / (shape.Heads / shape.KvHeads);
        int* pages = pass.Pages(row);
        int* chosen = null;
        int visible = pass.Position(row) + 1;
        Selection selection = pass.Selection;
        if (shape.Sparse && selection.Counts is not null && selection.Counts[row] >= 0)
        {
            chosen = selection.Positions + (long)row * selection.Stride;
            visible = selection.Counts[row];
        }

        float* scores = stackalloc float[Tile];
        float maximum = float.NegativeInfinity, total = 0;
        for (int start = 0; start < visible; start += Tile)
        {
            int count = Math.Min(Tile, visible - start);
            float tileMaximum = float.NegativeInfinity;
            for (int i = 0; i < count; i++)
            {
                float* key = pass.CacheRow(shape.KeyPlane, pages, chosen is null ? start + i : chosen[start + i]) + kvHead * keyWidth;
                scores[i] = PlainMath.Dot(query, key, keyWidth) * shape.Scale;
                tileMaximum = Math.Max(tileMaximum, scores[i]);
            }

            if (tileMaximum > maximum)
            {
                float fade = MathF.Exp(maximum - tileMaximum);
                total *= fade;
                PlainMath.Scale(sum, fade, valueWidth);
                maximum = tileMaximum;
            }

            for (int i = 0; i < count; i++)
            {
                float weight = MathF.Exp(scores[i] - maximum);
                total += weight;
                float* value = pass.CacheRow(shape.ValuePlane, pages, chosen is null ? start + i : chosen[start + i]) + kvHead * shape.ValueStride;
                PlainMath.AddScaled(sum, weight, value, valueWidth);
            }
        }

        PlainMath.Scale(sum, 1 / total, valueWidth);
    }
}

/// <summary>Numbers of one layer's attention.</summary>
/// <param name="Heads">Query heads.</param>
/// <param name="KvHeads">Cached heads; query head i reads head i / (Heads / KvHeads).</param>
/// <param name="KeyWidth">Width of a cached key.</param>
/// <param name="ValueWidth">Numbers of a value that are summed.</param>
/// <param name="ValueStride">Numbers from one value head to the next in a cache row.</param>
/// <param name="KeyPlane">Plane of the keys.</param>
/// <param name="ValuePlane">Plane of the values; latent attention reads them from the start of its keys.</param>
/// <param name="Scale">Factor on the scores.</param>
/// <param name="Sparse">Whether the pass's selection applies.</param>
internal readonly record struct AttentionShape(
    int Heads,
    int KvHeads,
    int KeyWidth,
    int ValueWidth,
    int ValueStride,
    int KeyPlane,
    int ValuePlane,
    float Scale,
    bool Sparse);
