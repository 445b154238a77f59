using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Models;
using Glimmer.Models.Loading;

namespace Glimmer.Engine.Packages;

/// <summary>What to load and how.</summary>
public sealed record PackageOptions
{
    /// <summary>Code under which the model answers; null takes the name that its file gives, or the file's own.</summary>
    public string? Code { get; init; }

    /// <summary>Name of the chat generation (<see cref="Generations"/>); null finds it by the file.</summary>
    public string? Generation { get; init; }

    /// <summary>How the weights are loaded.</summary>
    public LoadOptions Load { get; init; } = new();
}

/// <summary>
/// A model with everything needed to talk to it: weights, tokenizer, the generation that says how prompts are written,
/// and the ids that end a turn.
/// </summary>
public sealed class ModelPackage : IDisposable
{
    private const long LargestTemplate = 1 << 20;
    private readonly LoadedModel _loaded;
    private readonly string _path;
    private readonly LoadOptions _load;

    private ModelPackage(string path, LoadOptions load, string code, LoadedModel loaded, Tokenizer tokenizer, Generation generation, IReadOnlySet<int> stops)
    {
        _path = path;
        _load = load;
        Code = code;
        _loaded = loaded;
        Tokenizer = tokenizer;
        Generation = generation;
        StopTokens = stops;
    }

    /// <summary>Code under which it answers.</summary>
    public string Code { get; }

    /// <summary>The model.</summary>
    public LanguageModel Model => _loaded.Model;

    /// <summary>What the model is, in numbers.</summary>
    public ModelDescription Description => _loaded.Description;

    /// <summary>Its tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>How its prompts and answers are written.</summary>
    public Generation Generation { get; }

    /// <summary>Ids that end a turn: the generation's by name, and those that the files declare.</summary>
    public IReadOnlySet<int> StopTokens { get; }

    /// <summary>Sampling that the files recommend.</summary>
    public GenerationDefaults Defaults => _loaded.Generation;

    /// <summary>Names the weights by their content, and how they were loaded: equal texts mean equal results. Reads samples of the files.</summary>
    /// <exception cref="IOException">A file cannot be read any more.</exception>
    public string FindIdentity() => $"{WeightIdentity.Of(_path)} {_load}";

    /// <inheritdoc cref="LoadedModel.Rearranged"/>
    public Task Rearranged => _loaded.Rearranged;

    /// <summary>Doubtful things about the files that do not prevent their use.</summary>
    public IReadOnlyList<string> Warnings => _loaded.Warnings;

    /// <summary>Loads a GGUF file or a checkpoint folder.</summary>
    /// <exception cref="ModelFileException">The weights cannot be used, or do not fit the tokenizer.</exception>
    /// <exception cref="TokenizerFileException">The tokenizer cannot be used.</exception>
    /// <exception cref="ArgumentException">No generation has the wanted name.</exception>
    public static ModelPackage Load(string path, PackageOptions? options = null)
    {
        options ??= new PackageOptions();
        LoadedModel loaded = ModelLoader.Load(path, options.Load);
        try
        {
            Tokenizer tokenizer = loaded.Tokenizer.Metadata is { } metadata
                ? new Tokenizer(GgufTokenizer.Read(metadata))
                : TokenizerFiles.Open(loaded.Tokenizer.Folder!);
            int rows = loaded.Description.VocabularySize;
            if (tokenizer.VocabularySize > rows)
                throw new ModelFileException(path, $"the tokenizer has ids up to {tokenizer.VocabularySize - 1}, but the model only {rows} rows of embeddings; they belong to different models.");
            Generation generation = options.Generation is { } name
                ? Generations.ForName(name)
                : GenerationChoice.ForModel(loaded.Description.Architecture, TemplateOf(loaded), loaded.DisplayName ?? Path.GetFileNameWithoutExtension(path)).Generation;
            HashSet<int> stops = [.. generation.StopTokens(tokenizer), .. loaded.Generation.EosTokens];
            stops.RemoveWhere(id => id >= tokenizer.VocabularySize);
            if (stops.Count == 0)
                throw new ModelFileException(path, "neither the tokenizer nor the model's files name a token that ends a turn, such as <|endoftext|>.");
            return new ModelPackage(path, options.Load, options.Code ?? CodeOf(path, loaded.DisplayName), loaded, tokenizer, generation, stops);
        }
        catch
        {
            loaded.Dispose();
            throw;
        }
    }

    /// <summary>The code that a model answers under when it is given none: the name in its files, or theirs.</summary>
    /// <exception cref="ModelFileException">The files cannot be read.</exception>
    public static string FindCode(string path) => CodeOf(path, ModelLoader.FindName(path));

    /// <summary>Closes the weights. The engine that runs the model must be disposed before.</summary>
    public void Dispose() => _loaded.Dispose();

    private static string? TemplateOf(LoadedModel loaded)
    {
        if (loaded.Tokenizer.Metadata is { } metadata)
            return metadata.FindString("tokenizer.chat_template");
        FileInfo file = new(Path.Combine(loaded.Tokenizer.Folder!, "chat_template.jinja"));
        return file.Exists && file.Length <= LargestTemplate ? File.ReadAllText(file.FullName) : null;
    }

    /// <summary>A name such as "Glimmer Tiny" as a model code: <c>glimmer-tiny</c>.</summary>
    private static string CodeOf(string path, string? displayName)
    {
        string name = displayName ?? Path.GetFileNameWithoutExtension(path);
        return string.Join('-', name.ToLowerInvariant().Split([' ', '\t', '/', '\\', ':'], StringSplitOptions.RemoveEmptyEntries));
    }
}
