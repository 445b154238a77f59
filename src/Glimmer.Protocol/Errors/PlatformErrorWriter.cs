using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Json;

namespace Glimmer.Protocol.Errors;

/// <summary>Writes errors as the native bases say them: <c>{"error":{"code":"1214","message":"…"}}</c>, and no other key.</summary>
public static class PlatformErrorWriter
{
    /// <summary>Writes the body as UTF-8.</summary>
    public static void Write(IBufferWriter<byte> output, PlatformError error, MessageLanguage language)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        json.WriteStartObject("error"u8);
        json.WriteString("code"u8, error.Code.Digits());
        json.WriteString("message"u8, error.MessageIn(language));
        json.WriteEndObject();
        json.WriteEndObject();
    }
}
