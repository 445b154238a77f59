using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace Glimmer.Kernels;

/// <summary>What the kernels are built from. Every value gives bit for bit the same results; they differ in speed only.</summary>
public enum InstructionSet
{
    /// <summary>Plain C#, one number at a time: the twin that the others are tested against.</summary>
    Scalar,

    /// <summary>128-bit vectors with fused multiply-add: NEON on Arm.</summary>
    Neon,

    /// <summary>256-bit vectors with fused multiply-add.</summary>
    Avx2,

    /// <summary>512-bit vectors (AVX-512 F, BW and DQ).</summary>
    Avx512,
}

/// <summary>Which <see cref="InstructionSet"/> this process uses, chosen once at start.</summary>
/// <remarks>
/// The best the processor and the runtime offer, or the one that the environment variable
/// <c>GLIMMER_KERNELS</c> names. The runtime's own switches (<c>DOTNET_EnableAVX2=0</c>,
/// <c>DOTNET_EnableHWIntrinsic=0</c> …) count as missing hardware.
/// </remarks>
public static class InstructionSets
{
    /// <summary>Name of the environment variable that overrides the choice.</summary>
    public const string EnvironmentVariable = "GLIMMER_KERNELS";

    private static readonly string? _fault = TrySelect(Environment.GetEnvironmentVariable(EnvironmentVariable), out _current);
    private static readonly InstructionSet _current;

    /// <summary>The best set that this machine supports.</summary>
    public static InstructionSet Best =>
        IsSupported(InstructionSet.Avx512) ? InstructionSet.Avx512
        : IsSupported(InstructionSet.Avx2) ? InstructionSet.Avx2
        : IsSupported(InstructionSet.Neon) ? InstructionSet.Neon
        : InstructionSet.Scalar;

    /// <summary>The set in use.</summary>
    /// <exception cref="InvalidOperationException">The environment variable names no set, or one that this machine lacks.</exception>
    public static InstructionSet Current => _fault is null ? _current : throw new InvalidOperationException(_fault);

    /// <summary>Whether this machine can run a set.</summary>
    public static bool IsSupported(InstructionSet set) => set switch
    {
        InstructionSet.Scalar => true,
        InstructionSet.Neon => AdvSimd.Arm64.IsSupported,
        InstructionSet.Avx2 => Avx2.IsSupported && Fma.IsSupported,
        InstructionSet.Avx512 => Vector512.IsHardwareAccelerated && Avx512BW.IsSupported && Avx512DQ.IsSupported,
        _ => false,
    };

    /// <summary>Reads a choice as the environment variable gives it; null or empty means the best.</summary>
    /// <returns>What is wrong with the choice and what would be legal, or null when nothing is.</returns>
    internal static string? TrySelect(string? requested, out InstructionSet chosen)
    {
        chosen = Best;
        if (string.IsNullOrWhiteSpace(requested))
            return null;
        foreach (InstructionSet set in Enum.GetValues<InstructionSet>())
        {
            if (!requested.Trim().Equals(set.ToString(), StringComparison.OrdinalIgnoreCase))
                continue;
            if (!IsSupported(set))
                return $"{EnvironmentVariable}={requested}: this machine does not support it; supported: {SupportedNames()}.";
            chosen = set;
            return null;
        }

        return $"{EnvironmentVariable}={requested}: unknown instruction set; use one of: {SupportedNames()}, or leave it unset.";
    }

    private static string SupportedNames() =>
        string.Join(", ", Enum.GetValues<InstructionSet>().Where(IsSupported).Select(set => set.ToString().ToLowerInvariant()));
}
