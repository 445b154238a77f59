using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Integer;

/// <summary>Runs integer tiles over a range of groups of packed rows.</summary>
internal static unsafe class Int8Products
{
    /// <summary>Computes the results of rows [<paramref name="start"/>, <paramref name="end"/>); the start begins a group.</summary>
    public static void Multiply(InstructionSet set, in MatMulJob job, PackedMatrix weights, in Int8Activations x, int start, int end)
    {
        switch (set)
        {
            case InstructionSet.Avx512 when VnniCode.IsAvailable:
                Multiply<VnniInt8Tile>(job, weights, x, start, end);
                break;
            case InstructionSet.Avx512:
                Multiply<Avx512Int8Tile>(job, weights, x, start, end);
                break;
            case InstructionSet.Avx2:
                Multiply<Avx2Int8Tile>(job, weights, x, start, end);
                break;
            default:
                Multiply<ScalarInt8Tile>(job, weights, x, start, end);
                break;
        }
    }

    /// <summary>Quantises the activations of a job with the lanes of an instruction set.</summary>
    public static Int8Activations Quantise(InstructionSet set, in MatMulJob job, byte* memory)
    {
        var kernel = new QuantiseKernel(job.X, job.XStride, job.Count, job.Weights.Columns, memory);
        LaneDispatch.Run(set, ref kernel);
        return kernel.Result;
    }

    private static void Multiply<TTile>(in MatMulJob job, PackedMatrix weights, in Int8Activations x, int start, int end)
        where TTile : struct, IInt8Tile
    {
        float* results = stackalloc float[16 * 8];
        for (int row = start; row < end; row += PackedMatrix.GroupRows)
        {
            byte* group = weights.Group(row / PackedMatrix.GroupRows);
            int rows = Math.Min(PackedMatrix.GroupRows, end - row);
            for (int i = 0; i < job.Count; i += TTile.Width)
            {
                int count = Math.Min(TTile.Width, job.Count - i);
                TTile.Run(group, x, i, count, results);
                for (int k = 0; k < count; k++)
                    new ReadOnlySpan<float>(results + 16 * k, rows).CopyTo(new Span<float>(job.Y + (long)(i + k) * job.YStride + row, rows));
            }
        }
    }

    private struct QuantiseKernel(float* x, int stride, int rows, int columns, byte* memory) : ILaneKernel
    {
        public Int8Activations Result;

        public void Run<V>()
            where V : struct, ILanes<V> => Result = Int8Activations.Quantise<V>(x, stride, rows, columns, memory);
    }
}
