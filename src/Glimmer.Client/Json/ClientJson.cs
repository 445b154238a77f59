using System.Buffers;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Glimmer.Protocol.Json;

namespace Glimmer.Client;

/// <summary>Readers and writers of the wire's types, made when the library is compiled.</summary>
[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    NumberHandling = JsonNumberHandling.AllowReadingFromString)]
[JsonSerializable(typeof(CompletionRequest))]
[JsonSerializable(typeof(Completion))]
[JsonSerializable(typeof(CompletionChunk))]
[JsonSerializable(typeof(IReadOnlyList<ContentPart>))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(TokenizerRequest))]
[JsonSerializable(typeof(TokenizerResult))]
[JsonSerializable(typeof(EmbeddingRequest))]
[JsonSerializable(typeof(EmbeddingResult))]
[JsonSerializable(typeof(RerankRequest))]
[JsonSerializable(typeof(RerankResult))]
[JsonSerializable(typeof(AsyncTask))]
[JsonSerializable(typeof(BalanceList))]
[JsonSerializable(typeof(UsageReport))]
[JsonSerializable(typeof(PlanQuotaAnswer))]
[JsonSerializable(typeof(ModelUsageAnswer))]
[JsonSerializable(typeof(JsonObject))]
internal sealed partial class ClientJson : JsonSerializerContext
{
    /// <summary>UTF-8 as the platform writes it: non-ASCII as it is.</summary>
    public static byte[] Write<T>(T value, JsonTypeInfo<T> type)
    {
        var body = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
            JsonSerializer.Serialize(json, value, type);
        return body.WrittenSpan.ToArray();
    }
}

/// <summary>A content: a string, or parts.</summary>
internal sealed class MessageContentConverter : JsonConverter<MessageContent>
{
    public override MessageContent? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String
            ? new MessageContent(reader.GetString()!)
            : new MessageContent(JsonSerializer.Deserialize(ref reader, ClientJson.Default.IReadOnlyListContentPart) ?? []);

    public override void Write(Utf8JsonWriter writer, MessageContent value, JsonSerializerOptions options)
    {
        if (value.Parts is { } parts)
            JsonSerializer.Serialize(writer, parts, ClientJson.Default.IReadOnlyListContentPart);
        else
            writer.WriteStringValue(value.Text);
    }
}

/// <summary>Arguments of a call: a JSON text, for which some servers send the object itself.</summary>
internal sealed class ArgumentsConverter : JsonConverter<string>
{
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
            return reader.GetString();
        using JsonDocument value = JsonDocument.ParseValue(ref reader);
        return value.RootElement.GetRawText();
    }

    public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);
}

/// <summary>A vector: numbers, or base64 of little-endian single-precision numbers.</summary>
internal sealed class VectorConverter : JsonConverter<ReadOnlyMemory<float>>
{
    public override ReadOnlyMemory<float> Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            byte[] bytes = reader.GetBytesFromBase64();
            if (bytes.Length % 4 != 0)
                throw new JsonException("A base64 vector is not a whole number of 4-byte numbers.");
            float[] numbers = new float[bytes.Length / 4];
            for (int i = 0; i < numbers.Length; i++)
                numbers[i] = System.Buffers.Binary.BinaryPrimitives.ReadSingleLittleEndian(bytes.AsSpan(i * 4));
            return numbers;
        }

        if (reader.TokenType != JsonTokenType.StartArray)
            throw new JsonException("A vector is neither an array nor base64.");
        var list = new List<float>(1024);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            list.Add(reader.GetSingle());
        return list.ToArray();
    }

    public override void Write(Utf8JsonWriter writer, ReadOnlyMemory<float> value, JsonSerializerOptions options)
    {
        writer.WriteStartArray();
        foreach (float number in value.Span)
            writer.WriteNumberValue(number);
        writer.WriteEndArray();
    }
}
