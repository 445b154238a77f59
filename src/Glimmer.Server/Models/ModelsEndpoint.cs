using System.Buffers;
using System.Text.Json;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Models;

/// <summary><c>GET /models</c> and <c>GET /models/{id}</c> (spec: api.md §21).</summary>
internal sealed class ModelsEndpoint(ModelOffers offers, RequestGate gate)
{
    /// <summary>Lists what is offered.</summary>
    public async Task ListAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is null)
            return;
        await RespondAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteString("object"u8, "list"u8);
            json.WriteStartArray("data"u8);
            foreach (ModelOffer offer in offers.List())
                Write(json, offer);
            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    /// <summary>Describes one model.</summary>
    public async Task GetAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is null)
            return;
        (ModelOffer? offer, PlatformError? error) = offers.FindChat((string?)context.Request.RouteValues["id"] ?? "", "id");
        if (offer is not { } found)
        {
            bool unknown = error!.Code is BusinessCode.ModelMissing or BusinessCode.ModelUnsupported;
            await ErrorResponse.WriteAsync(context, unknown ? error with { Status = StatusCodes.Status404NotFound } : error);
            return;
        }

        RequestRecord.Of(context).Model = found.Model.Code;
        await RespondAsync(context, json => Write(json, found));
    }

    private static void Write(Utf8JsonWriter json, in ModelOffer offer)
    {
        bool unlisted = offer.Model.Created == 0;
        json.WriteStartObject();
        json.WriteString("id"u8, offer.Model.Code);
        json.WriteString("object"u8, "model"u8);
        json.WriteNumber("created"u8, offer.Model.Created);
        json.WriteString("owned_by"u8, unlisted ? "glimmer"u8 : "z-ai"u8);
        json.WriteStartObject("x_glimmer"u8);
        json.WriteString("backend"u8, offer.Route.Backend.Name);
        json.WriteString("served_by"u8, offer.Route.Model);
        json.WriteBoolean("stand_in"u8, offer.Route.StandIn);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static async Task RespondAsync(HttpContext context, Action<Utf8JsonWriter> write)
    {
        var body = new ArrayBufferWriter<byte>(4096);
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
            write(json);
        await JsonResponse.WriteAsync(context, body);
    }
}
