using System.Text.RegularExpressions;

namespace Glimmer.Cli.Hub;

/// <summary>Chooses the files of a repository that make up one model.</summary>
internal static partial class FileSelection
{
    private static readonly string[] _companions =
    [
        "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "tokenizer.model",
        "chat_template.jinja", "preprocessor_config.json", "video_preprocessor_config.json", "special_tokens_map.json",
        "model.safetensors.index.json", "quantize_config.json",
    ];

    /// <summary>
    /// The files to take. A repository of GGUF files gives the one (or the split set) of the quantisation asked for; a
    /// repository of safetensors gives the shards and what belongs to them.
    /// </summary>
    /// <exception cref="HubException">Nothing fits, or more than one thing does; the message lists the choices.</exception>
    public static IReadOnlyList<HubFile> Choose(ModelReference reference, IReadOnlyList<HubFile> files)
    {
        List<HubFile> gguf = [.. files.Where(file => file.Path.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase) && !IsProjector(file))];
        List<HubFile> safetensors = [.. files.Where(file => file.Path.EndsWith(".safetensors", StringComparison.OrdinalIgnoreCase) && !file.Path.Contains('/', StringComparison.Ordinal))];
        if (reference.Quantisation is null && safetensors.Count > 0)
            return [.. files.Where(file => IsCompanion(file) || safetensors.Contains(file)).OrderBy(file => file.Path, StringComparer.Ordinal)];

        ILookup<string, HubFile> groups = gguf.ToLookup(QuantisationOf, StringComparer.OrdinalIgnoreCase);
        if (groups.Count == 0)
        {
            throw new HubException(safetensors.Count > 0
                ? $"{reference.Repository} holds no GGUF files, so there is no quantisation {reference.Quantisation} to choose. Pull {reference.Repository} and quantise it when loading."
                : $"{reference.Repository} holds neither safetensors nor GGUF files; there is nothing here that Glimmer can load.");
        }

        string choices = string.Join(", ", groups.OrderBy(group => group.Sum(file => file.Size)).Select(group => $"{group.Key} ({Bytes.Text(group.Sum(file => file.Size))})"));
        string wanted = reference.Quantisation ?? (groups.Count == 1 ? groups.First().Key : groups.Contains("Q4_K_M") ? "Q4_K_M"
            : throw new HubException($"{reference.Repository} holds several quantisations; say which one: {choices}."));
        if (!groups.Contains(wanted))
            throw new HubException($"{reference.Repository} has no quantisation {wanted}; it has: {choices}.");
        return [.. groups[wanted].OrderBy(file => file.Path, StringComparer.Ordinal)];
    }

    /// <summary>The quantisation that a GGUF file's name states: <c>model-Q4_K_M-00001-of-00002.gguf</c> → <c>Q4_K_M</c>.</summary>
    internal static string QuantisationOf(HubFile file)
    {
        string name = file.Path[(file.Path.LastIndexOf('/') + 1)..^".gguf".Length];
        string stem = SplitSuffix().Replace(name, "");
        Match match = QuantisationName().Match(stem);
        return match.Success ? match.Value.ToUpperInvariant() : stem;
    }

    private static bool IsProjector(HubFile file) => file.Path.Contains("mmproj", StringComparison.OrdinalIgnoreCase);

    private static bool IsCompanion(HubFile file) => _companions.Contains(file.Path, StringComparer.OrdinalIgnoreCase);

    [GeneratedRegex(@"-\d{5}-of-\d{5}\z", RegexOptions.NonBacktracking)]
    private static partial Regex SplitSuffix();

    [GeneratedRegex(@"(UD-)?(IQ[1-4]_[A-Z0-9_]+|T?Q[1-8]_([0-9A-Z]+)(_[A-Z]+)?|BF16|F16|F32|MXFP4)\z", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex QuantisationName();
}
