using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Models;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Messages;

/// <summary>
/// <c>GET /v1/models</c> and <c>GET /v1/models/{id}</c> of the Anthropic base (spec: api.md §23.3): the cursors in both spellings that clients know.
/// </summary>
internal sealed class MessagesModels(ModelOffers offers, ModelNames names, RequestGate gate)
{
    private const int DefaultPage = 20;
    private const int LargestPage = 1000;

    /// <summary>Lists what is offered, a page at a time (<c>limit</c>, <c>after_id</c>, <c>before_id</c>).</summary>
    public async Task ListAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is null)
            return;
        int limit = DefaultPage;
        if (context.Request.Query["limit"].ToString() is { Length: > 0 } asked
            && (!int.TryParse(asked, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is < 1 or > LargestPage))
        {
            await ErrorResponse.WriteAsync(context, PlatformError.Invalid("limit", "it is no number of models", $"Use a whole number from 1 to {LargestPage}"));
            return;
        }

        List<ModelOffer> all = [.. offers.List()];
        int first = 0, end = all.Count;
        if (context.Request.Query["after_id"].ToString() is { Length: > 0 } after)
            first = all.FindIndex(offer => IsNamed(offer, after)) + 1;
        if (context.Request.Query["before_id"].ToString() is { Length: > 0 } before && all.FindIndex(offer => IsNamed(offer, before)) is >= 0 and var found)
            (first, end) = (Math.Max(0, found - limit), found);
        List<ModelOffer> page = all[first..Math.Min(first + limit, end)];
        bool more = first + page.Count < end;
        await RespondAsync(context, json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("data"u8);
            foreach (ModelOffer offer in page)
                Write(json, offer);
            json.WriteEndArray();
            json.WriteBoolean("has_more"u8, more);
            json.WriteBoolean("hasMore"u8, more);
            json.WriteString("first_id"u8, page.Count > 0 ? page[0].Model.Code : null);
            json.WriteString("firstId"u8, page.Count > 0 ? page[0].Model.Code : null);
            json.WriteString("last_id"u8, page.Count > 0 ? page[^1].Model.Code : null);
            json.WriteString("lastId"u8, page.Count > 0 ? page[^1].Model.Code : null);
            json.WriteEndObject();
        });
    }

    /// <summary>Describes one model, also by a name that stands for it.</summary>
    public async Task GetAsync(HttpContext context)
    {
        if (await gate.AuthenticateAsync(context) is null)
            return;
        (ModelOffer? offer, PlatformError? error) = offers.FindChat(names.Resolve((string?)context.Request.RouteValues["id"] ?? ""), "id", "messages");
        if (offer is not { } found)
        {
            await ErrorResponse.WriteAsync(context, error! with { Status = StatusCodes.Status404NotFound });
            return;
        }

        RequestRecord.Of(context).Model = found.Model.Code;
        await RespondAsync(context, json => Write(json, found));
    }

    private static bool IsNamed(in ModelOffer offer, string code) => string.Equals(offer.Model.Code, code, StringComparison.OrdinalIgnoreCase);

    private static void Write(Utf8JsonWriter json, in ModelOffer offer)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, "model"u8);
        json.WriteString("id"u8, offer.Model.Code);
        json.WriteString("display_name"u8, offer.Model.Code.ToUpperInvariant());
        json.WriteString("created_at"u8, DateTimeOffset.FromUnixTimeSeconds(offer.Model.Created).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture));
        WriteLimit(json, "max_input_tokens", offer.Model.Context);
        WriteLimit(json, "max_tokens", offer.Model.MaxOutput);
        json.WriteEndObject();
    }

    private static void WriteLimit(Utf8JsonWriter json, string name, int limit)
    {
        if (limit > 0)
            json.WriteNumber(name, limit);
        else
            json.WriteNull(name);
    }

    private static async Task RespondAsync(HttpContext context, Action<Utf8JsonWriter> write)
    {
        var body = new ArrayBufferWriter<byte>(4096);
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
            write(json);
        await JsonResponse.WriteAsync(context, body);
    }
}
