using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Glimmer.Kernels.Formats;

/// <summary>
/// Eight-bit floats of the OCP specification, read by table. <see cref="BlockFormat.F8_E4M3"/> is the finite variant
/// ("fn": bias 7, no infinities, 0x7F and 0xFF are NaN); <see cref="BlockFormat.F8_E5M2"/> is the upper byte of a half;
/// <see cref="BlockFormat.F8_E8M0"/> is a power of two with bias 127 (0xFF is NaN), the scale of MX formats.
/// </summary>
public sealed class F8Codec : BlockCodec
{
    private readonly float[] _values = new float[256];

    /// <summary>Builds the table of one variant.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The format is not an eight-bit float.</exception>
    public F8Codec(BlockFormat format)
    {
        Format = format;
        for (int code = 0; code < 256; code++)
        {
            _values[code] = format switch
            {
                BlockFormat.F8_E4M3 => FromE4M3((byte)code),
                BlockFormat.F8_E5M2 => (float)BitConverter.UInt16BitsToHalf((ushort)(code << 8)),
                BlockFormat.F8_E8M0 => code == 255 ? float.NaN : MathF.ScaleB(1, code - 127),
                _ => throw new ArgumentOutOfRangeException(nameof(format), format, "Not an eight-bit float."),
            };
        }
    }

    /// <inheritdoc/>
    public override BlockFormat Format { get; }

    /// <inheritdoc/>
    public override int BlockLength => 1;

    /// <inheritdoc/>
    public override int BytesPerBlock => 1;

    /// <summary>The value of each of the 256 codes.</summary>
    public ReadOnlySpan<float> Table => _values;

    /// <inheritdoc/>
    public override void Dequantise(ReadOnlySpan<byte> blocks, Span<float> values)
    {
        if (blocks.Length < values.Length)
            throw new ArgumentException($"{blocks.Length} bytes do not hold {values.Length} numbers.", nameof(blocks));
        int i = Format == BlockFormat.F8_E4M3 && Vector128.IsHardwareAccelerated ? FromE4M3(blocks, values) : 0;
        for (; i < values.Length; i++)
            values[i] = _values[blocks[i]];
    }

    // Eight at a time: exponent and mantissa move to their places in a float, whose bias is 120 higher; multiplying by 2^120 is exact, also for
    // subnormal numbers.
    private static int FromE4M3(ReadOnlySpan<byte> codes, Span<float> values)
    {
        Vector256<float> scale = Vector256.Create(BitConverter.UInt32BitsToSingle(247u << 23));
        ref byte code = ref MemoryMarshal.GetReference(codes);
        ref float value = ref MemoryMarshal.GetReference(values);
        int i = 0;
        for (; i <= values.Length - 8; i += 8)
        {
            Vector128<ushort> wide = Vector128.WidenLower(Vector128.CreateScalarUnsafe(Unsafe.ReadUnaligned<ulong>(ref Unsafe.Add(ref code, i))).AsByte());
            Vector256<uint> bits = Vector256.Create(Vector128.WidenLower(wide), Vector128.WidenUpper(wide));
            Vector256<uint> magnitude = bits & Vector256.Create(0x7Fu);
            Vector256<float> number = (magnitude << 20).AsSingle() * scale;
            Vector256<uint> invalid = Vector256.Equals(magnitude, Vector256.Create(0x7Fu)) & Vector256.Create(0x7FC00000u);
            (number.AsUInt32() | invalid | ((bits & Vector256.Create(0x80u)) << 24)).AsSingle().StoreUnsafe(ref value, (nuint)i);
        }

        return i;
    }

    private static float FromE4M3(byte code)
    {
        int exponent = (code >> 3) & 15, mantissa = code & 7;
        float magnitude = (exponent, mantissa) switch
        {
            (15, 7) => BitConverter.UInt32BitsToSingle(0x7FF00000), // the NaN that the vectors give
            (0, _) => MathF.ScaleB(mantissa, -9),
            _ => MathF.ScaleB(8 + mantissa, exponent - 10),
        };
        return (code & 0x80) == 0 ? magnitude : -magnitude;
    }
}
