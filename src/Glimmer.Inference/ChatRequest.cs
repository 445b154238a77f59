using System.Text.Json;
using Glimmer.Dialogue.Conversations;

namespace Glimmer.Inference;

/// <summary>What a client asks of a chat model, whatever dialect it came in.</summary>
public sealed record ChatRequest
{
    /// <summary>Model code as the catalogue spells it.</summary>
    public required string Model { get; init; }

    /// <summary>Messages, tools and template options. Tools are offered even with <see cref="ToolChoice.None"/>; the backend leaves them out.</summary>
    public required Conversation Conversation { get; init; }

    /// <summary>
    /// What the model goes on with, as it stands and without a template; null for <see cref="Conversation"/>, which otherwise holds the same text as one message, for
    /// logs and rules only. Backends take it where <see cref="IChatBackend.TakesRawPrompts"/> says so; the answer is then content alone.
    /// </summary>
    public RawPrompt? Raw { get; init; }

    /// <summary>How tokens are chosen.</summary>
    public required Glimmer.Engine.SamplingOptions Sampling { get; init; }

    /// <summary>Most tokens of reasoning and answer; null for as many as the model's limit.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Most tokens of prompt and answer together by the catalogue; null where it says none. For backends that have no model of their own to know it by.</summary>
    public int? ContextLength { get; init; }

    /// <summary>Texts that end the answer; they are not part of it.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Whether and which tools must be called.</summary>
    public ToolChoice ToolChoice { get; init; } = ToolChoice.Auto;

    /// <summary>Whether one answer may hold several calls.</summary>
    public bool ParallelToolCalls { get; init; } = true;

    /// <summary>What the answer must look like.</summary>
    public AnswerFormat Format { get; init; } = AnswerFormat.Text;

    /// <summary>Who asks, for fairness between tenants.</summary>
    public string Tenant { get; init; } = "";

    /// <summary>How many of the most likely tokens to tell with each token of the answer, 0 for the said one alone, at most 20; null tells none.</summary>
    public int? TopLogProbs { get; init; }

    /// <summary>Most tokens of reasoning; null for no limit of its own.</summary>
    public int? ThinkingBudget { get; init; }

    /// <summary>How it came in; null for requests of this process.</summary>
    public RequestOrigin? Origin { get; init; }
}

/// <summary>Whether tools must be called.</summary>
/// <param name="Mode">The rule.</param>
/// <param name="Name">The function, for <see cref="ToolChoiceMode.Named"/>.</param>
public sealed record ToolChoice(ToolChoiceMode Mode, string? Name = null)
{
    /// <summary>The model decides.</summary>
    public static ToolChoice Auto { get; } = new(ToolChoiceMode.Auto);

    /// <summary>No calls.</summary>
    public static ToolChoice None { get; } = new(ToolChoiceMode.None);

    /// <summary>At least one call.</summary>
    public static ToolChoice Required { get; } = new(ToolChoiceMode.Required);
}

/// <summary>Rules for tool calls.</summary>
public enum ToolChoiceMode
{
    /// <summary>The model decides.</summary>
    Auto,

    /// <summary>No calls.</summary>
    None,

    /// <summary>At least one call.</summary>
    Required,

    /// <summary>A call of one named function.</summary>
    Named,
}

/// <summary>What the answer must look like.</summary>
/// <param name="Kind">The form.</param>
/// <param name="Schema">The JSON schema, for <see cref="AnswerFormatKind.JsonSchema"/>.</param>
/// <param name="Strict">Whether a keyword that cannot be enforced is an error.</param>
/// <param name="Source">The expression or the grammar, for <see cref="AnswerFormatKind.Regex"/> and <see cref="AnswerFormatKind.Grammar"/>.</param>
public sealed record AnswerFormat(AnswerFormatKind Kind, JsonElement? Schema = null, bool Strict = false, string? Source = null)
{
    /// <summary>Anything.</summary>
    public static AnswerFormat Text { get; } = new(AnswerFormatKind.Text);

    /// <summary>One JSON object.</summary>
    public static AnswerFormat JsonObject { get; } = new(AnswerFormatKind.JsonObject);
}

/// <summary>Forms of an answer.</summary>
public enum AnswerFormatKind
{
    /// <summary>Anything.</summary>
    Text,

    /// <summary>One JSON object.</summary>
    JsonObject,

    /// <summary>One JSON text that a schema accepts.</summary>
    JsonSchema,

    /// <summary>A text that a regular expression (ECMA-262 without look-around and back-references) matches from end to end.</summary>
    Regex,

    /// <summary>A text of a grammar in GBNF notation.</summary>
    Grammar,
}
