using System.Text;
using Glimmer.Models.Configuration;
using Glimmer.Models.Weights;

namespace Glimmer.Models.Loading;

/// <summary>What a model's files recommend for generating with it. Null means that they say nothing.</summary>
/// <param name="EosTokens">Every token that ends a turn.</param>
/// <param name="Sample">Whether to sample at all; false for greedy decoding.</param>
/// <param name="Temperature">Temperature, above 0.</param>
/// <param name="TopP">Probability mass kept, in (0, 1].</param>
/// <param name="TopK">Tokens kept; 0 for all.</param>
/// <param name="MinP">Least probability relative to the best.</param>
/// <param name="RepetitionPenalty">Penalty on repeated tokens, 1 for none.</param>
public sealed record GenerationDefaults(
    IReadOnlyList<int> EosTokens,
    bool? Sample,
    double? Temperature,
    double? TopP,
    int? TopK,
    double? MinP,
    double? RepetitionPenalty)
{
    private static readonly byte[][] _turnEnds = [.. ((string[])["<|endoftext|>", "<|user|>", "<|observation|>"]).Select(Encoding.UTF8.GetBytes)];

    /// <summary>Reads <c>generation_config.json</c> where there is one; the end tokens of <c>config.json</c> count as well.</summary>
    internal static GenerationDefaults FromFolder(string folder, ConfigFields config, int vocabulary)
    {
        string path = Path.Combine(folder, "generation_config.json");
        ConfigFields? generation = File.Exists(path) ? JsonConfigFields.Open(path) : null;
        ConfigFields text = config.Section("text_config") ?? config;
        SortedSet<int> eos = [];
        foreach (ConfigFields? fields in (ConfigFields?[])[generation, config, text])
        {
            foreach (int token in fields?.Ints("eos_token_id") ?? [])
            {
                if (token >= vocabulary)
                    throw fields!.Fault("eos_token_id", (long)token, $"below the vocabulary of {vocabulary}");
                eos.Add(token);
            }
        }

        return Read([.. eos], generation, "do_sample", "temperature", "top_p", "top_k", "min_p", "repetition_penalty");
    }

    /// <summary>Reads the metadata of a GGUF file. Files name one or two end tokens; GLM's others are found by their text.</summary>
    internal static GenerationDefaults FromGguf(GgufMetadata metadata, int vocabulary)
    {
        SortedSet<int> eos = [];
        foreach (string key in (string[])["eos", "eot", "eom"])
        {
            if (metadata.FindInt32($"tokenizer.ggml.{key}_token_id", 0, vocabulary - 1) is { } token)
                eos.Add(token);
        }

        if (metadata.FindStrings("tokenizer.ggml.tokens") is { } tokens)
        {
            // They stand among the special tokens near the end.
            for (int id = Math.Min(tokens.Count, vocabulary) - 1; id >= 0 && id >= tokens.Count - 4096; id--)
            {
                if (_turnEnds.Any(end => tokens.BytesOf(id).SequenceEqual(end)))
                    eos.Add(id);
            }
        }

        return Read([.. eos], new GgufConfigFields(metadata), "general.sampling.do_sample", "general.sampling.temp", "general.sampling.top_p", "general.sampling.top_k", "general.sampling.min_p", "general.sampling.penalty_repeat");
    }

    private static GenerationDefaults Read(int[] eos, ConfigFields? fields, string sample, string temperature, string topP, string topK, string minP, string penalty)
    {
        return new GenerationDefaults(
            eos,
            fields is not null && fields.Has(sample) ? fields.Flag(sample, false) : null,
            Number(temperature, 0, 1000),
            Number(topP, 0, 1),
            fields is not null && fields.Has(topK) ? fields.Int(topK, 0, int.MaxValue) : null,
            Number(minP, 0, 1),
            Number(penalty, 0, 1000));

        double? Number(string key, double min, double max) => fields is not null && fields.Has(key) ? fields.Real(key, min, max) : null;
    }
}
