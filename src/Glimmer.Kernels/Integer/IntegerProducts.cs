using Glimmer.Kernels.Integer.Emitted;
using Glimmer.Kernels.Lanes;

namespace Glimmer.Kernels.Integer;

/// <summary>Runs integer tiles over a range of groups of packed rows.</summary>
internal static unsafe class IntegerProducts
{
    /// <summary>Activations that stay in the second-level cache while weights pass over them.</summary>
    private const long ResidentBytes = 320 << 10;

    /// <summary>Computes the results of rows [<paramref name="start"/>, <paramref name="end"/>); the start begins a group.</summary>
    public static void Multiply(InstructionSet set, in MatMulJob job, int start, int end)
    {
        PackedMatrix weights = job.Weights.Packed!;
        QuantisedRows x = job.Activations;
        EmittedTiles? emitted = set == InstructionSet.Avx512 ? EmittedTiles.For(weights.Layout) : null;
        long panelBytes = QuantisedRows.Size(QuantisedRows.PanelRows, weights.Blocks * weights.Layout.BlockColumns, x.IsSuper);
        int panels = x.Panels, resident = (int)Math.Max(1, ResidentBytes / panelBytes);
        float* results = stackalloc float[16 * QuantisedRows.PanelRows + 16];
        results = (float*)(((nint)results + 63) & ~63);
        for (int first = 0; first < panels; first += resident)
        {
            int last = Math.Min(panels, first + resident);
            for (int row = start; row < end; row += TileLayout.GroupRows)
            {
                byte* group = weights.Group(row / TileLayout.GroupRows);
                int rows = Math.Min(TileLayout.GroupRows, end - row);
                for (int panel = first; panel < last; panel++)
                {
                    int width = x.Width(panel);
                    if (emitted is not null)
                        emitted.Run(group, x.Panel(panel), width, weights.Blocks, results, streaming: panel == first);
                    else
                        RunManaged(set, weights, group, x.Panel(panel), width, results);
                    float* y = job.Y + (long)panel * QuantisedRows.PanelRows * job.YStride + row;
                    for (int i = 0; i < width; i++, y += job.YStride)
                        new ReadOnlySpan<float>(results + 16 * i, rows).CopyTo(new Span<float>(y, rows));
                }
            }
        }
    }

    /// <summary>Quantises one panel of a job's activations with the lanes of an instruction set.</summary>
    public static void QuantisePanel(InstructionSet set, in MatMulJob job, int panel)
    {
        var kernel = new QuantiseKernel(job, panel);
        LaneDispatch.Run(set, ref kernel);
    }

    private static void RunManaged(InstructionSet set, PackedMatrix weights, byte* group, byte* panel, int width, float* results)
    {
        switch (set)
        {
            case InstructionSet.Avx512:
                VectorTile<ByteDots512, Lanes512>.Run(weights.Layout, group, panel, width, weights.Blocks, results);
                break;
            case InstructionSet.Avx2:
                VectorTile<ByteDots256, Lanes256>.Run(weights.Layout, group, panel, width, weights.Blocks, results);
                break;
            case InstructionSet.Neon:
                VectorTile<ByteDots128, Lanes128>.Run(weights.Layout, group, panel, width, weights.Blocks, results);
                break;
            default:
                ScalarTile.Run(weights.Layout, group, panel, width, weights.Blocks, results);
                break;
        }
    }

    private readonly struct QuantiseKernel(MatMulJob job, int panel) : ILaneKernel
    {
        private readonly MatMulJob _job = job;

        public void Run<V>()
            where V : struct, ILanes<V> => _job.Activations.QuantisePanel<V>(_job.X, _job.XStride, panel);
    }
}
