using System.Diagnostics.CodeAnalysis;

namespace Glimmer.Dialogue.Generations;

/// <summary>The generations that this build knows.</summary>
public static class Generations
{
    /// <summary>All of them, oldest first.</summary>
    public static IReadOnlyList<Generation> All { get; } =
    [
        new GlmEdge(),
        new Glm4Chat(),
        new Glm40414(),
        new GlmZ1(),
        new Glm41V(),
        new GlmAsr(),
        new Glm4Voice(),
        new Glm45(),
        new Glm45V(),
        new GlmOcr(),
        new Glm47("glm-4.7"),
        new Glm47("glm-5"),
        new Glm51(),
        new Glm52(),
        new Glm53("glm-5.3", seesMedia: false),
        new Glm53("glm-5.3-flash", seesMedia: true),
    ];

    private static readonly Dictionary<string, Generation> ByName = All.ToDictionary(generation => generation.Name, StringComparer.Ordinal);

    /// <summary>The generation of that name.</summary>
    /// <exception cref="ArgumentException">There is none; the message lists the names.</exception>
    public static Generation ForName(string name) =>
        TryGet(name, out Generation? generation)
            ? generation
            : throw new ArgumentException($"No GLM generation is called '{name}'. Known: {string.Join(", ", All)}.", nameof(name));

    /// <summary>The generation of that name, when there is one.</summary>
    public static bool TryGet(string name, [NotNullWhen(true)] out Generation? generation) => ByName.TryGetValue(name, out generation);
}
