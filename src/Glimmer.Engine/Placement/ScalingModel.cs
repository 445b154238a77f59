using System.Globalization;
using System.Text;

namespace Glimmer.Engine.Placement;

/// <summary>A machine as the prediction sees it.</summary>
/// <param name="CoreGigaBytes">Bytes per second that one core reads from memory, in 10⁹.</param>
/// <param name="SocketGigaBytes">The same for a socket, however many of its cores read.</param>
/// <param name="CoreGigaOperations">Operations per second of one core in products with quantised weights, in 10⁹; a multiply-add counts two.</param>
/// <param name="RemoteShare">Speed of memory of the other socket, as a share of the own one's.</param>
/// <param name="BarrierMicroseconds">What it costs to start and end one parallel operation, per doubling of the threads.</param>
public sealed record MachineModel(double CoreGigaBytes, double SocketGigaBytes, double CoreGigaOperations, double RemoteShare, double BarrierMicroseconds);

/// <summary>A model as the prediction sees it.</summary>
/// <param name="Name">For people.</param>
/// <param name="ActiveGigaBytes">Weights read per token, in 10⁹ bytes.</param>
/// <param name="ActiveParameters">Parameters used per token, in 10⁹.</param>
/// <param name="KvKiloBytes">Cache rows per token of context, in 10³ bytes.</param>
/// <param name="Operations">Parallel operations of a pass, one after the other.</param>
public sealed record WorkModel(string Name, double ActiveGigaBytes, double ActiveParameters, double KvKiloBytes, int Operations);

/// <summary>A roofline of a forward pass on more cores and sockets than the machine at hand has: docs/designs/scaling.md.</summary>
public static class ScalingModel
{
    /// <summary>The machine of the published table: assumptions, not a measurement.</summary>
    public static MachineModel ReferenceMachine { get; } = new(12, 400, 100, 0.5, 1.5);

    /// <summary>The models of the published table.</summary>
    public static IReadOnlyList<WorkModel> ReferenceModels { get; } =
    [
        new("GLM-4-9B, Q4_K_M", 5.5, 9.4, 40, 400),
        new("GLM-4.5-Air (12 of 106 B), Q4_K_M", 7.2, 12, 184, 560),
        new("GLM-4.5 (32 of 355 B), Q4_K_M", 19.2, 32, 368, 1120),
    ];

    /// <summary>Bytes per second that all threads together read.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="cores">Cores, over all sockets.</param>
    /// <param name="sockets">Sockets, 1 or 2.</param>
    /// <param name="local">Whether every thread reads from memory of its own socket; otherwise pages lie evenly on both.</param>
    public static double Bandwidth(MachineModel machine, int cores, int sockets, bool local)
    {
        double each = Math.Min(machine.CoreGigaBytes * cores / sockets, machine.SocketGigaBytes) * 1e9;
        // Half of the bytes come at the remote speed, one after the other with the local half.
        return sockets * each * (sockets == 1 || local ? 1 : 2 / (1 + 1 / machine.RemoteShare));
    }

    /// <summary>Seconds of a pass: the slower of memory and arithmetic, and the barriers.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="work">The model.</param>
    /// <param name="cores">Cores, over all sockets.</param>
    /// <param name="sockets">Sockets, 1 or 2.</param>
    /// <param name="local">Whether memory is near its threads.</param>
    /// <param name="rows">Tokens of the pass.</param>
    /// <param name="context">Cached tokens that each of them reads; 0 for a prompt, whose tokens share them.</param>
    public static double PassSeconds(MachineModel machine, WorkModel work, int cores, int sockets, bool local, int rows, int context)
    {
        double bytes = work.ActiveGigaBytes * 1e9 + (double)rows * context * work.KvKiloBytes * 1e3;
        double operations = 2 * work.ActiveParameters * 1e9 * rows;
        double barriers = work.Operations * machine.BarrierMicroseconds * 1e-6 * Math.Log2(Math.Max(2, cores)) * (cores > 1 ? 1 : 0);
        return Math.Max(bytes / Bandwidth(machine, cores, sockets, local), operations / (machine.CoreGigaOperations * 1e9 * cores)) + barriers;
    }

    /// <summary>The table of docs/designs/scaling.md, in Markdown.</summary>
    public static string Table(MachineModel machine, IReadOnlyList<WorkModel> models)
    {
        StringBuilder text = new();
        foreach (WorkModel work in models)
        {
            text.Append(CultureInfo.InvariantCulture, $"**{work.Name}**\n\n");
            text.Append("| cores | sockets | memory | decode, 1 stream | decode, 8 streams | prefill |\n|---:|---:|---|---:|---:|---:|\n");
            foreach ((int cores, int sockets, bool local) in ((int, int, bool)[])[(1, 1, true), (16, 1, true), (32, 1, true), (64, 1, true), (128, 2, false), (128, 2, true)])
            {
                double one = 1 / PassSeconds(machine, work, cores, sockets, local, 1, 4096);
                double eight = 8 / PassSeconds(machine, work, cores, sockets, local, 8, 4096);
                double prefill = 512 / PassSeconds(machine, work, cores, sockets, local, 512, 0);
                text.Append(CultureInfo.InvariantCulture, $"| {cores} | {sockets} | {(sockets == 1 ? "–" : local ? "near its threads" : "spread")} | {one:0.0} | {eight:0.0} | {prefill:0} |\n");
            }

            text.Append('\n');
        }

        return text.ToString();
    }
}
