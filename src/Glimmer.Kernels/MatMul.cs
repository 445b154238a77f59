using Glimmer.Kernels.Integer;
using Glimmer.Kernels.Lanes;
using Glimmer.Kernels.MatrixProducts;

namespace Glimmer.Kernels;

/// <summary>Matrix products of activations with weights: y = x·Wᵀ.</summary>
/// <remarks>
/// Every output element is summed in an order that depends only on the matrix: not on how many rows of activations
/// are multiplied at once, nor on the number of threads, nor on the instruction set. So a batch gives bit for bit what
/// its rows give alone. Weights are dequantised exactly and multiplied with single-precision activations; sums run in sixteen
/// lanes with fused multiply-add, so the error grows with columns / 16.
/// </remarks>
public static unsafe class MatMul
{
    /// <summary>Multiply-adds below which a part is not worth a thread: a few microseconds of work.</summary>
    private const long SmallestPart = 48 * 1024;

    /// <summary>
    /// Multiplies <paramref name="count"/> rows of activations: <paramref name="y"/>[i, r] = Σ_c x[i, c]·W[r, c].
    /// </summary>
    /// <param name="team">Threads to use.</param>
    /// <param name="weights">W, shape (rows, columns).</param>
    /// <param name="x">Activations, shape (count, columns), contiguous.</param>
    /// <param name="count">Rows of activations, at least 0.</param>
    /// <param name="y">Result, shape (count, rows), contiguous; must not overlap <paramref name="x"/>.</param>
    /// <exception cref="ArgumentException">A span is too short.</exception>
    public static void Multiply(ThreadTeam team, WeightMatrix weights, ReadOnlySpan<float> x, int count, Span<float> y) =>
        Multiply(team, weights, x, count, y, ActivationMode.Exact);

    /// <summary>The same with a choice of how activations enter.</summary>
    /// <inheritdoc cref="Multiply(ThreadTeam, WeightMatrix, ReadOnlySpan{float}, int, Span{float})"/>
    public static void Multiply(ThreadTeam team, WeightMatrix weights, ReadOnlySpan<float> x, int count, Span<float> y, ActivationMode mode)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(count);
        int rows = weights.Rows, columns = weights.Columns;
        if (x.Length < (long)count * columns || y.Length < (long)count * rows)
            throw new ArgumentException($"Activations of {x.Length} or results of {y.Length} are too short for {count} rows of a {rows} x {columns} matrix.", nameof(x));
        fixed (float* xPointer = x, yPointer = y)
        {
            var job = new MatMulJob(weights, xPointer, columns, count, yPointer, rows) { Mode = mode };
            Multiply(InstructionSets.Current, team, job);
        }
    }

    /// <summary>Multiplies one matrix whose activations and results lie at strides of their own.</summary>
    public static void Multiply(ThreadTeam team, in MatMulJob job) => Multiply(InstructionSets.Current, team, job);

    /// <summary>Runs several products in one parallel operation: cheaper than one call each when they are small.</summary>
    /// <param name="team">Threads to use.</param>
    /// <param name="jobs">The products; the call keeps its bookkeeping in them. Jobs without rows are skipped.</param>
    /// <param name="count">How many of <paramref name="jobs"/>.</param>
    public static void MultiplyAll(ThreadTeam team, MatMulJob[] jobs, int count)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)count, (uint)jobs.Length, nameof(count));
        MultiplyAll(InstructionSets.Current, team, jobs, count);
    }

    /// <summary>As the public method, with a given instruction set.</summary>
    internal static void Multiply(InstructionSet set, ThreadTeam team, MatMulJob job)
    {
        if (job.Count == 0)
            return;
        if (job.IsInteger)
        {
            job.Weights.MakePacked(); // here, not in the team, whose threads would spin for it
            bool super = job.IsSuper;
            int columns = job.Weights.Columns;
            job = job with { Activations = new QuantisedRows(QuantisedRows.Reserve(QuantisedRows.Size(job.Count, columns, super)), job.Count, columns, super) };
            var quantise = new QuantiseOne(set, job);
            Quantise(team, job.Activations.Panels, job.Count, columns, ref quantise);
        }

        job = Split(job, 0, team.Threads, Work(job), out int parts);
        var body = new OneBody(set, job);
        team.Run(parts, ref body);
        GC.KeepAlive(job.Weights.Owner);
    }

    /// <summary>As the public method, with a given instruction set.</summary>
    internal static void MultiplyAll(InstructionSet set, ThreadTeam team, MatMulJob[] jobs, int count)
    {
        long total = 0;
        for (int i = 0; i < count; i++)
            total += Work(jobs[i]);
        QuantiseAll(set, team, jobs, count);
        int parts = 0;
        for (int i = 0; i < count; i++)
            jobs[i] = Split(jobs[i], parts, team.Threads, total, out parts);
        var body = new ManyBody(set, jobs, count);
        team.Run(parts, ref body);
        for (int i = 0; i < count; i++)
            GC.KeepAlive(jobs[i].Weights.Owner);
    }

    /// <summary>Quantises the activations of integer jobs; jobs that share activations (experts of a token, q, k and v) share the result.</summary>
    private static void QuantiseAll(InstructionSet set, ThreadTeam team, MatMulJob[] jobs, int count)
    {
        long bytes = 0;
        int rows = 0, columns = 0, panels = 0;
        for (int i = 0; i < count; i++)
        {
            if (!jobs[i].IsInteger || jobs[i].Count == 0)
                continue;
            jobs[i].Weights.MakePacked();
            int same = FindShared(jobs, i);
            jobs[i] = jobs[i] with { IsShared = same >= 0, FirstPart = same };
            if (same >= 0)
                continue;
            bytes += Padded(QuantisedRows.Size(jobs[i].Count, jobs[i].Weights.Columns, jobs[i].IsSuper));
            rows += jobs[i].Count;
            columns = Math.Max(columns, jobs[i].Weights.Columns);
        }

        if (bytes == 0)
            return;
        byte* memory = QuantisedRows.Reserve(bytes);
        for (int i = 0; i < count; i++)
        {
            MatMulJob job = jobs[i];
            if (!job.IsInteger || job.Count == 0)
            {
                jobs[i] = job with { FirstPart = panels };
                continue;
            }

            if (job.IsShared)
            {
                jobs[i] = job with { Activations = jobs[job.FirstPart].Activations, FirstPart = panels };
                continue;
            }

            var activations = new QuantisedRows(memory, job.Count, job.Weights.Columns, job.IsSuper);
            memory += Padded(QuantisedRows.Size(job.Count, job.Weights.Columns, job.IsSuper));
            jobs[i] = job with { Activations = activations, FirstPart = panels };
            panels += activations.Panels;
        }

        var quantise = new QuantiseMany(set, jobs, count);
        Quantise(team, panels, rows, columns, ref quantise);
    }

    private static long Padded(long bytes) => (bytes + 63) & ~63;

    /// <summary>Quantises panels in parallel when they are worth it.</summary>
    private static void Quantise<TBody>(ThreadTeam team, int panels, int rows, int columns, ref TBody body)
        where TBody : struct, IParallelBody
    {
        if ((long)rows * columns > SmallestPart)
        {
            team.Run(panels, ref body);
            return;
        }

        for (int panel = 0; panel < panels; panel++)
            body.Invoke(panel);
    }

    /// <summary>A job before this one with the same activations, or −1. Looks back over a token's experts, not over all experts of a long prompt.</summary>
    private static int FindShared(MatMulJob[] jobs, int i)
    {
        const int Far = 40;
        for (int k = i - 1; k >= Math.Max(0, i - Far); k--)
        {
            if (jobs[k].X == jobs[i].X && jobs[k].XStride == jobs[i].XStride && jobs[k].Count == jobs[i].Count && jobs[k].IsInteger
                && !jobs[k].IsShared && jobs[k].IsSuper == jobs[i].IsSuper && jobs[k].Weights.Columns == jobs[i].Weights.Columns)
            {
                return k;
            }
        }

        return -1;
    }

    private static long Work(in MatMulJob job) => (long)job.Weights.Rows * job.Weights.Columns * job.Count;

    /// <summary>
    /// Cuts a job into parts: several per thread, so that a slow thread leaves work to the others, but none too small.
    /// The cut lies at multiples of four rows, the height of a register tile, or of a group of packed rows.
    /// </summary>
    private static MatMulJob Split(in MatMulJob job, int firstPart, int threads, long totalWork, out int nextPart)
    {
        nextPart = firstPart;
        if (job.Count == 0)
            return job with { FirstPart = firstPart };
        int rows = job.Weights.Rows;
        long workPerPart = Math.Max(SmallestPart, totalWork / (threads * 6L));
        long rowsPerPart = threads == 1 ? rows : workPerPart / ((long)job.Weights.Columns * job.Count);
        int unit = job.IsInteger ? TileLayout.GroupRows : 4;
        int height = (int)Math.Min(rows, Math.Max(unit, rowsPerPart / unit * unit));
        nextPart = checked(firstPart + (rows + height - 1) / height);
        return job with { FirstPart = firstPart, RowsPerPart = height };
    }

    private static void RunPart(InstructionSet set, in MatMulJob job, int part)
    {
        int start = part * job.RowsPerPart, end = Math.Min(start + job.RowsPerPart, job.Weights.Rows);
        if (job.IsInteger)
        {
            IntegerProducts.Multiply(set, job, start, end);
            return;
        }

        if (job.Weights.Data == null && !job.Weights.IsComputed)
            throw new InvalidOperationException("A matrix without its stored form cannot be multiplied exactly.");
        var kernel = new RowsKernel(job, start, end);
        LaneDispatch.Run(set, ref kernel);
    }

    private readonly ref struct RowsKernel(in MatMulJob job, int start, int end) : ILaneKernel
    {
        private readonly ref readonly MatMulJob _job = ref job;
        private readonly int _start = start;
        private readonly int _end = end;

        public void Run<V>()
            where V : struct, ILanes<V> => RowProducts.Multiply<V>(_job, _start, _end);
    }

    private readonly struct OneBody(InstructionSet set, MatMulJob job) : IParallelBody
    {
        private readonly MatMulJob _job = job;

        public void Invoke(int part) => RunPart(set, _job, part);
    }

    private readonly struct ManyBody(InstructionSet set, MatMulJob[] jobs, int count) : IParallelBody
    {
        public void Invoke(int part)
        {
            int low = Find(jobs, count, part);
            RunPart(set, jobs[low], part - jobs[low].FirstPart);
        }
    }

    /// <summary>The last job that begins at or before this part; jobs without parts begin where the next one does.</summary>
    private static int Find(MatMulJob[] jobs, int count, int part)
    {
        int low = 0, high = count - 1;
        while (low < high)
        {
            int middle = (low + high + 1) / 2;
            if (jobs[middle].FirstPart <= part)
                low = middle;
            else
                high = middle - 1;
        }

        return low;
    }

    private readonly struct QuantiseOne(InstructionSet set, MatMulJob job) : IParallelBody
    {
        private readonly MatMulJob _job = job;

        public void Invoke(int part) => IntegerProducts.QuantisePanel(set, _job, part);
    }

    private readonly struct QuantiseMany(InstructionSet set, MatMulJob[] jobs, int count) : IParallelBody
    {
        public void Invoke(int part)
        {
            int job = Find(jobs, count, part);
            IntegerProducts.QuantisePanel(set, jobs[job], part - jobs[job].FirstPart);
        }
    }
}
