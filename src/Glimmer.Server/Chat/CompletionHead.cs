using System.Text.Json;
using Glimmer.Inference;

namespace Glimmer.Server.Chat;

/// <summary>What every chunk and every answer of a request begins with, and how both end.</summary>
/// <param name="Id">Id of the answer.</param>
/// <param name="RequestId">Id of the request: the client's or the same.</param>
/// <param name="Created">Unix seconds.</param>
/// <param name="Model">Code of the catalogue.</param>
internal sealed record CompletionHead(string Id, string RequestId, long Created, string Model)
{
    private readonly JsonEncodedText _id = JsonEncodedText.Encode(Id, Protocol.Json.WireJson.WriterOptions.Encoder);
    private readonly JsonEncodedText? _own = RequestId == Id ? null : JsonEncodedText.Encode(RequestId, Protocol.Json.WireJson.WriterOptions.Encoder); // most clients give none
    private readonly JsonEncodedText _model = JsonEncodedText.Encode(Model, Protocol.Json.WireJson.WriterOptions.Encoder);

    /// <summary>Writes the first members of the object.</summary>
    public void Write(Utf8JsonWriter json, JsonEncodedText kind)
    {
        json.WriteString(Names.Id, _id);
        json.WriteString(Names.RequestId, _own ?? _id);
        json.WriteNumber(Names.Created, Created);
        json.WriteString(Names.Model, _model);
        json.WriteString(Names.Object, kind);
    }

    /// <summary>Writes <c>usage</c>.</summary>
    public static void WriteUsage(Utf8JsonWriter json, in ChatUsage usage)
    {
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, usage.PromptTokens);
        json.WriteNumber("completion_tokens"u8, usage.CompletionTokens);
        json.WriteNumber("total_tokens"u8, usage.PromptTokens + usage.CompletionTokens);
        json.WriteStartObject("prompt_tokens_details"u8);
        json.WriteNumber("cached_tokens"u8, usage.CachedTokens);
        json.WriteEndObject();
        json.WriteStartObject("completion_tokens_details"u8);
        json.WriteNumber("reasoning_tokens"u8, usage.ReasoningTokens);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Names and words that every event repeats, escaped once.</summary>
    public static class Names
    {
        public static JsonEncodedText Id { get; } = JsonEncodedText.Encode("id");

        public static JsonEncodedText RequestId { get; } = JsonEncodedText.Encode("request_id");

        public static JsonEncodedText Created { get; } = JsonEncodedText.Encode("created");

        public static JsonEncodedText Model { get; } = JsonEncodedText.Encode("model");

        public static JsonEncodedText Object { get; } = JsonEncodedText.Encode("object");

        public static JsonEncodedText Choices { get; } = JsonEncodedText.Encode("choices");

        public static JsonEncodedText Index { get; } = JsonEncodedText.Encode("index");

        public static JsonEncodedText Delta { get; } = JsonEncodedText.Encode("delta");

        public static JsonEncodedText Role { get; } = JsonEncodedText.Encode("role");

        public static JsonEncodedText Assistant { get; } = JsonEncodedText.Encode("assistant");

        public static JsonEncodedText Content { get; } = JsonEncodedText.Encode("content");

        public static JsonEncodedText Reasoning { get; } = JsonEncodedText.Encode("reasoning_content");

        public static JsonEncodedText ToolCalls { get; } = JsonEncodedText.Encode("tool_calls");

        public static JsonEncodedText Type { get; } = JsonEncodedText.Encode("type");

        public static JsonEncodedText Function { get; } = JsonEncodedText.Encode("function");

        public static JsonEncodedText Name { get; } = JsonEncodedText.Encode("name");

        public static JsonEncodedText Arguments { get; } = JsonEncodedText.Encode("arguments");

        public static JsonEncodedText FinishReason { get; } = JsonEncodedText.Encode("finish_reason");

        public static JsonEncodedText Chunk { get; } = JsonEncodedText.Encode("chat.completion.chunk");

        public static JsonEncodedText Completion { get; } = JsonEncodedText.Encode("chat.completion");
    }
}
