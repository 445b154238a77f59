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
        new Q8_0Codec(),
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
