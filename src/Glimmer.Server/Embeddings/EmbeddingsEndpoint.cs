using System.Buffers;
using System.Buffers.Binary;
using System.Text.Json;
using Glimmer.Inference;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Answers;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Embeddings;

/// <summary>
/// <c>POST /embeddings</c> (spec: api.md §12.1): vectors of a model that the operator named for it. Without one the answer says so; none are invented.
/// </summary>
internal sealed class EmbeddingsEndpoint(
    RequestGate gate, CatalogueSource catalogue, IChatBackendProvider backends, InputRunner runner, GlimmerOptions options)
{
    private const int MostTexts = 2048;
    private const int MostTextsOfPlatform = 64;
    private const int MostCharacters = 1 << 20;

    /// <summary>Answers a request.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        int most = RequestRecord.Of(context).Dialect == WireDialect.Native ? MostTextsOfPlatform : MostTexts;
        (Asked? asked, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, body => Read(body, most));
        if (asked is null)
            await ErrorResponse.WriteAsync(context, error!);
        else
            await AnswerAsync(context, key, asked.Call, (output, model, made) => Write(output, model, made.Vectors!, asked.AsBase64, made.Tokens));
    }

    /// <summary>Makes the vectors of a request that a dialect has read, and charges them.</summary>
    /// <param name="context">The request.</param>
    /// <param name="key">Whose it is.</param>
    /// <param name="asked">What is asked.</param>
    /// <param name="write">Writes the answer: the code of the catalogue, and what was made.</param>
    public async Task AnswerAsync(HttpContext context, AccessKey key, EmbeddingsCall asked, Action<IBufferWriter<byte>, string, EmbeddingOutcome> write)
    {
        CatalogModel? model = catalogue.Current.Resolve(asked.Model);
        if (backends.FindEmbeddings(model?.Code ?? asked.Model) is not { } backend)
        {
            await ErrorResponse.WriteAsync(context, NotServed(context, asked.Model, model));
            return;
        }

        model ??= new CatalogModel { Code = backend.Model, Kind = ModelKind.Embedding };
        await runner.RunAsync<MadeVectors>(
            context,
            new InputCall(key, model, backend.Name, "embeddings", asked.RequestId, asked.EndUser),
            async cancel =>
            {
                EmbeddingOutcome outcome = await backend.EmbedAsync(asked.Texts, asked.Dimensions, cancel);
                return new InputOutcome<MadeVectors>(outcome.Vectors is null ? null : new MadeVectors(outcome), outcome.Tokens, outcome.Error);
            },
            (body, made) => write(body, model.Code, made.Outcome));
    }

    private static (Asked? Request, PlatformError? Error) Read(FieldReader body, int most)
    {
        string? model = body.Text("model", required: true, min: 1, max: 128);
        string? format = body.Word("encoding_format", false, "float", "base64");
        long? dimensions = body.Whole("dimensions", 1, 1 << 16);
        string? requestId = body.Text("request_id", min: 6, max: 64, numbers: true);
        string? user = body.Text("user_id", min: 6, max: 128, numbers: true) ?? body.Text("user", max: 512);
        const string Legal = "Send a string or a list of strings";
        IReadOnlyList<string> texts = [];
        if (!body.TryGet("input", out JsonElement input))
        {
            if (body.Error is null)
                body.Fail(PlatformError.Missing("input", Legal));
        }
        else if (input.ValueKind == JsonValueKind.String)
        {
            texts = body.Text("input", min: 1, max: MostCharacters) is { } one ? [one] : [];
        }
        else
        {
            texts = body.Texts("input", most, 1, MostCharacters) ?? [];
            if (texts.Count == 0 && body.Error is null)
                body.Fail(PlatformError.Invalid("input", "it is an empty list", Legal));
        }

        return body.Error is { } error ? (null, error) : (new Asked(new EmbeddingsCall(model!, texts, (int?)dimensions, requestId, user), format == "base64"), null);
    }

    private static void Write(IBufferWriter<byte> output, string model, IReadOnlyList<float[]> vectors, bool asBase64, int tokens)
    {
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        json.WriteStartObject();
        json.WriteString("object"u8, "list"u8);
        json.WriteString("model"u8, model);
        json.WriteStartArray("data"u8);
        for (int i = 0; i < vectors.Count; i++)
        {
            json.WriteStartObject();
            json.WriteString("object"u8, "embedding"u8);
            json.WriteNumber("index"u8, i);
            if (asBase64)
            {
                byte[] bytes = new byte[vectors[i].Length * sizeof(float)];
                for (int k = 0; k < vectors[i].Length; k++)
                    BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(k * sizeof(float)), vectors[i][k]);
                json.WriteBase64String("embedding"u8, bytes);
            }
            else
            {
                json.WriteStartArray("embedding"u8);
                foreach (float number in vectors[i])
                    json.WriteNumberValue(number);
                json.WriteEndArray();
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartObject("usage"u8);
        json.WriteNumber("prompt_tokens"u8, tokens);
        json.WriteNumber("completion_tokens"u8, 0);
        json.WriteNumber("total_tokens"u8, tokens);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static PlatformError NotServed(HttpContext context, string asked, CatalogModel? model)
    {
        string name = $"{context.Request.Method} {context.Request.Path}";
        return model switch
        {
            null => PlatformError.Of(BusinessCode.ModelMissing, asked) with { Field = "model" },
            { Kind: ModelKind.Embedding } => PlatformError.Of(BusinessCode.ApiOffline, name) with
            {
                Message = $"The API {name} is not served: no backend of this server makes embeddings under the code {model.Code} (setting Glimmer:Embeddings:Path)",
                Chinese = $"本服务未提供 API {name}：没有可用的后端",
            },
            _ => PlatformError.Of(BusinessCode.ModelUnsupported, "embeddings") with { Field = "model" },
        };
    }

    private sealed record Asked(EmbeddingsCall Call, bool AsBase64);

    private sealed record MadeVectors(EmbeddingOutcome Outcome);
}

/// <summary>A request for vectors.</summary>
/// <param name="Model">Code as sent.</param>
/// <param name="Texts">At least one.</param>
/// <param name="Dimensions">Numbers to keep of each; null for all.</param>
/// <param name="RequestId">The client's id; null when it gave none.</param>
/// <param name="EndUser">The client's end user; null when it named none.</param>
internal sealed record EmbeddingsCall(string Model, IReadOnlyList<string> Texts, int? Dimensions, string? RequestId = null, string? EndUser = null);
