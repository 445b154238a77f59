using System.Buffers;
using System.Text.Json;
using Glimmer.Inference;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Gemini;
using Glimmer.Protocol.Json;
using Glimmer.Server.Embeddings;
using Glimmer.Server.Hosting;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Gemini;

/// <summary><c>:embedContent</c> and <c>:batchEmbedContents</c> of a model. A text that is too long is an error: it is never cut.</summary>
internal sealed class GeminiEmbeddings(RequestGate gate, GeminiModelNames names, EmbeddingsEndpoint embeddings, GlimmerOptions options)
{
    private delegate (GeminiEmbedRequest? Request, PlatformError? Error) Reading(FieldReader body, string model);

    /// <summary>Makes the vector of one text.</summary>
    public Task EmbedAsync(HttpContext context) => AnswerAsync(context, GeminiEmbedReader.Read, static (json, made) =>
    {
        json.WritePropertyName("embedding"u8);
        Write(json, made.Vectors![0]);
    });

    /// <summary>Makes the vectors of several.</summary>
    public Task EmbedBatchAsync(HttpContext context) => AnswerAsync(context, GeminiEmbedReader.ReadBatch, static (json, made) =>
    {
        json.WriteStartArray("embeddings"u8);
        foreach (float[] vector in made.Vectors!)
            Write(json, vector);
        json.WriteEndArray();
    });

    private async Task AnswerAsync(HttpContext context, Reading read, Action<Utf8JsonWriter, EmbeddingOutcome> write)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        string model = GeminiEndpoint.ModelOf(context);
        (GeminiEmbedRequest? asked, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, body => read(body, model));
        if (asked is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        await embeddings.AnswerAsync(context, key, new EmbeddingsCall(names.Resolve(model), asked.Texts, asked.Dimensions), (output, _, made) =>
        {
            using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
            json.WriteStartObject();
            write(json, made);
            json.WriteStartObject("usageMetadata"u8);
            json.WriteNumber("promptTokenCount"u8, made.Tokens);
            GeminiAnswer.WriteDetails(json, "promptTokenDetails"u8, made.Tokens);
            json.WriteEndObject();
            json.WriteEndObject();
        });
    }

    private static void Write(Utf8JsonWriter json, float[] vector)
    {
        json.WriteStartObject();
        json.WriteStartArray("values"u8);
        foreach (float number in vector)
            json.WriteNumberValue(number);
        json.WriteEndArray();
        json.WriteEndObject();
    }
}
