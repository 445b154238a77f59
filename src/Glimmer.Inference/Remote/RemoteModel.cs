using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine.Packages;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Prompting;
using Glimmer.Models;

namespace Glimmer.Inference.Remote;

/// <summary>A model in an engine, as far as this side knows it: vocabulary, prompt format, constraints.</summary>
internal sealed class RemoteModel
{
    private const int RememberedPromptTokens = 1 << 20;

    /// <summary>Most tokens where neither the definition nor the engine says.</summary>
    private const int ContextUnknown = 8192;

    private volatile int _contextLength;

    /// <summary>A model with its vocabulary.</summary>
    /// <exception cref="ArgumentException">No generation has the wanted name, or nothing ends a turn.</exception>
    public RemoteModel(BackendModel definition, PackageVocabulary vocabulary)
    {
        Definition = definition;
        Tokenizer = vocabulary.Tokenizer;
        Generation = GenerationOf(definition, vocabulary);
        IReadOnlySet<int> known = Generation.StopTokens(Tokenizer);
        StopTokens = [.. known, .. vocabulary.TurnEnds];
        SilentStops = [.. StopTokens.Except(known)];
        if (StopTokens.Count == 0)
            throw new ArgumentException($"The vocabulary has no token that ends a turn of {Generation}; name another generation or tokenizer.", nameof(vocabulary));
        if (Tokenizer.TryGetAdded("</think>", out int close))
            ReasoningStops = [.. StopTokens, close];
        else
            ReasoningStops = StopTokens;
        Bytes = new TokenBytes(Tokenizer);
        Prompts = new ChatPrompts(definition.Code, Generation, Tokenizer, RememberedPromptTokens);
        Constraints = new AnswerConstraints(definition.Code, Generation, Tokenizer, StopTokens);
        _contextLength = definition.ContextLength ?? ContextUnknown;
    }

    /// <summary>What it was made from.</summary>
    public BackendModel Definition { get; }

    /// <summary>Its vocabulary.</summary>
    public ITokenizer Tokenizer { get; }

    /// <summary>How it is written to.</summary>
    public Generation Generation { get; }

    /// <summary>Ids that end a turn.</summary>
    public HashSet<int> StopTokens { get; }

    /// <summary>Those of them that the automaton does not know.</summary>
    public HashSet<int> SilentStops { get; }

    /// <summary>Ids that end reasoning, or a turn.</summary>
    public HashSet<int> ReasoningStops { get; }

    /// <summary>Tokens by their bytes.</summary>
    public TokenBytes Bytes { get; }

    /// <summary>Writes its prompts.</summary>
    public ChatPrompts Prompts { get; }

    /// <summary>Makes its constraints.</summary>
    public AnswerConstraints Constraints { get; }

    /// <summary>Most tokens of prompt and answer.</summary>
    public int ContextLength => _contextLength;

    /// <summary>Notes what the engine says of the context, unless the definition says it.</summary>
    public void Learn(int? contextLength)
    {
        if (Definition.ContextLength is null && contextLength is > 0)
            _contextLength = contextLength.Value;
    }

    /// <summary>Loads a model's vocabulary.</summary>
    /// <param name="definition">The model.</param>
    /// <param name="found">Where the engine found its model; null when it does not say.</param>
    /// <param name="problem">Why it can't be loaded.</param>
    public static RemoteModel? TryLoad(BackendModel definition, string? found, out string? problem)
    {
        string? path = definition.Tokenizer ?? (found is not null && Path.Exists(found) ? found : null);
        if (path is null)
        {
            problem = found is null
                ? $"the model {definition.Code} has no tokenizer: give 'tokenizer' the path of its tokenizer.json, its GGUF, or their folder"
                : $"the model {definition.Code} has no tokenizer, and {EngineTransport.OneLine(found)}, where the engine found it, cannot be read here: give 'tokenizer' the path of its tokenizer.json, its GGUF, or their folder";
            return null;
        }

        try
        {
            problem = null;
            return new RemoteModel(definition, PackageVocabulary.Open(path));
        }
        catch (Exception fault) when (fault is TokenizerFileException or ModelFileException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            problem = $"the tokenizer of the model {definition.Code} cannot be used: {fault.Message}";
            return null;
        }
    }

    private static Generation GenerationOf(BackendModel definition, PackageVocabulary vocabulary)
    {
        if (definition.Generation is { } name)
            return Generations.ForName(name);
        GenerationChoice byCode = GenerationChoice.ForModel(null, null, definition.Code);
        return byCode.Evidence == GenerationEvidence.Name
            ? byCode.Generation
            : GenerationChoice.ForModel(vocabulary.Architecture, vocabulary.ChatTemplate, definition.Name ?? definition.Code).Generation;
    }
}
