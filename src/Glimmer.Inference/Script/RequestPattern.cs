using Glimmer.Dialogue.Conversations;

namespace Glimmer.Inference.Script;

/// <summary>What a request must be like. Every condition that is given must hold.</summary>
public sealed record RequestPattern
{
    /// <summary>Model codes, in any case; null for any.</summary>
    public IReadOnlyList<string>? Models { get; init; }

    /// <summary>Dialects (<see cref="RequestOrigin.Dialect"/>); null for any.</summary>
    public IReadOnlyList<string>? Dialects { get; init; }

    /// <summary>The path of the endpoint.</summary>
    public TextPattern? Path { get; init; }

    /// <summary>Headers and what their values must be like; null for one that must not be there.</summary>
    public IReadOnlyList<(string Name, TextPattern? Value)> Headers { get; init; } = [];

    /// <summary>The client's end user; requests that name none do not match.</summary>
    public TextPattern? EndUser { get; init; }

    /// <summary>Whether the answer is streamed.</summary>
    public bool? Stream { get; init; }

    /// <summary>The text of the last message.</summary>
    public TextPattern? Last { get; init; }

    /// <summary>Whose message the last one is.</summary>
    public ChatRole? LastRole { get; init; }

    /// <summary>The text of the last message of the user.</summary>
    public TextPattern? User { get; init; }

    /// <summary>The text of any message, whoever's it is.</summary>
    public TextPattern? Any { get; init; }

    /// <summary>The text of all system messages.</summary>
    public TextPattern? System { get; init; }

    /// <summary>How many messages the conversation holds, the system's among them.</summary>
    public int? Messages { get; init; }

    /// <summary>How many messages of the model the conversation holds.</summary>
    public int? Turn { get; init; }

    /// <summary>A tool that must be offered.</summary>
    public string? Tool { get; init; }

    /// <summary>How many tools must be offered.</summary>
    public int? ToolCount { get; init; }

    /// <summary>The rule for tool calls.</summary>
    public ToolChoiceMode? ToolChoice { get; init; }

    /// <summary>The tool whose result the last message is.</summary>
    public string? ResultOf { get; init; }

    /// <summary>Whether the model may think.</summary>
    public bool? Thinking { get; init; }

    /// <summary>The temperature in force, the model's own where the request gives none; 0 for the most likely token always.</summary>
    public double? Temperature { get; init; }

    /// <summary>The token limit in force, the model's own where the request gives none.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>The seed of the request.</summary>
    public ulong? Seed { get; init; }

    /// <summary>What the answer must look like.</summary>
    public AnswerFormatKind? Format { get; init; }
}

/// <summary>A condition beside what a request was like.</summary>
/// <param name="Condition">Its key in the scenario.</param>
/// <param name="Expected">What it wants, cut to a bound.</param>
/// <param name="Actual">What there was, cut to a bound.</param>
/// <param name="Held">Whether it held.</param>
public sealed record PatternCheck(string Condition, string Expected, string Actual, bool Held)
{
    /// <inheritdoc/>
    public override string ToString() => Held ? $"+ {Condition}: {Expected}" : $"- {Condition}: expected {Expected}, actual {Actual}";
}
