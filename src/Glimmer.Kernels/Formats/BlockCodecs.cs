using System.Diagnostics.CodeAnalysis;

namespace Glimmer.Kernels.Formats;

/// <summary>The codecs by format.</summary>
public static class BlockCodecs
{
    private static readonly Dictionary<BlockFormat, BlockCodec> _codecs = new BlockCodec[]
    {
        new F32Codec(),
        new F16Codec(),
        new BF16Codec(),
        new Q4_0Codec(),
        new Q4_1Codec(),
        new Q5_0Codec(),
        new Q5_1Codec(),
        new Q8_0Codec(),
        new Q2_KCodec(),
        new Q3_KCodec(),
        new Q4_KCodec(),
        new Q5_KCodec(),
        new Q6_KCodec(),
        new IQ1_SCodec(),
        new IQ1_MCodec(),
        new IQ2_XXSCodec(),
        new IQ2_XSCodec(),
        new IQ2_SCodec(),
        new IQ3_XXSCodec(),
        new IQ3_SCodec(),
        new IQ4_NLCodec(),
        new IQ4_XSCodec(),
        new TQ1_0Codec(),
        new TQ2_0Codec(),
        new MXFP4Codec(),
        new NVFP4Codec(),
        new F8Codec(BlockFormat.F8_E4M3),
        new F8Codec(BlockFormat.F8_E5M2),
        new F8Codec(BlockFormat.F8_E8M0),
        new ScalarCodec<double>(BlockFormat.F64, value => (float)value),
        new ScalarCodec<sbyte>(BlockFormat.I8, value => value),
        new ScalarCodec<short>(BlockFormat.I16, value => value),
        new ScalarCodec<int>(BlockFormat.I32, value => value),
        new ScalarCodec<long>(BlockFormat.I64, value => value),
        new ScalarCodec<byte>(BlockFormat.U8, value => value),
        new ScalarCodec<byte>(BlockFormat.Bool, value => value == 0 ? 0 : 1),
        new ScalarCodec<ushort>(BlockFormat.U16, value => value),
        new ScalarCodec<uint>(BlockFormat.U32, value => value),
        new ScalarCodec<ulong>(BlockFormat.U64, value => value),
    }.ToDictionary(codec => codec.Format);

    /// <summary>Formats that can be read.</summary>
    public static IReadOnlyCollection<BlockFormat> Readable => _codecs.Keys;

    /// <summary>Formats that can also be written.</summary>
    public static IEnumerable<BlockFormat> Quantisable => _codecs.Values.Where(codec => codec.CanQuantise).Select(codec => codec.Format);

    /// <summary>The codec of a format.</summary>
    /// <exception cref="NotSupportedException">No codec is registered for it.</exception>
    public static BlockCodec For(BlockFormat format) => _codecs.TryGetValue(format, out BlockCodec? codec)
        ? codec
        : throw new NotSupportedException($"Weights in format {format} cannot be read; supported: {string.Join(", ", Readable)}.");

    /// <summary>The codec of a format, or false when there is none.</summary>
    public static bool TryGet(BlockFormat format, [NotNullWhen(true)] out BlockCodec? codec) => _codecs.TryGetValue(format, out codec);
}
