using System.Runtime.CompilerServices;

namespace Glimmer.Kernels.MatrixProducts;

/// <summary>Working memory of the calling thread, kept from call to call so that kernels allocate nothing once warm.</summary>
internal static unsafe class Scratch
{
    [ThreadStatic]
    private static byte[]? _bytes;

    /// <summary>At least <paramref name="count"/> floats, aligned to 64 bytes, contents undefined; valid until the next call on this thread.</summary>
    public static float* Floats(long count) => (float*)Bytes(checked(count * sizeof(float)));

    /// <summary>At least <paramref name="count"/> bytes, aligned to 64, contents undefined; valid until the next call on this thread.</summary>
    public static byte* Bytes(long count)
    {
        byte[]? bytes = _bytes;
        if (bytes is null || bytes.Length < count + 64)
            bytes = _bytes = GC.AllocateUninitializedArray<byte>(checked((int)Math.Max(count + 64, 1 << 19)), pinned: true);
        nint address = (nint)Unsafe.AsPointer(ref bytes[0]); // pinned, and reachable through the thread's field
        return (byte*)((address + 63) & ~63);
    }
}
