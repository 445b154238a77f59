using System.Text.Json;
using Glimmer.Inference;

namespace Glimmer.Server.OpenAI;

/// <summary>What every chunk and every answer of a request begins with.</summary>
/// <param name="Id">Id of the answer.</param>
/// <param name="Created">Unix seconds.</param>
/// <param name="Model">Code of the catalogue.</param>
/// <param name="Fingerprint">What answers: changes with the model that serves the code.</param>
internal sealed record OpenAIHead(string Id, long Created, string Model, string Fingerprint)
{
    private readonly JsonEncodedText _id = JsonEncodedText.Encode(Id, Protocol.Json.WireJson.WriterOptions.Encoder);
    private readonly JsonEncodedText _model = JsonEncodedText.Encode(Model, Protocol.Json.WireJson.WriterOptions.Encoder);
    private readonly JsonEncodedText _fingerprint = JsonEncodedText.Encode(Fingerprint, Protocol.Json.WireJson.WriterOptions.Encoder);

    /// <summary>Writes the first members of the object.</summary>
    public void Write(Utf8JsonWriter json, ReadOnlySpan<byte> kind)
    {
        json.WriteString("id"u8, _id);
        json.WriteString("object"u8, kind);
        json.WriteNumber("created"u8, Created);
        json.WriteString("model"u8, _model);
        json.WriteString("service_tier"u8, "default"u8);
        json.WriteString("system_fingerprint"u8, _fingerprint);
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
        json.WriteNumber("audio_tokens"u8, 0);
        json.WriteEndObject();
        json.WriteStartObject("completion_tokens_details"u8);
        json.WriteNumber("reasoning_tokens"u8, usage.ReasoningTokens);
        json.WriteNumber("audio_tokens"u8, 0);
        json.WriteNumber("accepted_prediction_tokens"u8, 0);
        json.WriteNumber("rejected_prediction_tokens"u8, 0);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
