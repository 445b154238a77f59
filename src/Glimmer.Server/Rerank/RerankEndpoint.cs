using Glimmer.Inference;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Answers;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Rerank;

/// <summary>
/// <c>POST /rerank</c> (spec: api.md §12.2) and <c>POST /v1/rerank</c>, the form of Jina, Cohere, vLLM and llama.cpp's server: documents in the order of how well they
/// fit a query. Without a backend that scores, the answer says so; no scores are invented.
/// </summary>
internal sealed class RerankEndpoint(
    RequestGate gate, CatalogueSource catalogue, IChatBackendProvider backends, InputRunner runner, GlimmerOptions options, TimeProvider time)
{
    private const string UsualModel = "rerank";

    /// <summary>Answers a request in the platform's own form.</summary>
    public async Task HandleAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (RerankRequest? asked, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, RerankRequest.ReadNative);
        await HandleAsync(context, key, asked, error, isNative: true);
    }

    /// <summary>Answers a request in the form that others share.</summary>
    public async Task HandleOtherAsync(HttpContext context)
    {
        RequestRecord.Of(context).Dialect = WireDialect.OpenAI;
        if (await gate.AuthenticateAsync(context) is not { } key)
            return;
        (RerankRequest? asked, PlatformError? error) = await BodyReader.ReadAsync(context, options.MaxBodyBytes, RerankRequest.ReadOther);
        await HandleAsync(context, key, asked, error, isNative: false);
    }

    private async Task HandleAsync(HttpContext context, AccessKey key, RerankRequest? asked, PlatformError? error, bool isNative)
    {
        CatalogModel? model = null;
        IRerankBackend? backend = null;
        if (asked is not null)
        {
            string name = asked.Model ?? UsualModel;
            model = catalogue.Current.Resolve(name);
            backend = backends.FindRerank(model?.Code ?? name);
            if (backend is null)
                error = NotServed(context, name, model);
        }

        if (error is not null)
        {
            await ErrorResponse.WriteAsync(context, error);
            return;
        }

        model ??= new CatalogModel { Code = backend!.Model, Kind = ModelKind.Rerank };
        await runner.RunAsync<RerankAnswer>(
            context,
            new InputCall(key, model, backend!.Name, "rerank", asked!.RequestId, asked.EndUser),
            async cancel =>
            {
                RerankOutcome outcome = await backend.ScoreAsync(asked.Query, asked.Documents, cancel);
                RerankAnswer? answer = outcome.Scores is { } scores ? new RerankAnswer(asked, asked.RawScores ? outcome.RawScores! : scores, outcome.RawScores!, outcome.Tokens) : null;
                return new InputOutcome<RerankAnswer>(answer, outcome.Tokens, outcome.Error);
            },
            (body, answer) =>
            {
                if (isNative)
                    answer.WriteNative(body, RequestRecord.Of(context).Id, time.GetUtcNow());
                else
                    answer.WriteOther(body, RequestRecord.Of(context).Id, model.Code);
            });
    }

    private static PlatformError NotServed(HttpContext context, string asked, CatalogModel? model)
    {
        string name = $"{context.Request.Method} {context.Request.Path}";
        return model switch
        {
            null => PlatformError.Of(BusinessCode.ModelMissing, asked) with { Field = "model" },
            { Kind: ModelKind.Rerank } => PlatformError.Of(BusinessCode.ApiOffline, name) with
            {
                Message = $"The API {name} is not served: no backend of this server scores documents under the code {model.Code} (setting Glimmer:Embeddings:Path serves {UsualModel})",
                Chinese = $"本服务未提供 API {name}：没有可用的后端",
            },
            _ => PlatformError.Of(BusinessCode.ModelUnsupported, "rerank") with { Field = "model" },
        };
    }
}
