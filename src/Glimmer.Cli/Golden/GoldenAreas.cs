namespace Glimmer.Cli.Golden;

/// <summary>The forms of golden data this build can run.</summary>
public static class GoldenAreas
{
    /// <summary>In the order they are tried.</summary>
    public static IReadOnlyList<IGoldenArea> All { get; } =
    [
        new TextArea(),
        new GgufModelsArea(),
        new TokenizerArea(),
        new DialogueArea(),
        new TasksArea(),
        new QuantsArea(),
        new GrammarArea(),
        new MalformedArea(),
        new UnitsArea(),
    ];
}
