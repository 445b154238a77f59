using Glimmer.Kernels;

namespace Glimmer.Models.Memory;

/// <summary>One kind of row that a layer caches per token, e.g. the keys of layer 3.</summary>
/// <param name="Name">What it holds, for messages and tests: <c>k</c>, <c>v</c>, <c>latent</c>, <c>indexer</c> …</param>
/// <param name="Layer">The layer that owns it.</param>
/// <param name="Width">Numbers per token, over all heads.</param>
/// <param name="Heads">Heads that the numbers belong to; divides the width. Rows of a head lie together in a page.</param>
/// <param name="Exact">Whether it is kept in single precision whatever the format of the cache: rows that small differences decide something about.</param>
public readonly record struct KvPlane(string Name, int Layer, int Width, int Heads = 1, bool Exact = false)
{
    /// <summary>Numbers per token and head.</summary>
    public int HeadWidth => Width / Heads;

    /// <summary>The format of its rows in a cache of <paramref name="wanted"/>: F16 where heads do not fill the blocks of Q8_0.</summary>
    public KvFormat FormatIn(KvFormat wanted) => Exact ? KvFormat.F32 : wanted.For(HeadWidth);

    /// <summary>Bytes per token in a cache of a format.</summary>
    public long BytesPerToken(KvFormat wanted) => FormatIn(wanted).BytesFor(HeadWidth) * Heads;
}

/// <summary>What a model caches: rows per token and, for layers with recurrence, a fixed state per sequence.</summary>
/// <param name="Planes">Rows kept for every token, in the order of their index.</param>
/// <param name="StateWidth">Numbers of recurrent state per sequence (0 for pure attention models). Such state cannot be cut back to an earlier position.</param>
public sealed record KvLayout(IReadOnlyList<KvPlane> Planes, int StateWidth)
{
    // Below it a cache is small beside anything else, and rounding it would save nothing worth having.
    private const int SmallestRounded = 16 * 1024;

    /// <summary>Numbers cached for one token over all layers.</summary>
    public int WidthPerToken => Planes.Sum(plane => plane.Width);

    /// <summary>Bytes cached for one token over all layers, in a cache of a format.</summary>
    public long BytesPerToken(KvFormat format) => Planes.Sum(plane => plane.BytesPerToken(format));

    /// <summary>How a model caches when nobody decides: F16 if its weights are rounded and F32 would take 16 KiB a token or more, else F32.</summary>
    internal KvFormat UsualFormat(bool roundedWeights) =>
        roundedWeights && BytesPerToken(KvFormat.F32) >= SmallestRounded ? KvFormat.F16 : KvFormat.F32;
}
