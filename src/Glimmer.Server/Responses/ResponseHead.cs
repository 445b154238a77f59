using System.Text.Json;
using Glimmer.Inference;
using Glimmer.Protocol.OpenAI;

namespace Glimmer.Server.Responses;

/// <summary>What is known of a response from its beginning.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Created">When it was asked for.</param>
/// <param name="Model">Code of the catalogue.</param>
/// <param name="Request">The request as read.</param>
/// <param name="Chat">The request as the backend gets it.</param>
/// <param name="Stored">Whether it is kept in the store.</param>
/// <param name="Seal">Seals reasoning; null when that was not asked for.</param>
internal sealed record ResponseHead(
    string Id, DateTimeOffset Created, string Model, ResponsesRequest Request, ChatRequest Chat, bool Stored, Func<string, string>? Seal)
{
    /// <summary>Whether there is reasoning to show.</summary>
    public bool ShowsReasoning => Chat.Conversation.Options.EnableThinking != false;

    /// <summary>Writes a response in one of its states.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="state">The state.</param>
    public void Write(Utf8JsonWriter json, ResponseState state)
    {
        json.WriteStartObject();
        json.WriteString("id"u8, Id);
        json.WriteString("object"u8, "response"u8);
        json.WriteNumber("created_at"u8, Created.ToUnixTimeSeconds());
        json.WriteString("status"u8, state.Status);
        if (state.Completed is { } completed)
            json.WriteNumber("completed_at"u8, completed.ToUnixTimeSeconds());
        json.WriteBoolean("background"u8, Request.Background);
        WriteError(json, state.Error);
        if (state.Incomplete is { } reason)
        {
            json.WriteStartObject("incomplete_details"u8);
            json.WriteString("reason"u8, reason);
            json.WriteEndObject();
        }
        else
        {
            json.WriteNull("incomplete_details"u8);
        }

        json.WriteString("instructions"u8, Request.Instructions);
        if (Request.Chat.MaxTokens is not null && Chat.MaxTokens is { } most)
            json.WriteNumber("max_output_tokens"u8, most);
        else
            json.WriteNull("max_output_tokens"u8);
        WriteEcho(json, "max_tool_calls", "null"u8);
        json.WriteString("model"u8, Model);
        json.WriteStartArray("output"u8);
        foreach (OutputItem item in state.Output)
            item.Write(json);
        json.WriteEndArray();
        json.WriteBoolean("parallel_tool_calls"u8, Chat.ParallelToolCalls);
        json.WriteString("previous_response_id"u8, Request.PreviousResponseId);
        if (Request.ConversationId is { } conversation)
        {
            json.WriteStartObject("conversation"u8);
            json.WriteString("id"u8, conversation);
            json.WriteEndObject();
        }

        WriteEcho(json, "prompt_cache_key", "null"u8);
        WriteEcho(json, "prompt_cache_retention", "null"u8);
        WriteEcho(json, "reasoning", "{\"effort\":null,\"summary\":null}"u8);
        WriteEcho(json, "safety_identifier", "null"u8);
        json.WriteString("service_tier"u8, "default"u8);
        json.WriteBoolean("store"u8, Stored);
        json.WriteNumber("temperature"u8, Chat.Sampling.Greedy ? 0 : Chat.Sampling.Temperature);
        WriteEcho(json, "text", "{\"format\":{\"type\":\"text\"}}"u8);
        WriteEcho(json, "tool_choice", "\"auto\""u8);
        WriteEcho(json, "tools", "[]"u8);
        json.WriteNumber("top_logprobs"u8, Chat.TopLogProbs ?? 0);
        json.WriteNumber("top_p"u8, Chat.Sampling.TopP);
        json.WriteString("truncation"u8, Request.Truncates ? "auto"u8 : "disabled"u8);
        WriteUsage(json, state.Usage);
        WriteEcho(json, "user", "null"u8);
        WriteEcho(json, "metadata", "{}"u8);
        json.WriteEndObject();
    }

    private static void WriteError(Utf8JsonWriter json, (string Code, string Message)? error)
    {
        if (error is not { } known)
        {
            json.WriteNull("error"u8);
            return;
        }

        json.WriteStartObject("error"u8);
        json.WriteString("code"u8, known.Code);
        json.WriteString("message"u8, known.Message);
        json.WriteEndObject();
    }

    private static void WriteUsage(Utf8JsonWriter json, ChatUsage? usage)
    {
        if (usage is not { } known)
        {
            json.WriteNull("usage"u8);
            return;
        }

        json.WriteStartObject("usage"u8);
        json.WriteNumber("input_tokens"u8, known.PromptTokens);
        json.WriteStartObject("input_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, known.CachedTokens);
        json.WriteNumber("cache_write_tokens"u8, 0);   // nothing is charged for filling the cache
        json.WriteEndObject();
        json.WriteNumber("output_tokens"u8, known.CompletionTokens);
        json.WriteStartObject("output_tokens_details"u8);
        json.WriteNumber("reasoning_tokens"u8, known.ReasoningTokens);
        json.WriteEndObject();
        json.WriteNumber("total_tokens"u8, known.PromptTokens + known.CompletionTokens);
        json.WriteEndObject();
    }

    private void WriteEcho(Utf8JsonWriter json, string name, ReadOnlySpan<byte> otherwise)
    {
        json.WritePropertyName(name);
        if (Request.Echo.TryGetValue(name, out JsonElement value))
            value.WriteTo(json);
        else
            json.WriteRawValue(otherwise, skipInputValidation: true);
    }
}

/// <summary>A state of a response.</summary>
/// <param name="Status"><c>queued</c>, <c>in_progress</c>, <c>completed</c>, <c>incomplete</c>, <c>failed</c> or <c>cancelled</c>.</param>
internal sealed record ResponseState(string Status)
{
    /// <summary>What was said.</summary>
    public IReadOnlyList<OutputItem> Output { get; init; } = [];

    /// <summary>Why it is incomplete.</summary>
    public string? Incomplete { get; init; }

    /// <summary>Why it failed.</summary>
    public (string Code, string Message)? Error { get; init; }

    /// <summary>What it cost; null while it is not known.</summary>
    public ChatUsage? Usage { get; init; }

    /// <summary>When it was completed.</summary>
    public DateTimeOffset? Completed { get; init; }
}
