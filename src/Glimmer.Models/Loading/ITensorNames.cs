namespace Glimmer.Models.Loading;

/// <summary>
/// Translates canonical tensor names into those of a file. Canonical are the names of today's transformers checkpoints
/// without prefix: <c>layers.3.self_attn.q_proj.weight</c>, <c>embed_tokens.weight</c>, <c>norm.weight</c>, <c>lm_head.weight</c>.
/// </summary>
internal interface ITensorNames
{
    /// <summary>The file's name for a canonical one, or null when the format has no such tensor.</summary>
    string? Find(string canonical);
}

/// <summary>Names of transformers checkpoints: a prefix before everything but the output matrix.</summary>
internal sealed class HuggingFaceNames : ITensorNames
{
    private static readonly string[] _prefixes = ["model.", "model.language_model.", "language_model.model.", ""];
    private readonly string _prefix;
    private readonly string _head;

    /// <summary>Finds the prefix by the embedding's name.</summary>
    public HuggingFaceNames(IReadOnlyCollection<string> names)
    {
        HashSet<string> known = [.. names];
        _prefix = _prefixes.FirstOrDefault(prefix => known.Contains(prefix + "embed_tokens.weight")) ?? "model.";
        _head = known.Contains("language_model.lm_head.weight") ? "language_model." : "";
    }

    /// <inheritdoc/>
    public string? Find(string canonical) => canonical.StartsWith("lm_head.", StringComparison.Ordinal) ? _head + canonical : _prefix + canonical;
}

/// <summary>Names given by a table of stems; what follows the stem (<c>.weight</c>, <c>.bias</c>) stays.</summary>
/// <param name="layerPrefix">Stands before the layer's number: <c>blk.</c>.</param>
/// <param name="stems">Canonical stem to the file's, those of layers without the layer's prefix.</param>
internal sealed class TableNames(string layerPrefix, IReadOnlyDictionary<string, string> stems) : ITensorNames
{
    /// <inheritdoc/>
    public string? Find(string canonical)
    {
        string layer = "", rest = canonical;
        if (canonical.StartsWith("layers.", StringComparison.Ordinal))
        {
            int dot = canonical.IndexOf('.', 7);
            layer = $"{layerPrefix}{canonical.AsSpan(7, dot - 7)}.";
            rest = canonical[(dot + 1)..];
        }

        if (stems.TryGetValue(rest, out string? whole))
            return layer + whole;
        int last = rest.LastIndexOf('.');
        return last > 0 && stems.TryGetValue(rest[..last], out string? stem) ? $"{layer}{stem}{rest.AsSpan(last)}" : null;
    }
}
