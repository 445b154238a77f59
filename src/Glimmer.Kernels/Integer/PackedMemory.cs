namespace Glimmer.Kernels.Integer;

/// <summary>
/// Hands out memory for rearranged matrices: small ones (a mixture's experts) side by side in one block, so that they too lie on huge pages. A block is freed when
/// none of its matrices is reachable.
/// </summary>
internal static unsafe class PackedMemory
{
    /// <summary>Matrices below this size share blocks.</summary>
    private const long Small = 8 << 20;

    private const long BlockBytes = 32 << 20;

    private static readonly Lock _lock = new();
    private static readonly WeakReference<NativeBlock?> _block = new(null);
    private static long _used;

    /// <summary>At least <paramref name="bytes"/>, on a cache line of their own; <paramref name="owner"/> keeps them alive.</summary>
    public static byte* Take(long bytes, out NativeBlock owner)
    {
        if (bytes >= Small)
        {
            owner = new NativeBlock(bytes);
            return owner.Start;
        }

        lock (_lock)
        {
            if (!_block.TryGetTarget(out NativeBlock? block) || _used + bytes > BlockBytes)
            {
                block = new NativeBlock(BlockBytes);
                _block.SetTarget(block);
                _used = 0;
            }

            byte* taken = block.Start + _used;
            _used = (_used + bytes + 63) / 64 * 64;
            owner = block;
            return taken;
        }
    }
}
