namespace Glimmer.Inference.Embeddings;

/// <summary>How the states of a text's tokens become one vector.</summary>
public enum Pooling
{
    /// <summary>Their mean.</summary>
    Mean,

    /// <summary>The last token's, which has seen all others.</summary>
    Last,
}
