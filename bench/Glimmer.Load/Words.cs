namespace Glimmer.Load;

/// <summary>Words for prompts that differ from each other.</summary>
internal static class Words
{
    private static readonly string[] _words = ["river", "stone", "lamp", "garden", "winter", "paper", "window", "engine", "cloud", "bread", "letter", "forest", "music", "bridge", "clock", "harbour"];

    public static string At(int index) => _words[index % _words.Length];

    /// <summary>A word no other index gives.</summary>
    public static string Number(int index) => $"{At(index * 7 + 3)}{index}";
}
