using Glimmer.Inference;
using Glimmer.Platform.Catalog;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Routing;

namespace Glimmer.Server.Models;

/// <summary>A model code that this server answers for.</summary>
/// <param name="Model">Its limits and defaults.</param>
/// <param name="Route">Who answers.</param>
internal readonly record struct ModelOffer(CatalogModel Model, ChatRoute Route)
{
    /// <summary>Says in a header which model really answers, where another stands in.</summary>
    public void WriteStandIn(HttpResponse response)
    {
        if (Route.StandIn)
            response.Headers["X-Glimmer-Model"] = $"{Route.Model}; stand-in-for={Model.Code}";
    }
}

/// <summary>
/// Brings catalogue and backends together. A chat code is offered when a backend serves it under its own name, or when it
/// is a text model and there is a stand-in. Models that see, hear or draw are never stood in for.
/// </summary>
internal sealed class ModelOffers(CatalogueSource source, IChatBackendProvider backends)
{
    /// <summary>All offered chat codes: the catalogue's in its order, then names that only backends know.</summary>
    public IEnumerable<ModelOffer> List()
    {
        Catalogue catalogue = source.Current;
        foreach (CatalogModel model in catalogue.Models)
        {
            if (model is { IsChat: true, Successor: null, State: ModelState.Current or ModelState.Old } && RouteTo(model) is { } route)
                yield return new ModelOffer(model, route);
        }

        foreach (IChatBackend backend in backends.Backends)
        {
            foreach (string name in backend.Models)
            {
                if (catalogue.Find(name) is null && backends.FindOwn(name) is { } route && ReferenceEquals(route.Backend, backend))
                    yield return new ModelOffer(Unlisted(name), route);
            }
        }
    }

    /// <summary>Who answers chat requests for a code, or the error to give.</summary>
    /// <param name="code">Code as the client sent it.</param>
    /// <param name="field">Path of the field that held it.</param>
    /// <param name="operation">What is asked of it, for the error when it cannot chat.</param>
    public (ModelOffer? Offer, PlatformError? Error) FindChat(string code, string field, string operation = "chat/completions")
    {
        CatalogModel? model = source.Current.Resolve(code);
        if (model is { IsChat: false })
        {
            return (null, PlatformError.Of(BusinessCode.ModelUnsupported, operation) with { Field = field });
        }

        ChatRoute? route = model is null ? backends.FindOwn(code) : RouteTo(model);
        if (route is { } found)
            return (new ModelOffer(model ?? Unlisted(found.Model), found), found.Backend.IsReady ? null : NotReady("The model is not ready."));
        if (backends.Readiness.Phase != BackendPhase.Ready)
            return (null, NotReady(backends.Readiness.Detail));
        if (model is null)
            return (null, PlatformError.Of(BusinessCode.ModelMissing, Shorten(code)) with { Field = field });
        return (null, new PlatformError(
            BusinessCode.ModelMissing, $"The model {model.Code} is known, but no backend of this server serves it, please check the model code (GET /models lists what is served)", field)
        {
            Chinese = $"模型 {model.Code} 没有可用的后端，请检查模型代码（GET /models 列出可用模型）",
        });
    }

    private ChatRoute? RouteTo(CatalogModel model) =>
        backends.FindOwn(model.Code) ?? (model.IsTextChat ? backends.StandIn : null);

    /// <summary>A model that only its backend knows: text, with the newest family's defaults and no limit but its own.</summary>
    private static CatalogModel Unlisted(string name) => new()
    {
        Code = name,
        Kind = ModelKind.Text,
        Thinking = ThinkingRule.Dynamic,
        Tools = true,
        ToolStream = true,
        Effort = true,
    };

    private static PlatformError NotReady(string detail) => PlatformError.Of(BusinessCode.Overloaded) with
    {
        Message = $"The model cannot answer yet: {detail} Please try again later.",
        Chinese = $"模型尚未就绪，请稍后重试：{detail}",
        Status = StatusCodes.Status503ServiceUnavailable,
        RetryAfter = TimeSpan.FromSeconds(2),
    };

    private static string Shorten(string code) => code.Length <= 64 ? code : code[..64] + "…";
}
