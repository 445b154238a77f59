using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Glimmer.Models.Weights.Schemes;

/// <summary>32-bit floats in memory outside the collector's heap, aligned for vector loads; freed when unreachable.</summary>
internal sealed unsafe class NativeFloats : SafeHandleZeroOrMinusOneIsInvalid
{
    private readonly long _bytes;

    public NativeFloats(long count)
        : base(ownsHandle: true)
    {
        _bytes = checked(Math.Max(1, count) * sizeof(float));
        SetHandle((nint)NativeMemory.AlignedAlloc((nuint)_bytes, 64));
        GC.AddMemoryPressure(_bytes);
    }

    public float* Start => (float*)handle;

    protected override bool ReleaseHandle()
    {
        NativeMemory.AlignedFree((void*)handle);
        GC.RemoveMemoryPressure(_bytes);
        return true;
    }
}
