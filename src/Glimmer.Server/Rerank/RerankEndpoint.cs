using System.Buffers;
using Glimmer.Inference;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Hosting;
using Glimmer.Server.Routing;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Rerank;

/// <summary>
/// <c>POST /rerank</c> (spec: api.md §12.2) and <c>POST /v1/rerank</c>, the form of Jina, Cohere, vLLM and llama.cpp's server: documents in the order of how well they
/// fit a query. Without a backend that scores, the answer says so; no scores are invented.
/// </summary>
internal sealed partial class RerankEndpoint(
    RequestGate gate, CatalogueSource catalogue, IChatBackendProvider backends, CallAdmission calls, GlimmerOptions options, TimeProvider time, ILogger<RerankEndpoint> log)
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
        var record = RequestRecord.Of(context);
        record.Model = model.Code;
        record.Backend = backend!.Name;
        await AnswerAsync(context, key, asked!, model, backend, isNative);
    }

    private async Task AnswerAsync(HttpContext context, AccessKey key, RerankRequest asked, CatalogModel model, IRerankBackend backend, bool isNative)
    {
        var record = RequestRecord.Of(context);
        var most = new UsageUnits { Input = (int)Math.Clamp((context.Request.ContentLength ?? 0) / 2, 1, int.MaxValue) };
        CallEntry entry = await calls.EnterAsync(
            new CallRequest(key, model, ApiSurface.General, record.Id, most, asked.RequestId, asked.EndUser, "rerank"), context.RequestAborted);
        if (entry.Call is not { } call)
        {
            await ErrorResponse.WriteAsync(context, entry.Error!);
            return;
        }

        using (call)
        {
            RerankOutcome outcome;
            try
            {
                outcome = await backend.ScoreAsync(asked.Query, asked.Documents, context.RequestAborted);
            }
            catch (Exception fault) when (!context.RequestAborted.IsCancellationRequested)
            {
                Log.BackendFault(log, record.Id, backend.Name, FaultText.Of(fault));
                outcome = new RerankOutcome(null, null, 0, PlatformError.Of(BusinessCode.Network, record.Id));
            }

            if (outcome.Scores is not { } scores)
            {
                call.Release();
                await ErrorResponse.WriteAsync(context, outcome.Error!);
                return;
            }

            record.Usage = new ChatUsage(outcome.Tokens, 0, 0, 0);
            await call.Settle(new UsageUnits { Input = outcome.Tokens });
            var answer = new RerankAnswer(asked, asked.RawScores ? outcome.RawScores! : scores, outcome.RawScores!, outcome.Tokens);
            var body = new ArrayBufferWriter<byte>(256 + asked.Documents.Count * 48);
            if (isNative)
                answer.WriteNative(body, record.Id, time.GetUtcNow());
            else
                answer.WriteOther(body, record.Id, model.Code);
            await JsonResponse.WriteAsync(context, body);
        }
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

    private static partial class Log
    {
        [LoggerMessage(2202, LogLevel.Error, "Request {RequestId}: the backend {Backend} failed to score documents: {Fault}")]
        public static partial void BackendFault(ILogger log, string requestId, string backend, string fault);
    }
}
