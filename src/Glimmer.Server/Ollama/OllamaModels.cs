using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Glimmer.Platform.Catalog;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Hosting;
using Glimmer.Server.Models;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Ollama;

/// <summary>
/// What Ollama's clients ask about models and the server: <c>/api/tags</c>, <c>/api/ps</c>, <c>/api/show</c>, <c>/api/version</c>. What they ask to be done with
/// models (<c>/api/pull</c> …) is refused: models are the operator's.
/// </summary>
internal sealed class OllamaModels(OllamaGate gate, ModelOffers offers, GlimmerOptions options, TimeProvider time)
{
    /// <summary>The version of Ollama whose API this is. Clients compare it with the least they need.</summary>
    public const string ApiVersion = "0.13.0";

    private const string Latest = ":latest";

    /// <summary>Finds a model by its code, or by its code with a tag such as <c>:latest</c>.</summary>
    public (ModelOffer? Offer, PlatformError? Error) Find(string name, string field)
    {
        (ModelOffer? offer, PlatformError? error) = offers.FindChat(name, field, "chat");
        if (offer is null && error!.Code == BusinessCode.ModelMissing && name.IndexOf(':', StringComparison.Ordinal) is > 0 and var tag)
            return offers.FindChat(name[..tag], field, "chat");
        return (offer, error);
    }

    /// <summary>Tells the version; needs no key, like the health of the server.</summary>
    public static Task VersionAsync(HttpContext context) => RespondAsync(context, static json =>
    {
        json.WriteStartObject();
        json.WriteString("version"u8, ApiVersion);
        json.WriteEndObject();
    });

    /// <summary>Lists the models.</summary>
    public async Task TagsAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not null)
            await ListAsync(context, offers.List(), running: false);
    }

    /// <summary>Lists the models that can answer now.</summary>
    public async Task RunningAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is not null)
            await ListAsync(context, offers.List().Where(static offer => offer.Route.Backend.IsReady), running: true);
    }

    /// <summary>Describes a model.</summary>
    public async Task ShowAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is null)
            return;
        (string? name, PlatformError? error) = await BodyReader.ReadAsync<string>(context, options.MaxBodyBytes, static body =>
        {
            string? name = body.Text("model", max: 256) ?? body.Text("name", required: true, min: 1, max: 256);
            return body.Error is { } wrong ? (null, wrong) : (name, null);
        });
        ModelOffer? found = null;
        if (name is not null)
            (found, error) = Find(name, "model");
        if (found is not { } offer)
        {
            await ErrorResponse.WriteAsync(context, error!);
            return;
        }

        RequestRecord.Of(context).Model = offer.Model.Code;
        await RespondAsync(context, json => WriteShown(json, offer));
    }

    /// <summary>Refuses to change models.</summary>
    public async Task ManageAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is null)
            return;
        await ErrorResponse.WriteAsync(context, PlatformError.Of(BusinessCode.ApiForbidden) with
        {
            Message = "Models are not managed over this API. The operator does that: glimmer pull NAME, glimmer models.",
            Chinese = "不能通过此 API 管理模型，请由运维人员使用 glimmer pull 与 glimmer models",
            Status = StatusCodes.Status403Forbidden,
        });
    }

    private Task ListAsync(HttpContext context, IEnumerable<ModelOffer> listed, bool running) => RespondAsync(context, json =>
    {
        json.WriteStartObject();
        json.WriteStartArray("models"u8);
        foreach (ModelOffer offer in listed)
        {
            json.WriteStartObject();
            json.WriteString("name"u8, offer.Model.Code + Latest);
            json.WriteString("model"u8, offer.Model.Code + Latest);
            json.WriteString("modified_at"u8, When(offer.Model));
            json.WriteNumber("size"u8, 0);
            json.WriteString("digest"u8, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{offer.Model.Code} {offer.Route.Model}"))));
            WriteDetails(json, offer);
            if (running)
            {
                json.WriteString("expires_at"u8, Text(time.GetUtcNow().AddYears(1)));
                json.WriteNumber("size_vram"u8, 0);
                if (offer.Model.Context > 0)
                    json.WriteNumber("context_length"u8, offer.Model.Context);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    });

    private static void WriteShown(Utf8JsonWriter json, in ModelOffer offer)
    {
        CatalogModel model = offer.Model;
        json.WriteStartObject();
        json.WriteString("modelfile"u8, string.Create(CultureInfo.InvariantCulture, $"FROM {model.Code}\nPARAMETER temperature {model.Temperature}\nPARAMETER top_p {model.TopP}\n"));
        json.WriteString("parameters"u8, string.Create(CultureInfo.InvariantCulture, $"temperature {model.Temperature}\ntop_p {model.TopP}"));
        json.WriteString("template"u8, "{{ .Prompt }}"u8);
        WriteDetails(json, offer);
        json.WriteStartObject("model_info"u8);
        json.WriteString("general.architecture"u8, "glm"u8);
        json.WriteString("general.basename"u8, model.Code);
        if (model.Context > 0)
            json.WriteNumber("glm.context_length"u8, model.Context);
        json.WriteEndObject();
        json.WriteStartArray("capabilities"u8);
        json.WriteStringValue("completion"u8);
        if (model.Tools)
            json.WriteStringValue("tools"u8);
        if (model.Thinking != ThinkingRule.None)
            json.WriteStringValue("thinking"u8);
        if (model.MaxImages > 0)
            json.WriteStringValue("vision"u8);
        json.WriteEndArray();
        json.WriteString("modified_at"u8, When(model));
        json.WriteEndObject();
    }

    private static void WriteDetails(Utf8JsonWriter json, in ModelOffer offer)
    {
        json.WriteStartObject("details"u8);
        json.WriteString("parent_model"u8, offer.Route.StandIn ? offer.Route.Model : "");
        json.WriteString("format"u8, "gguf"u8);
        json.WriteString("family"u8, "glm"u8);
        json.WriteStartArray("families"u8);
        json.WriteStringValue("glm"u8);
        json.WriteEndArray();
        json.WriteString("parameter_size"u8, ""u8);
        json.WriteString("quantization_level"u8, ""u8);
        json.WriteEndObject();
    }

    private static string When(CatalogModel model) => Text(DateTimeOffset.FromUnixTimeSeconds(model.Created));

    private static string Text(DateTimeOffset when) => when.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static async Task RespondAsync(HttpContext context, Action<Utf8JsonWriter> write)
    {
        var body = new ArrayBufferWriter<byte>(4096);
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
            write(json);
        await JsonResponse.WriteAsync(context, body);
    }
}
