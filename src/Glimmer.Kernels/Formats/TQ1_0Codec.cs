namespace Glimmer.Kernels.Formats;

/// <summary>
/// Blocks of 256 ternary numbers, five to a byte (a byte holds ⌈256·n/243⌉ for the five-digit ternary number n, so that multiplying by
/// powers of three brings each digit to the top), then half d; value = d·(digit − 1).
/// </summary>
internal sealed class TQ1_0Codec() : BlockwiseCodec(BlockFormat.TQ1_0, 256, 54, canQuantise: true)
{
    // Bytes, first byte, digits used and first number of each stretch; digit n of byte m is number first + n·bytes + m.
    private static readonly (int Bytes, int Start, int Digits, int First)[] _stretches = [(32, 0, 5, 0), (16, 32, 5, 160), (4, 48, 4, 240)];

    /// <inheritdoc/>
    protected override void DequantiseBlock(ReadOnlySpan<byte> block, Span<float> values)
    {
        float scale = ReadHalf(block, 52);
        foreach ((int bytes, int start, int digits, int first) in _stretches)
        {
            for (int m = 0; m < bytes; m++)
            {
                byte rest = block[start + m];
                for (int n = 0; n < digits; n++)
                {
                    values[first + n * bytes + m] = scale * ((rest * 3 >> 8) - 1);
                    rest = (byte)(rest * 3);
                }
            }
        }
    }

    /// <inheritdoc/>
    protected override void QuantiseBlock(ReadOnlySpan<float> values, Span<byte> block)
    {
        float scale = MathF.Abs(Rounding.Extreme(values));
        float inverse = Rounding.Reciprocal(scale);
        WriteHalf(block, 52, scale);
        foreach ((int bytes, int start, int digits, int first) in _stretches)
        {
            for (int m = 0; m < bytes; m++)
            {
                int number = 0;
                for (int n = 0; n < 5; n++)
                    number = number * 3 + (n < digits ? Rounding.AwayFromZero(values[first + n * bytes + m] * inverse, -1, 1) + 1 : 0);
                block[start + m] = (byte)((number * 256 + 242) / 243);
            }
        }
    }
}
