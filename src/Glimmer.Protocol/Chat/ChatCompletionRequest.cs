using System.Text.Json;
using Glimmer.Protocol.Errors;

namespace Glimmer.Protocol.Chat;

/// <summary>
/// Body of <c>POST /chat/completions</c> (spec: api.md §6.1) after coercions and range checks, before anything is known of
/// the model. Absent fields are null, or have the platform's default where it is the same for every model.
/// </summary>
public sealed record ChatCompletionRequest
{
    /// <summary>The dialect it came in. Limits that only the platform's own bases have hold for those alone.</summary>
    public WireDialect Dialect { get; init; }

    /// <summary>Model code as sent.</summary>
    public required string Model { get; init; }

    /// <summary>Messages, at least one of the user or of a tool.</summary>
    public required IReadOnlyList<WireMessage> Messages { get; init; }

    /// <summary>Whether the answer is an event stream.</summary>
    public bool Stream { get; init; }

    /// <summary><c>thinking.type</c>: true for enabled, false for disabled.</summary>
    public bool? Thinking { get; init; }

    /// <summary><c>thinking.clear_thinking</c>.</summary>
    public bool? ClearThinking { get; init; }

    /// <summary><c>thinking.budget_tokens</c>, an extension: most tokens of reasoning before the model is led to its answer.</summary>
    public int? ThinkingBudget { get; init; }

    /// <summary><c>reasoning_effort</c>: one of <see cref="ReasoningEfforts"/>.</summary>
    public string? ReasoningEffort { get; init; }

    /// <summary>False for greedy decoding.</summary>
    public bool DoSample { get; init; } = true;

    /// <summary>0 to 1 on the platform's own bases, where values above 1, which OpenAI clients may send, have become 1; 0 to 2 in OpenAI's dialect.</summary>
    public double? Temperature { get; init; }

    /// <summary>0.01 to 1.</summary>
    public double? TopP { get; init; }

    /// <summary>Keep the k most likely tokens; null or 0 for all.</summary>
    public int? TopK { get; init; }

    /// <summary>Keep tokens at least this fraction as likely as the likeliest, 0 to 1; null for all.</summary>
    public double? MinP { get; init; }

    /// <summary>Divides the logits of tokens said before, 0.01 to 10; null for none.</summary>
    public double? RepetitionPenalty { get; init; }

    /// <summary>Whether the last message is the beginning of the answer, for the model to go on with.</summary>
    public bool ContinueLast { get; init; }

    /// <summary>1 to 131072; the smaller of <c>max_tokens</c> and <c>max_completion_tokens</c>.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Seed of the random numbers.</summary>
    public long? Seed { get; init; }

    /// <summary>How many answers to give, 1 to <see cref="ChatRequestReader.MaxChoices"/>.</summary>
    public int Choices { get; init; } = 1;

    /// <summary>−2 to 2: lowers the chance of tokens said before.</summary>
    public double? PresencePenalty { get; init; }

    /// <summary>−2 to 2: lowers the chance of tokens by how often they were said.</summary>
    public double? FrequencyPenalty { get; init; }

    /// <summary>Added to the logits of single tokens of the model's own vocabulary, −100 to 100; null for none.</summary>
    public IReadOnlyDictionary<int, float>? LogitBias { get; init; }

    /// <summary>How many likely tokens to tell with each token of the answer, 0 to 20; null tells no probabilities.</summary>
    public int? TopLogProbs { get; init; }

    /// <summary>Whether a stream ends with a chunk of usage, in dialects that have it only when asked for.</summary>
    public bool IncludeUsage { get; init; }

    /// <summary>Whether functions came in OpenAI's first form (<c>functions</c>), in which calls are then answered.</summary>
    public bool LegacyFunctions { get; init; }

    /// <summary>At most four texts, none empty.</summary>
    public IReadOnlyList<string> Stop { get; init; } = [];

    /// <summary>Tools as sent, of every type.</summary>
    public IReadOnlyList<WireTool> Tools { get; init; } = [];

    /// <summary>Whether and which tools must be called.</summary>
    public WireToolChoice ToolChoice { get; init; } = new("auto", null);

    /// <summary>Whether one answer may hold several calls.</summary>
    public bool ParallelToolCalls { get; init; } = true;

    /// <summary>Whether a stream carries the arguments of calls in pieces.</summary>
    public bool ToolStream { get; init; }

    /// <summary>What the answer must look like.</summary>
    public WireResponseFormat ResponseFormat { get; init; } = new("text", null, false);

    /// <summary>The client's id of the request, 6 to 64 characters.</summary>
    public string? RequestId { get; init; }

    /// <summary>The end user, 6 to 128 characters.</summary>
    public string? UserId { get; init; }

    /// <summary>Persona of role-play models.</summary>
    public WirePersona? Meta { get; init; }

    /// <summary>Code to complete, for code models.</summary>
    public WireCodeTarget? Extra { get; init; }

    /// <summary>What is gone on with as it stands, without a template; null for <see cref="Messages"/>, which is then empty.</summary>
    public WireRawPrompt? Raw { get; init; }

    /// <summary>Effort levels that the platform knows.</summary>
    public static IReadOnlyList<string> ReasoningEfforts { get; } = ["max", "xhigh", "high", "medium", "low", "minimal", "none"];
}

/// <summary>Roles on the wire; <c>developer</c> has become <see cref="System"/>, <c>function</c> <see cref="Tool"/>.</summary>
public enum WireRole
{
    /// <summary>Instructions.</summary>
    System,

    /// <summary>The person.</summary>
    User,

    /// <summary>The model.</summary>
    Assistant,

    /// <summary>The result of a call.</summary>
    Tool,
}

/// <summary>One message.</summary>
/// <param name="Role">Who speaks.</param>
/// <param name="Parts">Its parts; empty for none.</param>
public sealed record WireMessage(WireRole Role, IReadOnlyList<WirePart> Parts)
{
    /// <summary>Earlier reasoning that the client returns; null when not given.</summary>
    public string? ReasoningContent { get; init; }

    /// <summary>Calls the model made.</summary>
    public IReadOnlyList<WireToolCall> ToolCalls { get; init; } = [];

    /// <summary>The call that a tool message answers; null when not given.</summary>
    public string? ToolCallId { get; init; }
}

/// <summary>Kinds of content parts.</summary>
public enum WirePartKind
{
    /// <summary>Text.</summary>
    Text,

    /// <summary>A picture: address, data URI or bare base64.</summary>
    Image,

    /// <summary>A film.</summary>
    Video,

    /// <summary>Sound as base64.</summary>
    Audio,

    /// <summary>A document.</summary>
    File,

    /// <summary>One output of a tool.</summary>
    ToolOutput,

    /// <summary>The name of a tool to show again.</summary>
    ToolReference,
}

/// <summary>A part of a message.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Value">Text, address or data.</param>
/// <param name="Field">Its path, for errors found later; empty for text.</param>
public readonly record struct WirePart(WirePartKind Kind, string Value, string Field = "");

/// <summary>A call in an assistant message.</summary>
/// <param name="Id">Its id; empty when the client sent none.</param>
/// <param name="Name">Function.</param>
/// <param name="Arguments">JSON text.</param>
public sealed record WireToolCall(string Id, string Name, string Arguments);

/// <summary>A tool.</summary>
/// <param name="Type"><c>function</c>, <c>web_search</c>, <c>retrieval</c>, <c>mcp</c> …</param>
/// <param name="Name">Function name; empty for other types.</param>
/// <param name="Json">The whole object, detached from the body.</param>
/// <param name="Field">Its path.</param>
public sealed record WireTool(string Type, string Name, JsonElement Json, string Field);

/// <summary>The rule for calls.</summary>
/// <param name="Mode"><c>auto</c>, <c>none</c>, <c>required</c> or <c>function</c>.</param>
/// <param name="Name">The function, for <c>function</c>.</param>
public sealed record WireToolChoice(string Mode, string? Name);

/// <summary>The form of the answer.</summary>
/// <param name="Type"><c>text</c>, <c>json_object</c>, <c>json_schema</c>, <c>regex</c> or <c>grammar</c>.</param>
/// <param name="Schema">The schema, detached from the body.</param>
/// <param name="Strict">Whether a keyword that cannot be enforced is an error.</param>
/// <param name="Source">The expression or the grammar, for <c>regex</c> and <c>grammar</c>.</param>
public sealed record WireResponseFormat(string Type, JsonElement? Schema, bool Strict, string? Source = null);

/// <summary>A prompt that no template touches.</summary>
/// <param name="Text">Text; empty when there are ids.</param>
/// <param name="Tokens">Token ids, at least one; null for the text.</param>
/// <param name="Suffix">What comes after the gap to fill; null for nothing.</param>
/// <param name="Field">Path of the field it came in.</param>
public sealed record WireRawPrompt(string Text, IReadOnlyList<int>? Tokens, string? Suffix, string Field);

/// <summary>Persona of role-play models (<c>meta</c>).</summary>
/// <param name="UserInfo">Who the user is.</param>
/// <param name="BotInfo">Who the bot is.</param>
/// <param name="BotName">The bot's name.</param>
/// <param name="UserName">The user's name.</param>
public sealed record WirePersona(string UserInfo, string BotInfo, string BotName, string UserName);

/// <summary>Code to complete (<c>extra.target</c>).</summary>
/// <param name="Path">File; null when not given.</param>
/// <param name="Language">Programming language.</param>
/// <param name="Prefix">Code before the gap.</param>
/// <param name="Suffix">Code after the gap.</param>
public sealed record WireCodeTarget(string? Path, string Language, string Prefix, string Suffix);
