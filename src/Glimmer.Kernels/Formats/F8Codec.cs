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
        for (int i = 0; i < values.Length; i++)
            values[i] = _values[blocks[i]];
    }

    private static float FromE4M3(byte code)
    {
        int exponent = (code >> 3) & 15, mantissa = code & 7;
        float magnitude = (exponent, mantissa) switch
        {
            (15, 7) => float.NaN,
            (0, _) => MathF.ScaleB(mantissa, -9),
            _ => MathF.ScaleB(8 + mantissa, exponent - 10),
        };
        return (code & 0x80) == 0 ? magnitude : -magnitude;
    }
}
