using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Weights;

/// <summary>Turns matrices from one block format into another, row by row and on all cores.</summary>
public static class TensorQuantiser
{
    // Numbers converted between two writes: enough for the cores, little enough for memory.
    private const long PieceNumbers = 4 << 20;

    /// <summary>
    /// The format for rows of <paramref name="columns"/> numbers: the wanted one where its blocks fit, else the nearest with blocks of 32 that is no
    /// smaller, else F16. The choice is llama.cpp's, so that files look alike.
    /// </summary>
    public static BlockFormat Fit(BlockFormat wanted, long columns)
    {
        BlockFormat format = columns % BlockCodecs.For(wanted).BlockLength == 0 ? wanted : wanted switch
        {
            BlockFormat.IQ4_XS => BlockFormat.IQ4_NL,
            BlockFormat.Q2_K or BlockFormat.Q3_K or BlockFormat.TQ1_0 or BlockFormat.TQ2_0 => BlockFormat.Q4_0,
            BlockFormat.Q4_K => BlockFormat.Q5_0,
            BlockFormat.Q5_K => BlockFormat.Q5_1,
            BlockFormat.Q6_K => BlockFormat.Q8_0,
            _ => BlockFormat.F16,
        };
        return columns % BlockCodecs.For(format).BlockLength == 0 ? format : BlockFormat.F16;
    }

    /// <summary>Converts a tensor and hands on its bytes in order, piece by piece.</summary>
    /// <param name="tensor">Any readable format; the last dimension holds whole blocks of <paramref name="format"/>.</param>
    /// <param name="format">A format that can be written.</param>
    /// <param name="take">Receives the pieces, on the calling thread.</param>
    /// <param name="cancel">Stops between pieces.</param>
    /// <param name="importance">How much columns matter: one number for each, or for each of every matrix of a stack; null when all do alike.</param>
    /// <exception cref="NotSupportedException">The target format can only be read.</exception>
    public static unsafe void Convert(StoredTensor tensor, BlockFormat format, Action<ReadOnlySpan<byte>> take, CancellationToken cancel, float[]? importance = null)
    {
        BlockCodec from = BlockCodecs.For(tensor.Format), to = BlockCodecs.For(format);
        long columns = tensor.Shape[^1], rows = tensor.Count / columns;
        if (columns > int.MaxValue / 8 || columns % to.BlockLength != 0)
            throw new ArgumentException($"Rows of {columns} numbers ('{tensor.Name}') do not fit blocks of {to.BlockLength} ({format}).", nameof(format));
        if (!to.CanQuantise)
            throw new NotSupportedException($"Quantising to {format} is not supported; choose one of: {string.Join(", ", BlockCodecs.Quantisable)}.");
        int fromBytes = (int)from.BytesFor(columns), toBytes = (int)to.BytesFor(columns);
        int pieceRows = (int)Math.Clamp(PieceNumbers / columns, 1, Math.Min(rows, int.MaxValue / Math.Max(1, toBytes)));
        byte[] packed = new byte[pieceRows * toBytes];
        for (long first = 0; first < rows; first += pieceRows)
        {
            cancel.ThrowIfCancellationRequested();
            int count = (int)Math.Min(pieceRows, rows - first);
            long start = first;
            Parallel.For(0, count, () => new float[columns], (row, _, values) =>
            {
                from.Dequantise(new ReadOnlySpan<byte>((byte*)tensor.Address + (start + row) * fromBytes, fromBytes), values);
                QuantiseRow(to, values, Importance(importance, columns, rows, start + row), packed.AsSpan(row * toBytes, toBytes));
                return values;
            }, _ => { });
            take(packed.AsSpan(0, count * toBytes));
        }

        GC.KeepAlive(tensor.Owner);
    }

    /// <summary>The importance for a row: that of its matrix, where a stack has one for each.</summary>
    internal static ReadOnlySpan<float> Importance(float[]? importance, long columns, long rows, long row)
    {
        if (importance is null)
            return default;
        long matrices = importance.Length / columns;
        return importance.AsSpan((int)(row / (rows / matrices) * columns), (int)columns);
    }

    /// <summary>Quantises a row, with regard to importance where there is any.</summary>
    internal static void QuantiseRow(BlockCodec codec, ReadOnlySpan<float> values, ReadOnlySpan<float> importance, Span<byte> target)
    {
        if (importance.IsEmpty)
            codec.Quantise(values, target);
        else
            codec.Quantise(values, importance, target);
    }
}
