namespace Glimmer.Kernels;

/// <summary>Matrix products of activations with weights: y = x·Wᵀ.</summary>
/// <remarks>
/// Every output element is summed in an order that depends only on the matrix: not on how many rows of activations
/// are multiplied at once, nor on the number of threads. So a batch gives bit for bit what its rows give alone.
/// </remarks>
public static unsafe class MatMul
{
    /// <summary>
    /// Multiplies <paramref name="count"/> rows of activations: <paramref name="y"/>[i, r] = Σ_c x[i, c]·W[r, c].
    /// </summary>
    /// <param name="team">Threads to use.</param>
    /// <param name="weights">W, shape (rows, columns).</param>
    /// <param name="x">Activations, shape (count, columns), contiguous.</param>
    /// <param name="count">Rows of activations, at least 0.</param>
    /// <param name="y">Result, shape (count, rows), contiguous; must not overlap <paramref name="x"/>.</param>
    public static void Multiply(ThreadTeam team, WeightMatrix weights, ReadOnlySpan<float> x, int count, Span<float> y)
    {
        int rows = weights.Rows, columns = weights.Columns;
        if (x.Length < (long)count * columns || y.Length < (long)count * rows)
            throw new ArgumentException($"Activations of {x.Length} or results of {y.Length} are too short for {count} rows of a {rows} x {columns} matrix.", nameof(x));
        float[] row = new float[columns];
        for (int r = 0; r < rows; r++)
        {
            weights.ReadRow(r, row);
            for (int i = 0; i < count; i++)
            {
                double sum = 0;
                for (int c = 0; c < columns; c++)
                    sum += (double)x[i * columns + c] * row[c];
                y[i * rows + r] = (float)sum;
            }
        }
    }
}
