using System.Runtime.CompilerServices;
using Glimmer.Kernels;
using Glimmer.Kernels.Formats;

namespace Glimmer.Models.Layers;

/// <summary>Transposed copies of small matrices.</summary>
internal static unsafe class TransposedMatrix
{
    /// <summary>
    /// Copies Wᵀ. Formats without blocks keep their precision; others become single precision, so that nothing is rounded
    /// twice.
    /// </summary>
    public static WeightMatrix Of(WeightMatrix matrix)
    {
        int rows = matrix.Rows, columns = matrix.Columns;
        BlockFormat format = matrix.Format is BlockFormat.BF16 or BlockFormat.F16 ? matrix.Format : BlockFormat.F32;
        BlockCodec codec = BlockCodecs.For(format);
        float[] values = new float[checked(rows * columns)], row = new float[columns];
        for (int r = 0; r < rows; r++)
        {
            matrix.ReadRow(r, row);
            for (int c = 0; c < columns; c++)
                values[c * rows + r] = row[c];
        }

        byte[] bytes = GC.AllocateUninitializedArray<byte>(checked((int)codec.BytesFor(values.Length)), pinned: true);
        codec.Quantise(values, bytes);
        return new WeightMatrix(format, columns, rows, (byte*)Unsafe.AsPointer(ref bytes[0]), bytes);
    }
}
