using Glimmer.Models.Configuration;

namespace Glimmer.Models.Architectures;

/// <summary>The architectures this build runs.</summary>
internal static class ArchitectureCatalogue
{
    private static readonly Architecture[] _all = [new ChatGlm(), new Glm(), new Glm4(), new Glm4Moe(), new Glm4MoeLite(), new GlmMoeDsa()];

    /// <summary>All of them.</summary>
    public static IReadOnlyList<Architecture> All => _all;

    /// <summary>Finds the architecture of a <c>config.json</c>.</summary>
    public static Architecture ForModelType(ConfigFields fields, string modelType) =>
        _all.FirstOrDefault(architecture => architecture.ModelTypes.Contains(modelType, StringComparer.Ordinal))
        ?? throw Unknown(fields.File, "model_type", modelType, _all.SelectMany(architecture => architecture.ModelTypes));

    /// <summary>Finds the architecture of a GGUF file.</summary>
    public static Architecture ForGguf(string file, string name) =>
        _all.FirstOrDefault(architecture => architecture.GgufArchitectures.Contains(name, StringComparer.Ordinal))
        ?? throw Unknown(file, "general.architecture", name, _all.SelectMany(architecture => architecture.GgufArchitectures));

    private static ModelFileException Unknown(string file, string key, string name, IEnumerable<string> known)
    {
        string shown = name.Length <= 80 ? name : name[..80] + "…";
        return new ModelFileException(file, $"\"{key}\" is \"{shown}\", which is not supported; supported are {string.Join(", ", known.Order(StringComparer.Ordinal))}.");
    }
}
