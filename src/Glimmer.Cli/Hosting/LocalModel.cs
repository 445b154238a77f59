using Glimmer.Cli.Hub;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine;
using Glimmer.Engine.Packages;
using Glimmer.Inference.Embedded;
using Glimmer.Inference.Embeddings;
using Glimmer.Kernels;
using Glimmer.Models;
using Glimmer.Models.Loading;
using Glimmer.Server.Hosting;
using Microsoft.Extensions.Logging;

namespace Glimmer.Cli.Hosting;

/// <summary>Opens a model for this process, and turns whatever is wrong with it into one line for the user.</summary>
internal static class LocalModel
{
    private const int ExitNoInput = 66;
    private const int ExitBadSetting = 78;

    // What a conversation needs at least when no context was asked for.
    private const int ContextToPlan = 4096;

    /// <summary>Where a model is: the path given, a model that was pulled, or the bundled one.</summary>
    /// <exception cref="GlimmerStartupException">There is none.</exception>
    public static string PathOf(string? model)
    {
        if (model is null)
        {
            return BundledModel.Find() ?? throw new GlimmerStartupException(
                "This build comes without the bundled model. Name one: --model PATH (Glimmer:Model:Path).", ExitNoInput);
        }

        if (File.Exists(model) || Directory.Exists(model))
            return SingleGguf(model);
        if (ModelReference.TryParse(model, out ModelReference? reference, out _) && ModelStore.ForUser().FolderOf(reference) is var folder && Directory.Exists(folder))
            return SingleGguf(folder);
        throw new GlimmerStartupException(
            $"{model}: no such file or folder, nor was a model of that name pulled. Use the path of a GGUF file or of a checkpoint folder, or pull it: glimmer pull {model}", ExitNoInput);
    }

    /// <summary>Loads weights, tokenizer and chat format.</summary>
    /// <exception cref="GlimmerStartupException">The files cannot be used.</exception>
    public static ModelPackage Load(EngineSettings settings) => Explain(() =>
    {
        RequireInstructionSet();
        string path = PathOf(settings.ModelPath);
        LoadOptions load = OptionsOf(settings);
        RequireMemory(path, load, settings);
        return ModelPackage.Load(path, new PackageOptions { Code = settings.Code, Generation = settings.Generation, Load = load });
    });

    /// <summary>Loads a model for its tokenizer and chat format alone: its weights stay where they are, and are not rearranged for products.</summary>
    /// <exception cref="GlimmerStartupException">The files cannot be used.</exception>
    public static ModelPackage LoadForText(EngineSettings settings) => Load(settings with { Activations = ActivationMode.Exact, Quantise = null, PackedFolder = null });

    /// <summary>Reads a model's tokenizer alone; its weights are not looked at.</summary>
    /// <exception cref="GlimmerStartupException">The files cannot be used.</exception>
    public static Tokenizer LoadTokenizer(EngineSettings settings) => Explain(() => PackageVocabulary.Open(PathOf(settings.ModelPath)).Tokenizer);

    /// <summary>How weights are loaded.</summary>
    public static LoadOptions OptionsOf(EngineSettings settings) =>
        new() { QuantiseTo = settings.Quantise, DraftLayer = settings.DraftLayer, Activations = settings.Activations, KvFormat = settings.KvFormat, Mapped = settings.Mapped, PackedFolder = settings.PackedFolder };

    /// <summary>Starts an engine for a loaded model.</summary>
    /// <exception cref="GlimmerStartupException">The engine's settings do not fit the model or the machine.</exception>
    public static EmbeddedChatBackend Start(ModelPackage package, EngineSettings settings, ILogger<InferenceEngine>? logger = null) =>
        Explain(() => new EmbeddedChatBackend(package, settings.Engine, logger, settings.Repairs));

    /// <summary>Loads the model that makes embeddings; null when there is none.</summary>
    /// <exception cref="GlimmerStartupException">The files cannot be used.</exception>
    public static EmbeddedEmbeddingBackend? StartEmbeddings(EngineSettings settings) => settings.EmbeddingPath is null
        ? null
        : Explain(() =>
        {
            string path = PathOf(settings.EmbeddingPath);
            LoadOptions load = OptionsOf(settings) with { DraftLayer = false };
            RequireMemory(path, load, settings);
            return new EmbeddedEmbeddingBackend(ModelPackage.Load(path, new PackageOptions { Load = load }), settings.EmbeddingCode, settings.EmbeddingPooling, settings.Engine.Threads);
        });

    // The kernels would say so at the first forward pass, when nobody listens any more.
    internal static void RequireInstructionSet()
    {
        try
        {
            _ = InstructionSets.Current;
        }
        catch (InvalidOperationException fault)
        {
            throw new GlimmerStartupException(fault.Message, ExitBadSetting, fault);
        }
    }

    // A model that is small beside the machine needs no plan, and a start should not read its headers twice.
    private static void RequireMemory(string path, LoadOptions load, EngineSettings settings)
    {
        long memory = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes;
        long stored = File.Exists(path) && !path.Contains("-of-", StringComparison.Ordinal)
            ? new FileInfo(path).Length
            : new DirectoryInfo(Directory.Exists(path) ? path : Path.GetDirectoryName(Path.GetFullPath(path))!).EnumerateFiles().Sum(file => file.Length);
        if (stored < memory / 16 && settings.Engine.ContextLength <= ContextToPlan)
            return;
        int context = settings.Engine.ContextLength > 0 ? settings.Engine.ContextLength : ContextToPlan;
        ModelLoader.Plan(path, load, context, sequences: 1, settings.Engine.PrefillTokens).Require(memory);
    }

    internal static T Explain<T>(Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception fault) when (fault is ModelFileException or TokenizerFileException)
        {
            throw new GlimmerStartupException(fault.Message, ExitNoInput, fault);
        }
        catch (Exception fault) when (fault is ArgumentException or NotSupportedException)
        {
            throw new GlimmerStartupException(fault.Message, ExitBadSetting, fault);
        }
        catch (OutOfMemoryException fault)
        {
            throw new GlimmerStartupException("There is not enough memory for this model with these settings. Lower Glimmer:Engine:Context or Glimmer:Engine:KvBytes, or choose a smaller quantisation.", 71, fault);
        }
    }

    // A folder that a GGUF model was pulled into holds one file, or the parts of one.
    private static string SingleGguf(string path)
    {
        if (!Directory.Exists(path) || File.Exists(Path.Combine(path, "config.json")))
            return path;
        string[] files = [.. Directory.GetFiles(path, "*.gguf").Order(StringComparer.Ordinal)];
        return files.Length > 0 && files.Skip(1).All(file => file.Contains("-of-", StringComparison.Ordinal)) ? files[0] : path;
    }
}
