using Glimmer.Platform.Catalog;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Hosting;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Embeddings;

/// <summary>
/// <c>POST /rerank</c> (spec: api.md §12.2): requests are read and checked, and then told that no backend here scores pairs of texts. No scores are invented.
/// </summary>
internal sealed class RerankEndpoint(RequestGate gate, CatalogueSource catalogue, GlimmerOptions options)
{
    private const int MaxQuery = 4096;
    private const int MaxDocuments = 128;

    /// <summary>Answers a request.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is null)
            return;
        (string? model, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, Read);
        if (model is not null)
        {
            error = catalogue.Current.Resolve(model) switch
            {
                null => PlatformError.Of(BusinessCode.ModelMissing, model) with { Field = "model" },
                { Kind: ModelKind.Rerank } => Offline(context),
                _ => PlatformError.Of(BusinessCode.ModelUnsupported, "rerank") with { Field = "model" },
            };
        }

        await ErrorResponse.WriteAsync(context, error!);
    }

    private static (string? Model, PlatformError? Error) Read(FieldReader body)
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

    private static PlatformError Offline(HttpContext context)
    {
        string name = $"{context.Request.Method} {context.Request.Path}";
        return PlatformError.Of(BusinessCode.ApiOffline, name) with
        {
            Message = $"The API {name} is not served: no backend of this server ranks documents",
            Chinese = $"本服务未提供 API {name}：没有可用的后端",
        };
    }
}
