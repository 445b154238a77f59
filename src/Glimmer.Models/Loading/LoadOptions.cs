namespace Glimmer.Models.Loading;

/// <summary>How a model is loaded.</summary>
public sealed record LoadOptions
{
    /// <summary>Loads the model's own draft (MTP) layer when the file has one. It costs its weights and its planes of the cache.</summary>
    public bool DraftLayer { get; init; } = true;
}
