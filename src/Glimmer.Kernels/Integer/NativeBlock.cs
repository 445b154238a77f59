using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Glimmer.Kernels.Integer;

/// <summary>Memory outside the collector's heap for rearranged weights; on huge pages where the system grants them; freed when unreachable.</summary>
internal sealed unsafe partial class NativeBlock : SafeHandleZeroOrMinusOneIsInvalid
{
    private const nuint HugePage = 2 << 20;
    private const int AdviseHugePages = 14;
    private readonly long _bytes;

    public NativeBlock(long bytes)
        : base(ownsHandle: true)
    {
        _bytes = Math.Max(64, bytes);
        bool huge = bytes >= (long)HugePage;
        SetHandle((nint)NativeMemory.AlignedAlloc((nuint)_bytes, huge ? HugePage : 64));
        if (huge && OperatingSystem.IsLinux())
            _ = Advise((void*)handle, (nuint)_bytes / HugePage * HugePage, AdviseHugePages); // only a wish
        GC.AddMemoryPressure(_bytes);
    }

    /// <summary>Bytes.</summary>
    public long Length => _bytes;

    /// <summary>First byte, on a cache line of its own.</summary>
    public byte* Start => (byte*)handle;

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        GC.RemoveMemoryPressure(_bytes);
        return true;
    }

    [LibraryImport("libc", EntryPoint = "madvise")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Advise(void* address, nuint length, int advice);
}
