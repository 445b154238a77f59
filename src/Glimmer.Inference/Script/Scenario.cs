namespace Glimmer.Inference.Script;

/// <summary>What a script backend says to whom. Read it with <see cref="ScenarioReader"/>.</summary>
public sealed record Scenario
{
    /// <summary>Model codes it answers for; the first is the one that stands in for others.</summary>
    public IReadOnlyList<string> Models { get; init; } = ["glm-4.7"];

    /// <summary>The chat generation in which prompts are rendered and answers are written.</summary>
    public string Generation { get; init; } = "glm-4.7";

    /// <summary>Seed of what is random: jitter of delays, vectors, ids of answers. Null for the emulator's own.</summary>
    public ulong? Seed { get; init; }

    /// <summary>Whether a request that no rule and no recording matches is an error even where there is a fallback, and counts against the run.</summary>
    public bool Strict { get; init; }

    /// <summary>The rules; the first that matches and is not used up answers.</summary>
    public IReadOnlyList<ScenarioRule> Rules { get; init; } = [];

    /// <summary>The answer when no rule matches; null makes that an error which names the nearest rule.</summary>
    public ScriptedReply? Fallback { get; init; }

    /// <summary>How many requests are let through in some time; the first that is exceeded refuses.</summary>
    public IReadOnlyList<ScenarioLimit> Limits { get; init; } = [];

    /// <summary>Models that make vectors.</summary>
    public IReadOnlyList<ScriptedEmbeddings> Embeddings { get; init; } = [];

    /// <summary>Answers that were recorded; they come after the rules and before the fallback.</summary>
    public IReadOnlyList<Recording> Recordings { get; init; } = [];

    /// <summary>Whether recorded answers are said at the pace at which they were recorded; else as fast as they are read.</summary>
    public bool RecordedPace { get; init; }
}

/// <summary>An answer and when to give it.</summary>
/// <param name="Name">For messages; "rule 3" when the file gives none.</param>
/// <param name="When">What the request must be like.</param>
/// <param name="Times">How often it answers; null for always.</param>
/// <param name="Reply">The answer.</param>
public sealed record ScenarioRule(string Name, RequestPattern When, int? Times, ScriptedReply Reply)
{
    /// <summary>What it says from its second answer on, one after the other; the last of them stays. Empty where it always says the same.</summary>
    public IReadOnlyList<ScriptedReply> Sequel { get; init; } = [];

    /// <summary>How often it must have answered when the run is judged; null where that does not matter.</summary>
    public Expectation? Expect { get; init; }
}

/// <summary>How often a rule must answer.</summary>
/// <param name="AtLeast">Fewest times.</param>
/// <param name="AtMost">Most times; null for no bound.</param>
public sealed record Expectation(int AtLeast, int? AtMost)
{
    /// <summary>Whether a number of uses is as expected.</summary>
    public bool Holds(int uses) => uses >= AtLeast && !(uses > AtMost);

    /// <inheritdoc/>
    public override string ToString() => AtMost switch
    {
        null => $"at least {AtLeast}",
        { } most when most == AtLeast => $"{AtLeast}",
        { } most => $"{AtLeast} to {most}",
    };
}

/// <summary>How many chat requests are let through in some time.</summary>
/// <param name="Name">For messages; "limit 2" when the file gives none.</param>
/// <param name="Requests">Most requests in <paramref name="Window"/>.</param>
/// <param name="Window">Any stretch of this length, at least a millisecond.</param>
/// <param name="Models">Codes it counts, in any case; null for all.</param>
/// <param name="Per">Who shares one count.</param>
/// <param name="Error">What is answered beyond it; without a time of its own it says when the next request is let through.</param>
public sealed record ScenarioLimit(string Name, int Requests, TimeSpan Window, IReadOnlyList<string>? Models, LimitScope Per, ScriptedError Error);

/// <summary>Who shares the count of a limit.</summary>
public enum LimitScope
{
    /// <summary>Each key has a count of its own.</summary>
    Key,

    /// <summary>Each end user that a client names has one; requests that name none share one.</summary>
    User,

    /// <summary>All requests are counted together.</summary>
    All,
}

/// <summary>A model that makes vectors.</summary>
/// <param name="Model">Code it answers for.</param>
/// <param name="Dimensions">Numbers of a vector.</param>
/// <param name="Vectors">Given vectors: the first whose condition a text meets is its vector; every other text has one that follows from it and the seed.</param>
public sealed record ScriptedEmbeddings(string Model, int Dimensions, IReadOnlyList<ScriptedVector> Vectors);

/// <summary>A given vector.</summary>
/// <param name="Text">Which texts have it.</param>
/// <param name="Vector">The numbers, as they are told.</param>
public sealed record ScriptedVector(TextPattern Text, float[] Vector);
