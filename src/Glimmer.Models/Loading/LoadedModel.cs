using Glimmer.Models.Weights;

namespace Glimmer.Models.Loading;

/// <summary>Where a model's tokenizer lies: beside the checkpoint, or inside the GGUF file.</summary>
/// <param name="Folder">Folder of <c>tokenizer.json</c> or <c>tokenizer.model</c>; null for GGUF files.</param>
/// <param name="Metadata">Metadata with the <c>tokenizer.ggml.*</c> keys; null for checkpoints.</param>
public sealed record TokenizerSource(string? Folder, GgufMetadata? Metadata);

/// <summary>A model ready to run, with what belongs to it. Disposing it closes the weights.</summary>
public sealed class LoadedModel : IDisposable
{
    private readonly Rearrangement _rearrangement;

    internal LoadedModel(LanguageModel model, IWeightSource weights, TokenizerSource tokenizer, GenerationDefaults generation, string? displayName, IReadOnlyList<string> warnings, Rearrangement rearrangement)
    {
        _rearrangement = rearrangement;
        Model = model;
        Weights = weights;
        Tokenizer = tokenizer;
        Generation = generation;
        DisplayName = displayName;
        Warnings = warnings;
    }

    /// <summary>The model.</summary>
    public LanguageModel Model { get; }

    /// <summary>Its files.</summary>
    public IWeightSource Weights { get; }

    /// <summary>Its tokenizer's data, not read yet.</summary>
    public TokenizerSource Tokenizer { get; }

    /// <summary>Its end tokens and recommended sampling.</summary>
    public GenerationDefaults Generation { get; }

    /// <summary>The name the file gives itself, if any.</summary>
    public string? DisplayName { get; }

    /// <summary>Doubtful things about the file that do not prevent its use.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <inheritdoc cref="LanguageModel.Description"/>
    public ModelDescription Description => Model.Description;

    /// <summary>
    /// Completes when all weights that integer products read are rearranged for them. The model can be used before: what is not yet done is then done by the pass that needs it.
    /// Fails when memory is short.
    /// </summary>
    public Task Rearranged => _rearrangement.Done;

    /// <inheritdoc/>
    public void Dispose()
    {
        _rearrangement.Dispose();
        Model.Dispose();
        Weights.Dispose();
    }
}
