using System.Text.Json;

namespace Glimmer.Inference.Script;

/// <summary>What a script backend says to whom. Read it with <see cref="ScenarioReader"/>.</summary>
public sealed record Scenario
{
    /// <summary>Model codes it answers for; the first is the one that stands in for others.</summary>
    public IReadOnlyList<string> Models { get; init; } = ["glm-4.7"];

    /// <summary>The chat generation in which prompts are rendered and answers are written.</summary>
    public string Generation { get; init; } = "glm-4.7";

    /// <summary>The rules; the first that matches and is not used up answers.</summary>
    public IReadOnlyList<ScenarioRule> Rules { get; init; } = [];

    /// <summary>The answer when no rule matches; null makes that an error which names the nearest rule.</summary>
    public ScriptedReply? Fallback { get; init; }
}

/// <summary>An answer and when to give it.</summary>
/// <param name="Name">For messages; "rule 3" when the file gives none.</param>
/// <param name="When">What the request must be like.</param>
/// <param name="Times">How often it answers; null for always.</param>
/// <param name="Reply">The answer.</param>
public sealed record ScenarioRule(string Name, RequestPattern When, int? Times, ScriptedReply Reply);

/// <summary>What a request must be like. Every condition that is given must hold.</summary>
public sealed record RequestPattern
{
    /// <summary>Model codes, in any case; null for any.</summary>
    public IReadOnlyList<string>? Models { get; init; }

    /// <summary>The text of the last message.</summary>
    public TextPattern? Last { get; init; }

    /// <summary>The text of the last message of the user.</summary>
    public TextPattern? User { get; init; }

    /// <summary>The text of all system messages.</summary>
    public TextPattern? System { get; init; }

    /// <summary>How many messages of the model the conversation holds.</summary>
    public int? Turn { get; init; }

    /// <summary>A tool that must be offered.</summary>
    public string? Tool { get; init; }

    /// <summary>The tool whose result the last message is.</summary>
    public string? ResultOf { get; init; }

    /// <summary>Whether the model may think.</summary>
    public bool? Thinking { get; init; }
}

/// <summary>What a scripted model says.</summary>
public sealed record ScriptedReply
{
    /// <summary>What it thinks first; left out where the request switched thinking off.</summary>
    public string? Thinking { get; init; }

    /// <summary>What it says.</summary>
    public string? Text { get; init; }

    /// <summary>The functions it calls then.</summary>
    public IReadOnlyList<ScriptedCall> ToolCalls { get; init; } = [];

    /// <summary>
    /// The model's output as it comes, tags included, instead of the three above: for output that a well-behaved model would not write.
    /// </summary>
    public string? Raw { get; init; }

    /// <summary>How often <see cref="Text"/> is said; for long answers.</summary>
    public int Repeat { get; init; } = 1;

    /// <summary>Why it ends when it has said everything.</summary>
    public ScriptedEnd End { get; init; } = ScriptedEnd.Stop;

    /// <summary>An error instead of an answer.</summary>
    public ScriptedError? Error { get; init; }

    /// <summary>Time before the first token.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>Tokens per second; 0 for as fast as they are read.</summary>
    public double Rate { get; init; }

    /// <summary>The backend fails after so many tokens; null for never.</summary>
    public int? CutAfter { get; init; }

    /// <summary>Tokens of the prompt that count as found in the cache, at most all but one.</summary>
    public int CachedTokens { get; init; }
}

/// <summary>Ways to end.</summary>
public enum ScriptedEnd
{
    /// <summary>The model ends its turn.</summary>
    Stop,

    /// <summary>The token limit is reached, whatever the request says.</summary>
    Length,

    /// <summary>Moderation ends it.</summary>
    Sensitive,
}

/// <summary>A call that a scripted model makes.</summary>
/// <param name="Name">Function name.</param>
/// <param name="Arguments">Its arguments, an object.</param>
public sealed record ScriptedCall(string Name, JsonElement Arguments);

/// <summary>An error that a scripted backend gives.</summary>
/// <param name="Code">Business code.</param>
/// <param name="Message">For people; null for the code's usual one.</param>
/// <param name="RetryAfter">When to try again; null for nothing.</param>
public sealed record ScriptedError(Glimmer.Protocol.Errors.BusinessCode Code, string? Message, TimeSpan? RetryAfter);
