namespace Glimmer.Models.Memory;

/// <summary>One kind of row that a layer caches per token, e.g. the keys of layer 3.</summary>
/// <param name="Name">What it holds, for messages and tests: <c>k</c>, <c>v</c>, <c>latent</c>, <c>indexer</c> …</param>
/// <param name="Layer">The layer that owns it.</param>
/// <param name="Width">Numbers per token.</param>
public readonly record struct KvPlane(string Name, int Layer, int Width);

/// <summary>What a model caches: rows per token and, for layers with recurrence, a fixed state per sequence.</summary>
/// <param name="Planes">Rows kept for every token, in the order of their index.</param>
/// <param name="StateWidth">Numbers of recurrent state per sequence (0 for pure attention models). Such state cannot be cut back to an earlier position.</param>
public sealed record KvLayout(IReadOnlyList<KvPlane> Planes, int StateWidth)
{
    /// <summary>Numbers cached for one token over all layers.</summary>
    public int WidthPerToken => Planes.Sum(plane => plane.Width);
}
