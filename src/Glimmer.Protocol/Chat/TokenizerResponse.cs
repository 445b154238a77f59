using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Chat;

/// <summary>Answer of <c>POST /tokenizer</c> (spec: api.md §12.3).</summary>
/// <param name="Id">Id of the answer.</param>
/// <param name="RequestId">Id of the request: the client's or the same.</param>
/// <param name="Created">Unix seconds.</param>
/// <param name="PromptTokens">Tokens of the whole prompt, media included: <c>usage.prompt_tokens</c> of a chat request with the same body.</param>
/// <param name="ImageTokens">Of those, tokens that pictures add.</param>
/// <param name="VideoTokens">Of those, tokens that films add.</param>
public sealed record TokenizerResponse(string Id, string RequestId, long Created, int PromptTokens, int ImageTokens, int VideoTokens)
{
    /// <summary>Writes the body as UTF-8. The total is that of the prompt: nothing is generated.</summary>
    public void Write(IBufferWriter<byte> output)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        json.WriteString("id"u8, Id);
        json.WriteNumber("created"u8, Created);
        json.WriteString("request_id"u8, RequestId);
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, PromptTokens);
        json.WriteNumber("image_tokens"u8, ImageTokens);
        json.WriteNumber("video_tokens"u8, VideoTokens);
        json.WriteNumber("total_tokens"u8, PromptTokens);
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
