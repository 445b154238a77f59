using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Glimmer.Client;

/// <summary>What to ask a chat model (spec: api.md §6.1). Fields left null are not sent: the model's default holds.</summary>
public sealed record CompletionRequest : WireObject
{
    /// <summary>Model code, e.g. <c>glm-5</c>.</summary>
    public required string Model { get; init; }

    /// <summary>The conversation, oldest first; at least one message.</summary>
    public required IReadOnlyList<Message> Messages { get; init; }

    /// <summary>Whether the answer is streamed; set by the method that sends the request.</summary>
    public bool? Stream { get; init; }

    /// <summary>Whether the model thinks, and whether earlier reasoning is dropped.</summary>
    public Thinking? Thinking { get; init; }

    /// <summary><c>max</c>, <c>xhigh</c>, <c>high</c>, <c>medium</c>, <c>low</c>, <c>minimal</c> or <c>none</c>.</summary>
    public string? ReasoningEffort { get; init; }

    /// <summary>False for the most likely token always.</summary>
    public bool? DoSample { get; init; }

    /// <summary>0 to 1.</summary>
    public double? Temperature { get; init; }

    /// <summary>0.01 to 1.</summary>
    public double? TopP { get; init; }

    /// <summary>Most tokens of reasoning and answer.</summary>
    public int? MaxTokens { get; init; }

    /// <summary>Seed of the sampling.</summary>
    public long? Seed { get; init; }

    /// <summary>Texts that end the answer.</summary>
    public IReadOnlyList<string>? Stop { get; init; }

    /// <summary>Tools that the model may call.</summary>
    public IReadOnlyList<Tool>? Tools { get; init; }

    /// <summary>Whether and which tools must be called.</summary>
    public ToolChoice? ToolChoice { get; init; }

    /// <summary>Whether the arguments of calls are streamed piece by piece.</summary>
    public bool? ToolStream { get; init; }

    /// <summary>Whether one answer may hold several calls.</summary>
    public bool? ParallelToolCalls { get; init; }

    /// <summary>What the answer must look like.</summary>
    public ResponseFormat? ResponseFormat { get; init; }

    /// <summary>Persona of the role-play models.</summary>
    public Persona? Meta { get; init; }

    /// <summary>Code to complete, for the code models: <c>{target:{…}, contexts:[…]}</c>. (The field is named <c>extra</c>.)</summary>
    [JsonPropertyName("extra")]
    public JsonObject? CodeTarget { get; init; }

    /// <summary>6 to 64 characters. The client makes one when there is none, so that a retry is never run twice.</summary>
    public string? RequestId { get; init; }

    /// <summary>The end user, 6 to 128 characters.</summary>
    public string? UserId { get; init; }

    /// <summary>Moderation: <c>{"type":"ALL","status":"ENABLE"}</c>.</summary>
    public JsonObject? SensitiveWordCheck { get; init; }

    /// <summary>Whether made media carry a watermark.</summary>
    public bool? WatermarkEnabled { get; init; }

    /// <summary>Options of a stream.</summary>
    public StreamOptions? StreamOptions { get; init; }

    /// <summary>How many answers (extension of this server).</summary>
    public int? N { get; init; }

    /// <summary>Whether each token's probability is told (extension of this server).</summary>
    public bool? Logprobs { get; init; }

    /// <summary>How many likely tokens are told with each, at most 20 (extension of this server).</summary>
    public int? TopLogprobs { get; init; }

    /// <summary>−2 to 2 (extension of this server).</summary>
    public double? PresencePenalty { get; init; }

    /// <summary>−2 to 2 (extension of this server).</summary>
    public double? FrequencyPenalty { get; init; }

    /// <summary>The request as the wire has it, in UTF-8.</summary>
    public byte[] ToUtf8Json() => ClientJson.Write(this, ClientJson.Default.CompletionRequest);
}

/// <summary>How a model thinks (spec: api.md §6.4).</summary>
public sealed record Thinking
{
    /// <summary><c>enabled</c> or <c>disabled</c>.</summary>
    public string? Type { get; init; }

    /// <summary>Whether reasoning of earlier turns is dropped.</summary>
    public bool? ClearThinking { get; init; }

    /// <summary>Most tokens of reasoning (extension of this server).</summary>
    public int? BudgetTokens { get; init; }

    /// <summary>The model thinks.</summary>
    public static Thinking Enabled { get; } = new() { Type = "enabled" };

    /// <summary>The model does not think.</summary>
    public static Thinking Disabled { get; } = new() { Type = "disabled" };
}

/// <summary>Options of a stream.</summary>
public sealed record StreamOptions
{
    /// <summary>Whether usage comes with the stream; native bases send it always.</summary>
    public bool? IncludeUsage { get; init; }
}

/// <summary>Persona of the role-play models.</summary>
/// <param name="UserInfo">Who the user is.</param>
/// <param name="BotInfo">Who the model is.</param>
/// <param name="BotName">The model's name.</param>
/// <param name="UserName">The user's name.</param>
public sealed record Persona(string UserInfo, string BotInfo, string BotName, string UserName);

/// <summary>What an answer must look like.</summary>
public sealed record ResponseFormat : WireObject
{
    /// <summary><c>text</c>, <c>json_object</c> or <c>json_schema</c>.</summary>
    public required string Type { get; init; }

    /// <summary>The schema, for <c>json_schema</c>.</summary>
    public JsonSchemaFormat? JsonSchema { get; init; }

    /// <summary>One JSON object.</summary>
    public static ResponseFormat JsonObject { get; } = new() { Type = "json_object" };

    /// <summary>JSON that a schema accepts.</summary>
    public static ResponseFormat Schema(string name, JsonObject schema, bool strict = false) =>
        new() { Type = "json_schema", JsonSchema = new JsonSchemaFormat(name, schema, strict) };
}

/// <summary>A schema of an answer.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Schema">JSON schema.</param>
/// <param name="Strict">Whether a keyword that cannot be enforced is an error.</param>
public sealed record JsonSchemaFormat(string Name, JsonObject Schema, bool Strict = false);
