using System.Text.Json;
using System.Text.Json.Serialization;

namespace Glimmer.Client;

/// <summary>An answer (spec: api.md §6.6).</summary>
public sealed record Completion : WireObject
{
    /// <summary>Id of the answer.</summary>
    public string Id
    {
        get => field ?? "";
        init;
    }

    /// <summary>Id of the request.</summary>
    public string? RequestId { get; init; }

    /// <summary>Unix seconds.</summary>
    public long Created { get; init; }

    /// <summary>Model code.</summary>
    public string Model
    {
        get => field ?? "";
        init;
    }

    /// <summary><c>chat.completion</c>, where told.</summary>
    public string? Object { get; init; }

    /// <summary>The answers.</summary>
    public IReadOnlyList<Choice> Choices
    {
        get => field ?? [];
        init;
    }

    /// <summary>What it cost.</summary>
    public Usage? Usage { get; init; }

    /// <summary>State of an asynchronous task: <c>PROCESSING</c>, <c>SUCCESS</c> or <c>FAIL</c>; null for a direct answer.</summary>
    public string? TaskStatus { get; init; }

    /// <summary>Reads an answer as the wire has it.</summary>
    /// <param name="utf8">JSON in UTF-8.</param>
    /// <exception cref="JsonException">It is no answer.</exception>
    public static Completion Parse(ReadOnlySpan<byte> utf8) =>
        JsonSerializer.Deserialize(utf8, ClientJson.Default.Completion) ?? throw new JsonException("The answer is null.");

    /// <summary>The first answer's message; null when there is none.</summary>
    [JsonIgnore]
    public Message? Message => Choices.Count > 0 ? Choices[0].Message : null;

    /// <summary>The first answer's text; empty when there is none.</summary>
    [JsonIgnore]
    public string Text => Message?.Content?.Text ?? "";

    /// <summary>Why the first answer ended.</summary>
    [JsonIgnore]
    public string? FinishReason => Choices.Count > 0 ? Choices[0].FinishReason : null;
}

/// <summary>One answer of several.</summary>
public sealed record Choice : WireObject
{
    /// <summary>Its place.</summary>
    public int Index { get; init; }

    /// <summary><c>stop</c>, <c>tool_calls</c>, <c>length</c>, <c>sensitive</c>, <c>network_error</c> or <c>model_context_window_exceeded</c>.</summary>
    public string? FinishReason { get; init; }

    /// <summary>What was said.</summary>
    public Message? Message { get; init; }
}

/// <summary>What an answer cost, in tokens.</summary>
public sealed record Usage : WireObject
{
    /// <summary>Tokens of the prompt.</summary>
    public int PromptTokens { get; init; }

    /// <summary>Tokens generated, reasoning included.</summary>
    public int CompletionTokens { get; init; }

    /// <summary>Both.</summary>
    public int TotalTokens { get; init; }

    /// <summary>Of the prompt's tokens, those reused from the cache.</summary>
    public PromptTokensDetails? PromptTokensDetails { get; init; }

    /// <summary>Of the generated tokens, those of reasoning.</summary>
    public CompletionTokensDetails? CompletionTokensDetails { get; init; }
}

/// <summary>Details of the prompt's tokens.</summary>
public sealed record PromptTokensDetails
{
    /// <summary>Tokens reused from the cache.</summary>
    public int CachedTokens { get; init; }
}

/// <summary>Details of the generated tokens.</summary>
public sealed record CompletionTokensDetails
{
    /// <summary>Tokens of reasoning.</summary>
    public int ReasoningTokens { get; init; }
}

/// <summary>A piece of a streamed answer (spec: api.md §6.7).</summary>
public sealed record CompletionChunk : WireObject
{
    /// <summary>Id of the answer.</summary>
    public string Id
    {
        get => field ?? "";
        init;
    }

    /// <summary>Id of the request.</summary>
    public string? RequestId { get; init; }

    /// <summary>Unix seconds.</summary>
    public long Created { get; init; }

    /// <summary>Model code.</summary>
    public string Model
    {
        get => field ?? "";
        init;
    }

    /// <summary><c>chat.completion.chunk</c>, where told.</summary>
    public string? Object { get; init; }

    /// <summary>What each answer goes on with.</summary>
    public IReadOnlyList<ChunkChoice> Choices
    {
        get => field ?? [];
        init;
    }

    /// <summary>What it cost; on the last chunk.</summary>
    public Usage? Usage { get; init; }

    /// <summary>Reads a chunk as the wire has it.</summary>
    /// <param name="json">Data of one event.</param>
    /// <exception cref="JsonException">It is no chunk.</exception>
    public static CompletionChunk Parse(string json) =>
        JsonSerializer.Deserialize(json, ClientJson.Default.CompletionChunk) ?? throw new JsonException("The chunk is null.");

    /// <summary>The first answer's piece of text; empty for none.</summary>
    [JsonIgnore]
    public string Content => Choices.Count > 0 ? Choices[0].Delta?.Content ?? "" : "";

    /// <summary>The first answer's piece of reasoning; empty for none.</summary>
    [JsonIgnore]
    public string Reasoning => Choices.Count > 0 ? Choices[0].Delta?.ReasoningContent ?? "" : "";

    /// <summary>The first answer's pieces of calls.</summary>
    [JsonIgnore]
    public IReadOnlyList<ToolCall> ToolCalls => Choices.Count > 0 ? Choices[0].Delta?.ToolCalls ?? [] : [];

    /// <summary>Why the first answer ended; null before its end.</summary>
    [JsonIgnore]
    public string? FinishReason => Choices.Count > 0 ? Choices[0].FinishReason : null;
}

/// <summary>A piece of one answer.</summary>
public sealed record ChunkChoice : WireObject
{
    /// <summary>The answer's place.</summary>
    public int Index { get; init; }

    /// <summary>What it goes on with.</summary>
    public Delta? Delta { get; init; }

    /// <summary>Why it ended; null before its end.</summary>
    public string? FinishReason { get; init; }
}

/// <summary>A piece of a message.</summary>
public sealed record Delta : WireObject
{
    /// <summary><c>assistant</c>.</summary>
    public string? Role { get; init; }

    /// <summary>A piece of text.</summary>
    public string? Content { get; init; }

    /// <summary>A piece of reasoning.</summary>
    public string? ReasoningContent { get; init; }

    /// <summary>Pieces of calls; those of one call have one index.</summary>
    public IReadOnlyList<ToolCall>? ToolCalls { get; init; }
}
