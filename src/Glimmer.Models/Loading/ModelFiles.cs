using Glimmer.Models.Architectures;
using Glimmer.Models.Configuration;
using Glimmer.Models.Weights;
using Glimmer.Models.Weights.Schemes;

namespace Glimmer.Models.Loading;

/// <summary>The files of a model, opened and understood, before any weight is read.</summary>
/// <param name="Architecture">What it is.</param>
/// <param name="Config">Its numbers.</param>
/// <param name="Stored">The tensors as they lie in the files.</param>
/// <param name="Logical">The tensors under plain names: the same, or seen through a quantisation scheme. Owns the files.</param>
/// <param name="Names">Names of the tensors.</param>
/// <param name="Tokenizer">Where the tokenizer lies.</param>
/// <param name="Generation">Reads what the files recommend for generating.</param>
/// <param name="DisplayName">The name the model gives itself, if any.</param>
internal sealed record ModelFiles(
    Architecture Architecture,
    ModelConfig Config,
    IWeightSource Stored,
    IWeightSource Logical,
    ITensorNames Names,
    TokenizerSource Tokenizer,
    Func<GenerationDefaults> Generation,
    string? DisplayName)
{
    /// <summary>Opens a GGUF file or a checkpoint folder; <paramref name="mapped"/> false copies tensors into memory when they are asked for.</summary>
    public static ModelFiles Open(string path, bool mapped = true)
    {
        IWeightSource source = CheckpointOpener.Open(path);
        try
        {
            return source is GgufFile gguf ? OpenGguf(gguf, mapped) : OpenCheckpoint(path, source, mapped);
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    private static ModelFiles OpenCheckpoint(string path, IWeightSource source, bool mapped)
    {
        string folder = Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!;
        string configFile = Path.Combine(folder, "config.json");
        if (!File.Exists(configFile))
            throw new ModelFileException(configFile, "is missing; a checkpoint folder needs config.json beside its weights.");
        JsonConfigFields fields = JsonConfigFields.Open(configFile);
        HuggingFaceConfig reader = new(fields);
        Architecture architecture = ArchitectureCatalogue.ForModelType(reader.Root, reader.ModelType);
        ModelConfig config = architecture.ReadConfig(reader);
        IWeightSource tensors = mapped ? source : new CopiedSource(source);
        IWeightSource logical = CheckpointScheme.FindConfiguration(fields.Element) is { } scheme ? CheckpointScheme.Wrap(tensors, scheme) : tensors;
        return new ModelFiles(
            architecture,
            config,
            source,
            logical,
            architecture.CheckpointTensors(logical.Names),
            new TokenizerSource(folder, null),
            () => GenerationDefaults.FromFolder(folder, reader.Root, config.VocabularySize),
            Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))));
    }

    private static ModelFiles OpenGguf(GgufFile source, bool mapped)
    {
        Architecture architecture = ArchitectureCatalogue.ForGguf(source.Location, source.Architecture);
        ITensorNames names = architecture.GgufTensors;
        GgufConfig reader = new(new GgufConfigFields(source.Metadata), source.Architecture, new CheckpointTensors(source, names).EmbeddingRows());
        ModelConfig config = architecture.ReadConfig(reader);
        return new ModelFiles(
            architecture,
            config,
            source,
            mapped ? source : new CopiedSource(source),
            names,
            new TokenizerSource(null, source.Metadata),
            () => GenerationDefaults.FromGguf(source.Metadata, config.VocabularySize),
            source.Metadata.FindString("general.name"));
    }
}
