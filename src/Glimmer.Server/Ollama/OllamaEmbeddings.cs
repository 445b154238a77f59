using System.Buffers;
using System.Text.Json;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Embeddings;
using Glimmer.Server.Hosting;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Ollama;

/// <summary>Ollama's <c>POST /api/embed</c>, and the older <c>POST /api/embeddings</c> of one prompt.</summary>
internal sealed class OllamaEmbeddings(OllamaGate gate, EmbeddingsEndpoint embeddings, GlimmerOptions options, TimeProvider time)
{
    private const int MostTexts = 2048;
    private const int MostCharacters = 1 << 20;
    private const string Latest = ":latest";

    /// <summary>Makes vectors of texts. A text that is too long is an error: it is never cut.</summary>
    public async Task EmbedAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (EmbeddingsCall? asked, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, Read);
        if (asked is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        var record = RequestRecord.Of(context);
        await embeddings.AnswerAsync(context, key, asked, (output, _, made) =>
        {
            using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
            json.WriteStartObject();
            json.WriteString("model"u8, asked.Model);
            json.WriteStartArray("embeddings"u8);
            foreach (float[] vector in made.Vectors!)
                Write(json, vector);
            json.WriteEndArray();
            json.WriteNumber("total_duration"u8, time.GetElapsedTime(record.Started).Ticks * 100);
            json.WriteNumber("load_duration"u8, 0);
            json.WriteNumber("prompt_eval_count"u8, made.Tokens);
            json.WriteEndObject();
        });
    }

    /// <summary>Makes the vector of a prompt.</summary>
    public async Task EmbedPromptAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (EmbeddingsCall? asked, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, ReadPrompt);
        if (asked is null)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        await embeddings.AnswerAsync(context, key, asked, static (output, _, made) =>
        {
            using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
            json.WriteStartObject();
            json.WritePropertyName("embedding"u8);
            Write(json, made.Vectors![0]);
            json.WriteEndObject();
        });
    }

    private static (EmbeddingsCall? Request, PlatformError? Error) Read(FieldReader body)
    {
        string model = ReadModel(body);
        if (!body.Has("input") && body.Error is null)
            body.Fail(PlatformError.Missing("input", "Send a string or a list of strings"));
        IReadOnlyList<string> texts = body.Texts("input", MostTexts, 1, MostCharacters) ?? [];
        if (texts.Count == 0 && body.Error is null)
            body.Fail(PlatformError.Invalid("input", "it is an empty list", "Send a string or a list of strings"));
        long? dimensions = body.Whole("dimensions", 1, 1 << 16);
        return body.Error is { } error ? (null, error) : (new EmbeddingsCall(model, texts, (int?)dimensions), null);
    }

    private static (EmbeddingsCall? Request, PlatformError? Error) ReadPrompt(FieldReader body)
    {
        string model = ReadModel(body);
        string? prompt = body.Text("prompt", required: true, min: 1, max: MostCharacters);
        return body.Error is { } error ? (null, error) : (new EmbeddingsCall(model, [prompt!], null), null);
    }

    private static string ReadModel(FieldReader body)
    {
        string model = body.Text("model", required: true, min: 1, max: 256) ?? "";
        return model.EndsWith(Latest, StringComparison.OrdinalIgnoreCase) ? model[..^Latest.Length] : model;
    }

    private static void Write(Utf8JsonWriter json, float[] vector)
    {
        json.WriteStartArray();
        foreach (float number in vector)
            json.WriteNumberValue(number);
        json.WriteEndArray();
    }
}
