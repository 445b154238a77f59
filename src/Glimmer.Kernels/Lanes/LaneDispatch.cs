using System.Runtime.CompilerServices;

namespace Glimmer.Kernels.Lanes;

/// <summary>An operation written against <see cref="ILanes{V}"/>; its fields are the arguments.</summary>
internal interface ILaneKernel
{
    /// <summary>Runs the operation with one form of lanes.</summary>
    void Run<V>()
        where V : struct, ILanes<V>;
}

/// <summary>Runs an operation with the lanes of an instruction set.</summary>
internal static class LaneDispatch
{
    /// <summary>Runs with the set this process uses.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run<TKernel>(ref TKernel kernel)
        where TKernel : struct, ILaneKernel, allows ref struct => Run(InstructionSets.Current, ref kernel);

    /// <summary>Runs with a given set, which the machine must support.</summary>
    public static void Run<TKernel>(InstructionSet set, ref TKernel kernel)
        where TKernel : struct, ILaneKernel, allows ref struct
    {
        switch (set)
        {
            case InstructionSet.Avx512:
                kernel.Run<Lanes512>();
                break;
            case InstructionSet.Avx2:
                kernel.Run<Lanes256>();
                break;
            case InstructionSet.Neon:
                kernel.Run<Lanes128>();
                break;
            default:
                kernel.Run<ScalarLanes>();
                break;
        }
    }
}
