using Glimmer.Kernels;
using Glimmer.Kernels.Formats;
using Glimmer.Models.Architectures;
using Glimmer.Models.Configuration;
using Glimmer.Models.Loading.Packed;
using Glimmer.Models.Weights;
using Glimmer.Models.Weights.Schemes;

namespace Glimmer.Models.Loading;

/// <summary>Opens model files. Weights stay where they are: nothing is copied but norms and biases, unless the options or the file's own scheme ask for it.</summary>
public static class ModelLoader
{
    /// <summary>Loads a GGUF file or a checkpoint folder (<c>config.json</c> with safetensors).</summary>
    /// <exception cref="ModelFileException">A file is unreadable, malformed, of an unsupported kind, or does not fit its configuration.</exception>
    public static LoadedModel Load(string path, LoadOptions? options = null)
    {
        options ??= new LoadOptions();
        CheckFormat(path, options);
        ModelFiles files = ModelFiles.Open(path, options.Mapped);
        try
        {
            ActivationMode mode = WeightPlacement.Resolve(options.Activations);
            using PackedCopies copies = PackedCopies.Open(path, options, mode);
            CheckpointTensors tensors = new(files.Logical, files.Names, options.QuantiseTo, mode, copies);
            DecoderModel model = new(files.Architecture, files.Config, tensors, options.DraftLayer, mode, options.KvFormat);
            List<string> warnings = Warnings(files);
            copies.Finish();
            if (copies.Fault is { } fault)
                warnings.Add($"{options.PackedFolder}: no rearranged copy of the weights could be kept: {fault}");
            return new LoadedModel(model, files.Logical, files.Tokenizer, files.Generation(), files.DisplayName, warnings, new Rearrangement(tensors.Later));
        }
        catch
        {
            files.Logical.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Computes what loading and running the model would need, without reading its weights: for a number of sequences of a
    /// length, and passes of at most <paramref name="batchTokens"/> tokens.
    /// </summary>
    /// <exception cref="ModelFileException">As for <see cref="Load"/>.</exception>
    public static MemoryPlan Plan(string path, LoadOptions? options, int contextTokens, int sequences, int batchTokens)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(contextTokens, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(sequences, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(batchTokens, 1);
        options ??= new LoadOptions();
        CheckFormat(path, options);
        ModelFiles files = ModelFiles.Open(path);
        using IWeightSource source = files.Logical;
        PlannedTensors tensors = new(files.Stored, files.Logical, files.Names, options.QuantiseTo, WeightPlacement.Resolve(options.Activations), options.Mapped);
        using DecoderModel model = new(files.Architecture, files.Config, tensors, options.DraftLayer, kvFormat: options.KvFormat);
        return new MemoryPlan(path, files.Config, model.KvLayout, model.KvFormat, tensors, contextTokens, sequences, batchTokens);
    }

    /// <summary>The name that a model gives itself, read without its weights; null when it gives none.</summary>
    /// <exception cref="ModelFileException">As for <see cref="Load"/>.</exception>
    public static string? FindName(string path)
    {
        ModelFiles files = ModelFiles.Open(path);
        using IWeightSource source = files.Logical;
        return files.DisplayName;
    }

    /// <summary>Checks a <c>config.json</c> without its weights: architecture, sizes and quantisation method.</summary>
    /// <exception cref="ModelFileException">It cannot be used.</exception>
    public static void CheckConfig(string configFile)
    {
        JsonConfigFields fields = JsonConfigFields.Open(configFile);
        HuggingFaceConfig reader = new(fields);
        _ = ArchitectureCatalogue.ForModelType(fields, reader.ModelType).ReadConfig(reader);
        if (CheckpointScheme.FindConfiguration(fields.Element) is { } scheme)
            CheckpointScheme.Check(configFile, scheme);
    }

    private static void CheckFormat(string path, LoadOptions options)
    {
        if (options.QuantiseTo is { } format && !(BlockCodecs.Quantisable.Contains(format)))
            throw new ModelFileException(path, $"weights cannot be quantised to {format}; possible are {string.Join(", ", BlockCodecs.Quantisable)}.");
    }

    private static List<string> Warnings(ModelFiles files)
    {
        List<string> warnings = [];
        if (files.Stored is GgufFile && files.Architecture.Name == "glm" && files.Config.Rope is { Theta: 10000 } && files.Config.ContextLength > 32768)
            warnings.Add($"{files.Stored.Location}: the rotary base is 10000 with a context of {files.Config.ContextLength}; converters write this for GLM-4-9B-chat-hf whatever the model was trained with (5000000).");
        return warnings;
    }
}
