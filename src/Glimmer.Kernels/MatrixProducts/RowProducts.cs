using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Glimmer.Kernels.Formats;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.MatrixProducts;

/// <summary>Products of a range of weight rows with activations in single precision.</summary>
/// <remarks>
/// One row of activations streams the packed weights through registers. Several rows first dequantise a strip of
/// weights into scratch that stays in cache, then run register tiles over it. Both keep the canonical order of <see cref="DotTile"/>.
/// </remarks>
internal static unsafe class RowProducts
{
    /// <summary>Floats of dequantised weights that a strip may hold: 256 KiB, half of a usual second-level cache.</summary>
    public const int StripFloats = 65536;

    /// <summary>Most rows of weights in a strip.</summary>
    public const int MaximumStripRows = 32;

    /// <summary>Computes y[i·yStride + r] for all i and for r in [<paramref name="start"/>, <paramref name="end"/>).</summary>
    public static void Multiply<V>(in MatMulJob job, int start, int end)
        where V : struct, ILanes<V>
    {
        switch (job.Weights.Format)
        {
            case BlockFormat.F32:
                Multiply<V, F32Reader>(job, start, end);
                break;
            case BlockFormat.F16:
                Multiply<V, F16Reader>(job, start, end);
                break;
            case BlockFormat.BF16:
                Multiply<V, BF16Reader>(job, start, end);
                break;
            case BlockFormat.Q8_0:
                Multiply<V, Q8_0Reader>(job, start, end);
                break;
            default:
                MultiplyByCodec<V>(job, start, end);
                break;
        }
    }

    private static void Multiply<V, R>(in MatMulJob job, int start, int end)
        where V : struct, ILanes<V>
        where R : struct, IWeightReader
    {
        WeightMatrix weights = job.Weights;
        if (job.Count == 1)
        {
            Stream<V, R>(weights.Data + start * weights.RowBytes, weights.RowBytes, end - start, weights.Columns, job.X, job.Y + start);
            return;
        }

        int columns = weights.Columns, stripRows = StripRows(columns);
        bool direct = typeof(R) == typeof(F32Reader);
        float* scratch = direct ? null : Scratch.Floats((long)stripRows * columns);
        float** rows = stackalloc float*[MaximumStripRows];
        for (int strip = start; strip < end; strip += stripRows)
        {
            int count = Math.Min(stripRows, end - strip);
            for (int r = 0; r < count; r++)
            {
                byte* packed = weights.Data + (strip + r) * weights.RowBytes;
                rows[r] = direct ? (float*)packed : scratch + (long)r * columns;
                if (!direct)
                    Dequantise<V, R>(packed, columns, rows[r]);
            }

            DotTile.Multiply<V>(rows, count, job.X, job.XStride, job.Count, columns, job.Y + strip, job.YStride);
        }
    }

    /// <summary>For formats without a reader: the codec dequantises, the tiles multiply.</summary>
    private static void MultiplyByCodec<V>(in MatMulJob job, int start, int end)
        where V : struct, ILanes<V>
    {
        WeightMatrix weights = job.Weights;
        int columns = weights.Columns, stripRows = StripRows(columns), rowBytes = checked((int)weights.RowBytes);
        BlockCodec codec = BlockCodecs.For(weights.Format);
        float* scratch = Scratch.Floats((long)stripRows * columns);
        float** rows = stackalloc float*[MaximumStripRows];
        for (int strip = start; strip < end; strip += stripRows)
        {
            int count = Math.Min(stripRows, end - strip);
            for (int r = 0; r < count; r++)
            {
                rows[r] = scratch + (long)r * columns;
                codec.Dequantise(new ReadOnlySpan<byte>(weights.Data + (strip + r) * weights.RowBytes, rowBytes), new Span<float>(rows[r], columns));
            }

            DotTile.Multiply<V>(rows, count, job.X, job.XStride, job.Count, columns, job.Y + strip, job.YStride);
        }
    }

    /// <summary>Rows of a strip: as many as fit, in fours, at least four.</summary>
    private static int StripRows(int columns) => Math.Clamp(StripFloats / columns & ~3, 4, MaximumStripRows);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Dequantise<V, R>(byte* packed, int columns, float* values)
        where V : struct, ILanes<V>
        where R : struct, IWeightReader
    {
        int blocks = columns / 32, rest = columns & 31;
        for (int block = 0; block < blocks; block++, values += 32)
        {
            R.Load32(packed, block, out V first, out V second);
            V.Store(first, values);
            V.Store(second, values + 16);
        }

        if (rest > 0)
        {
            R.LoadRest(packed, columns - rest, rest, out V first, out V second);
            V.StoreFirst(first, values, Math.Min(rest, 16));
            if (rest > 16)
                V.StoreFirst(second, values + 16, rest - 16);
        }
    }

    /// <summary>One row of activations: four rows of weights at a time, so that four chains of additions overlap.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Stream<V, R>(byte* packed, long rowBytes, int rows, int columns, float* x, float* y)
        where V : struct, ILanes<V>
        where R : struct, IWeightReader
    {
        int blocks = columns / 32, rest = columns & 31;
        for (int r = 0; r < rows; r += 4)
        {
            byte* w0 = packed + r * rowBytes;
            byte* w1 = r + 1 < rows ? w0 + rowBytes : w0;
            byte* w2 = r + 2 < rows ? w1 + rowBytes : w0;
            byte* w3 = r + 3 < rows ? w2 + rowBytes : w0;
            V s0 = V.Broadcast(0), s1 = s0, s2 = s0, s3 = s0;
            for (int block = 0; block < blocks; block++)
            {
                V x0 = V.Load(x + 32L * block), x1 = V.Load(x + 32L * block + 16);
                R.Load32(w0, block, out V first, out V second);
                s0 = V.Fma(x1, second, V.Fma(x0, first, s0));
                R.Load32(w1, block, out first, out second);
                s1 = V.Fma(x1, second, V.Fma(x0, first, s1));
                R.Load32(w2, block, out first, out second);
                s2 = V.Fma(x1, second, V.Fma(x0, first, s2));
                R.Load32(w3, block, out first, out second);
                s3 = V.Fma(x1, second, V.Fma(x0, first, s3));
            }

            if (rest > 0)
            {
                V x0 = V.LoadFirst(x + 32L * blocks, Math.Min(rest, 16));
                V x1 = V.LoadFirst(x + 32L * blocks + Math.Min(rest, 16), Math.Max(rest - 16, 0));
                AddRest<V, R>(w0, columns - rest, rest, x0, x1, ref s0);
                AddRest<V, R>(w1, columns - rest, rest, x0, x1, ref s1);
                AddRest<V, R>(w2, columns - rest, rest, x0, x1, ref s2);
                AddRest<V, R>(w3, columns - rest, rest, x0, x1, ref s3);
            }

            Vector128<float> sums = Folding.Sum4(V.Fold(s0), V.Fold(s1), V.Fold(s2), V.Fold(s3));
            if (r + 4 <= rows)
            {
                sums.Store(y + r);
                continue;
            }

            for (int i = r; i < rows; i++)
                y[i] = sums[i - r];
        }
    }

    private static void AddRest<V, R>(byte* row, int column, int count, V x0, V x1, ref V sum)
        where V : struct, ILanes<V>
        where R : struct, IWeightReader
    {
        R.LoadRest(row, column, count, out V first, out V second);
        sum = V.Fma(x1, second, V.Fma(x0, first, sum));
    }
}
