namespace Glimmer.Platform.Nodes;

/// <summary>How a node holds its lease and trades.</summary>
public sealed record SliceSettings
{
    /// <summary>What the node calls itself, for operators.</summary>
    public string Name { get; init; } = Environment.MachineName;

    /// <summary>Version of the program, for operators.</summary>
    public string Version { get; init; } = "";

    /// <summary>How long a lease runs, in the store's clock. A database that is away for less than about two thirds of it stops nobody.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(90);

    /// <summary>
    /// Part of the lease that a node does not use: it covers how much faster the store's clock may run than the node's, and by how much it
    /// may jump forwards when another server takes over.
    /// </summary>
    public double Margin { get; init; } = 0.2;

    /// <summary>How often a lease is renewed and idle units are looked for.</summary>
    public TimeSpan Beat { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long drawn tokens of a rate are good.</summary>
    public TimeSpan TokenLife { get; init; } = TimeSpan.FromSeconds(4);

    /// <summary>Shortest pause before a limit that has nothing left is asked for again; it doubles up to <see cref="Beat"/>.</summary>
    public TimeSpan DryPause { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Most limits of one exchange.</summary>
    public int BatchLimit { get; init; } = 512;

    /// <summary>
    /// How long the lease of a node runs that is alone and owns everything: for so long another that starts gets nothing when the first
    /// one died without a word and left no place that tells.
    /// </summary>
    public TimeSpan LoneLease { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The place of the process; empty when it has none of its own.</summary>
    internal string Home { get; init; } = "";

    /// <summary>Whether a node that is alone shares limits as well, so that one which is cut off can never admit beyond its lease.</summary>
    public bool AlwaysShared { get; init; }
}
