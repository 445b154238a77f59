using Glimmer.Models.Architectures;
using Glimmer.Models.Configuration;
using Glimmer.Models.Weights;

namespace Glimmer.Models.Loading;

/// <summary>Opens model files. Weights stay where they are: nothing is copied but norms and biases.</summary>
public static class ModelLoader
{
    /// <summary>Loads a GGUF file or a checkpoint folder (<c>config.json</c> with safetensors).</summary>
    /// <exception cref="ModelFileException">A file is unreadable, malformed, of an unsupported kind, or does not fit its configuration.</exception>
    public static LoadedModel Load(string path, LoadOptions? options = null)
    {
        options ??= new LoadOptions();
        IWeightSource source = CheckpointOpener.Open(path);
        try
        {
            return source is GgufFile gguf ? LoadGguf(gguf, options) : LoadCheckpoint(path, source, options);
        }
        catch
        {
            source.Dispose();
            throw;
        }
    }

    /// <summary>Reads only a <c>config.json</c>.</summary>
    internal static (Architecture Architecture, ModelConfig Config) ReadConfig(string configFile)
    {
        HuggingFaceConfig reader = new(JsonConfigFields.Open(configFile));
        Architecture architecture = ArchitectureCatalogue.ForModelType(reader.Root, reader.ModelType);
        return (architecture, architecture.ReadConfig(reader));
    }

    private static LoadedModel LoadCheckpoint(string path, IWeightSource source, LoadOptions options)
    {
        string folder = Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!;
        string configFile = Path.Combine(folder, "config.json");
        if (!File.Exists(configFile))
            throw new ModelFileException(configFile, "is missing; a checkpoint folder needs config.json beside its weights.");
        HuggingFaceConfig reader = new(JsonConfigFields.Open(configFile));
        Architecture architecture = ArchitectureCatalogue.ForModelType(reader.Root, reader.ModelType);
        ModelConfig config = architecture.ReadConfig(reader);
        CheckpointTensors tensors = new(source, architecture.CheckpointTensors(source.Names));
        DecoderModel model = new(architecture, config, tensors, options.DraftLayer);
        return new LoadedModel(
            model,
            source,
            new TokenizerSource(folder, null),
            GenerationDefaults.FromFolder(folder, reader.Root, config.VocabularySize),
            Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder))),
            []);
    }

    private static LoadedModel LoadGguf(GgufFile source, LoadOptions options)
    {
        Architecture architecture = ArchitectureCatalogue.ForGguf(source.Location, source.Architecture);
        CheckpointTensors tensors = new(source, architecture.GgufTensors);
        GgufConfig reader = new(new GgufConfigFields(source.Metadata), source.Architecture, tensors.EmbeddingRows());
        ModelConfig config = architecture.ReadConfig(reader);
        DecoderModel model = new(architecture, config, tensors, options.DraftLayer);
        List<string> warnings = [];
        if (architecture.Name == "glm" && config.Rope is { Theta: 10000 } && config.ContextLength > 32768)
            warnings.Add($"{source.Location}: the rotary base is 10000 with a context of {config.ContextLength}; converters write this for GLM-4-9B-chat-hf whatever the model was trained with (5000000).");
        return new LoadedModel(
            model,
            source,
            new TokenizerSource(null, source.Metadata),
            GenerationDefaults.FromGguf(source.Metadata, config.VocabularySize),
            source.Metadata.FindString("general.name"),
            warnings);
    }
}
