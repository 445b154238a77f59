using Glimmer.Dialogue.Conversations;

namespace Glimmer.Dialogue.Constraints.Tools;

/// <summary>Whether calls must be made.</summary>
public enum ToolCallMode
{
    /// <summary>The model answers or calls, as it likes; calls are well-formed.</summary>
    Auto,

    /// <summary>At least one call.</summary>
    Required,
}

/// <summary>What a request demands of tool calls.</summary>
public sealed record ToolCallDemand
{
    /// <summary>The tools that may be called, at least one; for a named choice that one alone.</summary>
    public required IReadOnlyList<ToolDefinition> Tools { get; init; }

    /// <summary>Place of the first of them among the request's tools; JSON pointers in errors count from there.</summary>
    public int FirstIndex { get; init; }

    /// <summary>Whether calls must be made.</summary>
    public required ToolCallMode Mode { get; init; }

    /// <summary>Whether one turn may hold several calls.</summary>
    public bool Parallel { get; init; } = true;

    /// <summary>For <see cref="ToolCallMode.Auto"/>: what an answer instead of calls must look like; null for any text, which may also come before calls.</summary>
    public TextGrammar? Answer { get; init; }

    /// <summary>Identifies <see cref="Answer"/> among the requests that share a compiler; requests with equal keys have equal answers.</summary>
    public string AnswerKey { get; init; } = "";
}
