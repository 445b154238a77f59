using System.Runtime.InteropServices;

namespace Glimmer.Engine.Placement;

/// <summary>
/// What the operating system is asked for: binding a thread to a processor, spreading memory over nodes. Only Linux has both; a system
/// that refuses, as containers may, leaves everything as it was.
/// </summary>
internal static unsafe partial class SystemPlacement
{
    private const int MostProcessors = 8192;
    private const int Interleave = 3;
    private const long MbindX64 = 237;
    private const long MbindArm64 = 235;

    /// <summary>Binds the calling thread; false when the system refuses.</summary>
    public static bool TryPin(int processor)
    {
        if (!OperatingSystem.IsLinux() || processor is < 0 or >= MostProcessors)
            return false;
        byte* mask = stackalloc byte[MostProcessors / 8];
        new Span<byte>(mask, MostProcessors / 8).Clear();
        mask[processor / 8] |= (byte)(1 << (processor % 8));
        try
        {
            return SetAffinity(0, MostProcessors / 8, mask) == 0;
        }
        catch (Exception fault) when (fault is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    /// <summary>Spreads memory that was not touched yet over nodes, page by page; false when the system refuses.</summary>
    /// <param name="memory">The memory; its first and last partial pages are left alone.</param>
    /// <param name="bytes">Bytes of it.</param>
    /// <param name="nodes">The nodes, each below 64.</param>
    public static bool TryInterleave(void* memory, long bytes, IReadOnlyList<int> nodes)
    {
        long number = RuntimeInformation.ProcessArchitecture switch
        {
            Architecture.X64 => MbindX64,
            Architecture.Arm64 => MbindArm64,
            _ => -1,
        };
        if (!OperatingSystem.IsLinux() || number < 0 || nodes.Count < 2 || nodes.Any(node => node is < 0 or >= 64))
            return false;
        long page = Environment.SystemPageSize;
        long start = ((long)memory + page - 1) / page * page, end = ((long)memory + bytes) / page * page;
        if (end <= start)
            return false;
        ulong mask = 0;
        foreach (int node in nodes)
            mask |= 1UL << node;
        try
        {
            return SystemCall(number, (void*)start, (nuint)(end - start), Interleave, &mask, 65, 0) == 0;
        }
        catch (Exception fault) when (fault is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetAffinity(int thread, nuint bytes, byte* mask);

    [LibraryImport("libc", EntryPoint = "syscall")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial long SystemCall(long number, void* memory, nuint bytes, long mode, ulong* nodes, nuint bits, long flags);
}
