namespace Glimmer.Models.Layers;

/// <summary>Half of a decoder layer: attention of some kind, or a feed-forward network of some kind.</summary>
internal interface ILayerPart
{
    /// <summary>Computes the part for every row. <paramref name="y"/> does not overlap <paramref name="x"/>.</summary>
    void Apply(ForwardPass pass, Rows x, Rows y);
}
