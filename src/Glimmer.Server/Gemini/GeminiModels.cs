using System.Globalization;
using System.Text.Json;
using Glimmer.Platform.Catalog;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Models;
using Glimmer.Server.Routing;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Gemini;

/// <summary><c>GET /v1beta/models</c>, a page at a time, and <c>GET /v1beta/models/{model}</c>.</summary>
internal sealed class GeminiModels(RequestGate gate, ModelOffers offers, GeminiModelNames names, CatalogueSource catalogue, IChatBackendProvider backends)
{
    private const int DefaultPage = 50;
    private const int LargestPage = 1000;
    private const string Prefix = "models/";

    /// <summary>Lists what is offered: chat models, then those that make embeddings (<c>pageSize</c>, <c>pageToken</c>).</summary>
    public async Task ListAsync(HttpContext context)
    {
        RequestRecord.Of(context).Dialect = WireDialect.Gemini;
        if (await gate.AuthenticateAsync(context) is null)
            return;
        List<CatalogModel> all = [.. offers.List().Select(offer => offer.Model), .. catalogue.Current.Models.Where(IsServedEmbedding)];
        int size = DefaultPage, first = 0;
        if (context.Request.Query["pageSize"].ToString() is { Length: > 0 } asked
            && (!int.TryParse(asked, NumberStyles.None, CultureInfo.InvariantCulture, out size) || size < 0))
        {
            await ErrorResponse.WriteAsync(context, PlatformError.Invalid("pageSize", "it is no number of models", $"Use a whole number from 1 to {LargestPage}"));
            return;
        }

        size = size == 0 ? DefaultPage : Math.Min(size, LargestPage);
        if (context.Request.Query["pageToken"].ToString() is { Length: > 0 } after)
        {
            first = all.FindIndex(model => string.Equals(model.Code, after, StringComparison.OrdinalIgnoreCase)) + 1;
            if (first == 0)
            {
                await ErrorResponse.WriteAsync(context, PlatformError.Invalid("pageToken", "no page ends there", "Use nextPageToken of the page before"));
                return;
            }
        }

        List<CatalogModel> page = all[first..Math.Min(first + size, all.Count)];
        await JsonResponse.WriteAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("models"u8);
            foreach (CatalogModel model in page)
                Write(json, model);
            json.WriteEndArray();
            if (first + page.Count < all.Count)
                json.WriteString("nextPageToken"u8, page[^1].Code);
            json.WriteEndObject();
        });
    }

    /// <summary>Describes one model, also by a name that stands for it.</summary>
    public async Task GetAsync(HttpContext context)
    {
        RequestRecord.Of(context).Dialect = WireDialect.Gemini;
        if (await gate.AuthenticateAsync(context) is null)
            return;
        string code = names.Resolve(GeminiEndpoint.ModelOf(context));
        if (catalogue.Current.Resolve(code) is { } known && IsServedEmbedding(known))
        {
            await JsonResponse.WriteAsync(context, json => Write(json, known));
            return;
        }

        (ModelOffer? offer, PlatformError? error) = offers.FindChat(code, "model", "generateContent");
        if (offer is not { } found)
        {
            await ErrorResponse.WriteAsync(context, error!.Code is BusinessCode.ModelMissing or BusinessCode.ModelUnsupported ? error with { Status = StatusCodes.Status404NotFound } : error);
            return;
        }

        RequestRecord.Of(context).Model = found.Model.Code;
        await JsonResponse.WriteAsync(context, json => Write(json, found.Model));
    }

    private bool IsServedEmbedding(CatalogModel model) => model.Kind == ModelKind.Embedding && backends.FindEmbeddings(model.Code) is not null;

    private static void Write(Utf8JsonWriter json, CatalogModel model)
    {
        bool embeds = model.Kind == ModelKind.Embedding;
        json.WriteStartObject();
        json.WriteString("name"u8, Prefix + model.Code);
        json.WriteString("baseModelId"u8, model.Code);
        json.WriteString("version"u8, model.Code);
        json.WriteString("displayName"u8, model.Code.ToUpperInvariant());
        if (model.Context > 0)
            json.WriteNumber("inputTokenLimit"u8, model.Context);
        if (model.MaxOutput > 0)
            json.WriteNumber("outputTokenLimit"u8, model.MaxOutput);
        json.WriteStartArray("supportedGenerationMethods"u8);
        foreach (string method in embeds ? (string[])["embedContent"] : ["generateContent", "countTokens"])
            json.WriteStringValue(method);
        json.WriteEndArray();
        if (!embeds)
        {
            json.WriteNumber("temperature"u8, model.Temperature);
            json.WriteNumber("maxTemperature"u8, 2);
            json.WriteNumber("topP"u8, model.TopP);
            json.WriteBoolean("thinking"u8, model.Thinking != ThinkingRule.None);
        }

        json.WriteEndObject();
    }
}
