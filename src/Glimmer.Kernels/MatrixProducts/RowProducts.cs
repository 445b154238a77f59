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
        if (job.Weights.Source is { } source)
        {
            MultiplyComputed<V>(job, source, start, end);
            return;
        }

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
            case BlockFormat.Q4_0:
                Multiply<V, Q4_0Reader>(job, start, end);
                break;
            case BlockFormat.Q4_K:
                Multiply<V, Q4_KReader>(job, start, end);
                break;
            case BlockFormat.Q5_K:
                Multiply<V, Q5_KReader>(job, start, end);
                break;
            case BlockFormat.Q6_K:
                Multiply<V, Q6_KReader>(job, start, end);
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

    /// <summary>For weights that compute their rows.</summary>
    private static void MultiplyComputed<V>(in MatMulJob job, RowSource source, int start, int end)
        where V : struct, ILanes<V>
    {
        int columns = source.Columns, stripRows = StripRows(columns), first = job.Weights.FirstRow;
        float* scratch = Scratch.Floats((long)stripRows * columns);
        float** rows = stackalloc float*[MaximumStripRows];
        for (int strip = start; strip < end; strip += stripRows)
        {
            int count = Math.Min(stripRows, end - strip);
            for (int r = 0; r < count; r++)
            {
                rows[r] = scratch + (long)r * columns;
                source.Read(first + strip + r, new Span<float>(rows[r], columns));
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
            float* end = stackalloc float[32];
            R.CopyRest(packed, columns - rest, rest, end);
            for (int i = 0; i < rest; i++)
                values[i] = end[i];
        }
    }

    /// <summary>One row of activations: four rows of weights at a time, so that four chains of additions overlap.</summary>
    private static void Stream<V, R>(byte* packed, long rowBytes, int rows, int columns, float* x, float* y)
        where V : struct, ILanes<V>
        where R : struct, IWeightReader
    {
        int blocks = columns / 32, rest = columns & 31;
        byte** four = stackalloc byte*[4];
        float* ends = stackalloc float[5 * 32];
        if (rest > 0)
            F32Reader.CopyRest((byte*)x, columns - rest, rest, ends + 128);
        for (int r = 0; r < rows; r += 4)
        {
            for (int k = 0; k < 4; k++)
            {
                // Past the last row: that row again, whose sum is dropped.
                four[k] = packed + Math.Min(r + k, rows - 1) * rowBytes;
                if (rest > 0)
                    R.CopyRest(four[k], columns - rest, rest, ends + 32 * k);
            }

            Vector128<float> sums = StreamFour<V, R>(four, x, blocks, rest > 0 ? ends : null);
            if (r + 4 <= rows)
            {
                sums.Store(y + r);
                continue;
            }

            for (int i = r; i < rows; i++)
                y[i] = sums[i - r];
        }
    }

    /// <summary>Whole blocks of four rows, then their ends (four rows and the activations, 32 floats each) unless null.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static Vector128<float> StreamFour<V, R>(byte** four, float* x, int blocks, float* ends)
        where V : struct, ILanes<V>
        where R : struct, IWeightReader
    {
        byte* w0 = four[0], w1 = four[1], w2 = four[2], w3 = four[3];
        V s0 = V.Broadcast(0), s1 = s0, s2 = s0, s3 = s0;
        for (int block = 0; block < blocks; block++, x += 32)
        {
            V x0 = V.Load(x), x1 = V.Load(x + 16);
            R.Load32(w0, block, out V first, out V second);
            s0 = V.Fma(x1, second, V.Fma(x0, first, s0));
            R.Load32(w1, block, out first, out second);
            s1 = V.Fma(x1, second, V.Fma(x0, first, s1));
            R.Load32(w2, block, out first, out second);
            s2 = V.Fma(x1, second, V.Fma(x0, first, s2));
            R.Load32(w3, block, out first, out second);
            s3 = V.Fma(x1, second, V.Fma(x0, first, s3));
        }

        if (ends != null)
        {
            V x0 = V.Load(ends + 128), x1 = V.Load(ends + 144);
            s0 = V.Fma(x1, V.Load(ends + 16), V.Fma(x0, V.Load(ends), s0));
            s1 = V.Fma(x1, V.Load(ends + 48), V.Fma(x0, V.Load(ends + 32), s1));
            s2 = V.Fma(x1, V.Load(ends + 80), V.Fma(x0, V.Load(ends + 64), s2));
            s3 = V.Fma(x1, V.Load(ends + 112), V.Fma(x0, V.Load(ends + 96), s3));
        }

        return Folding.Sum4(V.Fold(s0), V.Fold(s1), V.Fold(s2), V.Fold(s3));
    }
}
