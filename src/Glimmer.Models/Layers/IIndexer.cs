namespace Glimmer.Models.Layers;

/// <summary>Chooses the positions that sparse attention sees.</summary>
internal interface IIndexer
{
    /// <summary>Caches what it needs of the pass's tokens and writes the pass's selection.</summary>
    /// <param name="pass">The pass.</param>
    /// <param name="x">The layer's normalised input, shape (rows, hidden).</param>
    /// <param name="queryLatent">The normalised query latent, shape (rows, query rank).</param>
    void Choose(ForwardPass pass, Rows x, Rows queryLatent);
}
