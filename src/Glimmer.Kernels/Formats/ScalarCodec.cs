using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Glimmer.Kernels.Formats;

/// <summary>
/// Unblocked numbers of one machine type, little-endian: the integer types (index tables, packed words, shapes),
/// 64-bit floats and booleans. They are only read; values beyond 24 bits round to the nearest float.
/// </summary>
/// <typeparam name="T">The stored type.</typeparam>
/// <param name="format">The format's name.</param>
/// <param name="toFloat">The value of one number.</param>
public sealed class ScalarCodec<T>(BlockFormat format, Func<T, float> toFloat) : BlockCodec
    where T : unmanaged
{
    /// <inheritdoc/>
    public override BlockFormat Format => format;

    /// <inheritdoc/>
    public override int BlockLength => 1;

    /// <inheritdoc/>
    public override int BytesPerBlock => Unsafe.SizeOf<T>();

    /// <inheritdoc/>
    public override void Dequantise(ReadOnlySpan<byte> blocks, Span<float> values)
    {
        ReadOnlySpan<T> stored = MemoryMarshal.Cast<byte, T>(blocks);
        for (int i = 0; i < values.Length; i++)
            values[i] = toFloat(stored[i]);
    }
}
