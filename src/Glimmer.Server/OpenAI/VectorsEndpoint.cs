using System.Text.Json;
using Glimmer.Platform.Catalog;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Hosting;
using Glimmer.Server.Transport;

namespace Glimmer.Server.OpenAI;

/// <summary>
/// <c>POST /embeddings</c> and <c>/rerank</c> (spec: api.md §12.1, §12.2): requests are read and checked, and then told that no backend here makes vectors or
/// scores. None are invented.
/// </summary>
internal sealed class VectorsEndpoint(RequestGate gate, CatalogueSource catalogue, GlimmerOptions options)
{
    private const int MaxQuery = 4096;
    private const int MaxDocuments = 128;

    /// <summary>Answers a request.</summary>
    /// <param name="context">The request.</param>
    /// <param name="operation"><c>embeddings</c> or <c>rerank</c>.</param>
    public async Task HandleAsync(HttpContext context, string operation)
    {
        if (await gate.AuthenticateAsync(context) is null)
            return;
        bool embeds = operation == "embeddings";
        (string? model, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, reader => embeds ? ReadEmbeddings(reader) : ReadRerank(reader));
        if (model is not null)
        {
            error = catalogue.Current.Resolve(model) switch
            {
                null => PlatformError.Of(BusinessCode.ModelMissing, model) with { Field = "model" },
                { Kind: ModelKind.Embedding } when embeds => Offline(context, operation),
                { Kind: ModelKind.Rerank } when !embeds => Offline(context, operation),
                _ => PlatformError.Of(BusinessCode.ModelUnsupported, operation) with { Field = "model" },
            };
        }

        await ErrorResponse.WriteAsync(context, error!);
    }

    private static (string? Model, PlatformError? Error) ReadEmbeddings(FieldReader body)
    {
        string? model = body.Text("model", required: true, min: 1, max: 128);
        body.Word("encoding_format", false, "float", "base64");
        body.Whole("dimensions", 1, 1 << 16);
        const string Legal = "Send a string or a list of strings";
        if (!body.TryGet("input", out JsonElement input))
        {
            if (body.Error is null)
                body.Fail(PlatformError.Missing("input", Legal));
        }
        else if (input.ValueKind is not (JsonValueKind.String or JsonValueKind.Array) || (input.ValueKind == JsonValueKind.Array && input.GetArrayLength() == 0))
        {
            body.Fail(PlatformError.Invalid("input", $"it is {FieldReader.Describe(input)}", Legal));
        }

        return body.Error is { } error ? (null, error) : (model, null);
    }

    private static (string? Model, PlatformError? Error) ReadRerank(FieldReader body)
    {
        string? model = body.Text("model", required: true, min: 1, max: 128);
        body.Text("query", required: true, min: 1, max: MaxQuery);
        if (!body.Has("documents") && body.Error is null)
            body.Fail(PlatformError.Missing("documents", "Send a list of strings"));
        body.Texts("documents", MaxDocuments, 1, MaxQuery);
        body.Whole("top_n", 0, MaxDocuments);
        body.Flag("return_documents");
        body.Flag("return_raw_scores");
        return body.Error is { } error ? (null, error) : (model, null);
    }

    private static PlatformError Offline(HttpContext context, string operation)
    {
        string name = $"{context.Request.Method} {context.Request.Path}";
        string makes = operation == "embeddings" ? "makes embeddings" : "ranks documents";
        return PlatformError.Of(BusinessCode.ApiOffline, name) with
        {
            Message = $"The API {name} is not served: no backend of this server {makes}",
            Chinese = $"本服务未提供 API {name}：没有可用的后端",
        };
    }
}
