using System.Buffers;
using System.Text;
using System.Text.Json;
using Glimmer.Platform.Responses;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Protocol.OpenAI;

namespace Glimmer.Server.Responses;

/// <summary>What the task of a response holds.</summary>
/// <param name="Created">When it was asked for.</param>
/// <param name="Before">The items it goes on from.</param>
/// <param name="Input">Its own items, as they are kept.</param>
/// <param name="Request">The request.</param>
internal sealed record BackgroundRequest(DateTimeOffset Created, IReadOnlyList<JsonElement> Before, IReadOnlyList<StoredItem> Input, ResponsesRequest Request)
{
    /// <summary>Writes it.</summary>
    public static byte[] Write(DateTimeOffset created, IReadOnlyList<JsonElement> before, IReadOnlyList<StoredItem> input, ReadOnlyMemory<byte> request)
    {
        var body = new ArrayBufferWriter<byte>(request.Length + 256);
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            json.WriteNumber("created"u8, created.ToUnixTimeMilliseconds());
            json.WriteStartArray("before"u8);
            foreach (JsonElement item in before)
                item.WriteTo(json);
            json.WriteEndArray();
            json.WriteStartArray("input"u8);
            foreach (StoredItem item in input)
                json.WriteRawValue(item.Json, skipInputValidation: true);
            json.WriteEndArray();

            // As a string: it is read by the reader of requests, with its own bounds. What nodes of a former version refuse stands beside it: such a
            // one makes the response too, and it is streamed once it has ended.
            using (JsonDocument asked = JsonDocument.Parse(request, WireJson.ReaderOptions))
            {
                var rest = new ArrayBufferWriter<byte>(request.Length);
                using (var copy = new Utf8JsonWriter(rest, WireJson.WriterOptions))
                {
                    copy.WriteStartObject();
                    foreach (JsonProperty member in asked.RootElement.EnumerateObject())
                        member.WriteTo(member.NameEquals("stream"u8) || member.NameEquals("truncation"u8) ? json : copy);
                    copy.WriteEndObject();
                }

                json.WriteString("request"u8, rest.WrittenSpan);
            }

            json.WriteEndObject();
        }

        return body.WrittenSpan.ToArray();
    }

    /// <summary>Reads it.</summary>
    public static BackgroundRequest Read(byte[] body)
    {
        JsonElement root = JsonDocument.Parse(body, WireJson.ReaderOptions).RootElement;
        (JsonBody? json, PlatformError? error) = JsonBody.Parse(Encoding.UTF8.GetBytes(root.GetProperty("request").GetString()!));
        using (json)
        {
            ResponsesRequest? request = null;
            if (json is not null)
                (request, error) = ResponsesRequestReader.Read(json.Root);
            if (request is not null && root.TryGetProperty("stream", out JsonElement stream) && stream.ValueKind == JsonValueKind.True)
                request = request with { Chat = request.Chat with { Stream = true } };
            if (request is not null && root.TryGetProperty("truncation", out JsonElement truncation) && truncation.ValueKind == JsonValueKind.String && truncation.ValueEquals("auto"u8))
                request = request with { Truncates = true };
            return new BackgroundRequest(
                DateTimeOffset.FromUnixTimeMilliseconds(root.GetProperty("created").GetInt64()),
                [.. root.GetProperty("before").EnumerateArray()],
                [.. root.GetProperty("input").EnumerateArray().Select(static item => new StoredItem(item.GetProperty("id").GetString()!, item.GetRawText()))],
                request ?? throw new InvalidDataException($"The task's request cannot be read: {error!.Message}"));
        }
    }
}
