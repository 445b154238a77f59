using Glimmer.Kernels;

namespace Glimmer.Cli.Golden;

/// <summary>Grouped causal attention of a few rows after a past, part of <see cref="UnitsArea"/>.</summary>
internal static class UnitAttention
{
    /// <summary>Compares probabilities and results, with the keys and values in pages of 4.</summary>
    public static IEnumerable<GoldenCheck> Run(GoldenTensors tensors)
    {
        if (!tensors.Has("attention.q"))
            yield break;
        long[] queryShape = tensors.Shape("attention.q"), keyShape = tensors.Shape("attention.k");
        int rows = (int)queryShape[0], heads = (int)queryShape[1], width = (int)queryShape[2], tokens = (int)keyShape[0], kvHeads = (int)keyShape[1];
        float[] queries = tensors.Floats("attention.q"), keys = tensors.Floats("attention.k"), values = tensors.Floats("attention.v");
        var shape = new AttentionShape(heads, kvHeads, width, width, 1 / MathF.Sqrt(width));

        float[] probabilities = new float[heads * rows * tokens];
        for (int head = 0; head < heads; head++)
        {
            for (int row = 0; row < rows; row++)
            {
                int seen = tokens - rows + row + 1;
                Span<float> scores = probabilities.AsSpan((head * rows + row) * tokens, seen);
                for (int t = 0; t < seen; t++)
                    scores[t] = VectorMath.Dot(queries.AsSpan((row * heads + head) * width, width), keys.AsSpan((t * kvHeads + head * kvHeads / heads) * width, width)) * shape.Scale;
                Softmax.Apply(scores, scores);
            }
        }

        yield return GoldenCompare.Floats("attention.probabilities", tensors.Floats("attention.probabilities"), probabilities, 1e-6, tokens);
        yield return UnitsArea.Near("attention.y", tensors.Floats("attention.y"), Paged(shape, queries, keys, values, rows, tokens), 1e-6, heads * width);
    }

    private static unsafe float[] Paged(AttentionShape shape, float[] queries, float[] keys, float[] values, int rows, int tokens)
    {
        const int PageTokens = 4;
        int rowWidth = shape.KvHeads * shape.KeyWidth, pageCount = (tokens + PageTokens - 1) / PageTokens;
        Array.Resize(ref keys, pageCount * PageTokens * rowWidth);
        Array.Resize(ref values, keys.Length);
        int[] pages = [.. Enumerable.Range(0, pageCount)];
        float[] y = new float[rows * shape.QueryHeads * shape.ValueWidth];
        using var team = new ThreadTeam(1);
        fixed (float* query = queries, key = keys, value = values, output = y)
        fixed (int* page = pages)
        {
            var chunk = new AttentionChunk
            {
                Queries = query,
                QueryStride = shape.QueryHeads * shape.KeyWidth,
                Output = output,
                OutputStride = shape.QueryHeads * shape.ValueWidth,
                Rows = rows,
                Position = tokens - rows,
                Pages = page,
            };
            PagedAttention.Run(team, shape, Plane(key), Plane(value), [chunk], 1);
        }

        return y;

        // Heads side by side in a row.
        KvRows Plane(float* origin) => new(origin, KvFormat.F32, PageTokens, (long)PageTokens * rowWidth * sizeof(float), shape.KeyWidth * sizeof(float), rowWidth * sizeof(float));
    }
}
