using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Glimmer.Platform.Billing;
using Glimmer.Platform.Ledger;
using Glimmer.Protocol.Json;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Billing;

/// <summary>
/// Writes the answers of the billing pages. Amounts are texts, since a number would pass through binary fractions in most readers;
/// instants are ISO 8601.
/// </summary>
internal static class BillingJson
{
    /// <summary>The wire's words for units, in the order of <see cref="UnitKind"/>.</summary>
    internal static readonly string[] UnitWords =
        ["input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "images", "videos", "audio_milliseconds", "audio_tokens", "characters", "pages", "searches", "tools"];

    public static async Task WriteAsync(HttpContext context, Action<Utf8JsonWriter> write, int status = StatusCodes.Status200OK)
    {
        var body = new ArrayBufferWriter<byte>(1024);
        await using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }

        context.Response.StatusCode = status;
        context.Response.Headers.CacheControl = "no-store";
        await JsonResponse.WriteAsync(context, body);
    }

    public static void WriteList<T>(this Utf8JsonWriter json, string name, IEnumerable<T> items, Action<Utf8JsonWriter, T> write)
    {
        json.WriteStartArray(name);
        foreach (T item in items)
        {
            json.WriteStartObject();
            write(json, item);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    public static void WriteBalance(Utf8JsonWriter json, Balance balance)
    {
        json.WriteString("currency", balance.Cash.Currency.Code);
        json.WriteString("cash", balance.Cash.AmountText);
        json.WriteString("credits", balance.Credits.AmountText);
        json.WriteString("funds", balance.Funds.AmountText);
        json.WriteString("held", balance.Held.AmountText);
        json.WriteString("arrears", balance.Arrears.AmountText);
        json.WriteList("credit_grants", balance.CreditLots, static (json, lot) =>
        {
            json.WriteString("left", lot.Left.AmountText);
            json.WriteString("granted", lot.Granted.AmountText);
            json.WriteTime("expires", lot.Expires);
        });
        json.WriteList("packs", balance.Packs, static (json, pack) =>
        {
            json.WriteNumber("left", pack.Left);
            json.WriteNumber("bought", pack.Bought);
            json.WriteString("price", pack.Price.AmountText);
            json.WriteTime("expires", pack.Expires);
            json.WriteStartArray("units");
            foreach (UnitKind kind in pack.Scope.Kinds)
                json.WriteStringValue(UnitWords[(int)kind]);
            json.WriteEndArray();
            json.WriteStartArray("models");
            foreach (string model in pack.Scope.Models)
                json.WriteStringValue(model);
            json.WriteEndArray();
        });
    }

    public static void WriteUsage(Utf8JsonWriter json, UsageLine line)
    {
        json.WriteTime("start", line.Start);
        if (line.Model is not null)
            json.WriteString("model", line.Model);
        if (line.KeyId is not null)
            json.WriteString("key", line.KeyId);
        if (line.ProjectId is not null)
            json.WriteString("project", line.ProjectId);
        if (line.Mode is { } mode)
            json.WriteString("paid_by", Word(mode));
        json.WriteNumber("requests", line.Requests);
        json.WriteNumber("failed", line.Failed);
        json.WriteStartObject("units");
        for (int kind = 0; kind < UnitWords.Length; kind++)
        {
            if (line.Units[kind] != 0)
                json.WriteNumber(UnitWords[kind], line.Units[kind]);
        }

        json.WriteEndObject();
        json.WriteNumber("cache_hit_rate", Math.Round(line.CacheHitRate, 4));
        json.WriteNumber("planUnitWords", line.PlanUnits);
        WritePaid(json, line.Cash, line.Credits, line.PackValue, line.PackQuantity);
    }

    public static void WriteRequest(Utf8JsonWriter json, RequestLine line)
    {
        json.WriteString("number", line.Number.ToString(CultureInfo.InvariantCulture));
        json.WriteTime("time", line.At);
        json.WriteString("request_id", line.RequestId);
        json.WriteString("project", line.ProjectId);
        json.WriteString("key", line.KeyId);
        json.WriteString("model", line.Model);
        json.WriteString("surface", line.Surface);
        json.WriteNumber("catalogue_version", line.CatalogueVersion);
        json.WriteString("paid_by", Word(line.Mode));
        json.WriteBoolean("failed", line.Failed);
        json.WriteStartObject("units");
        for (int kind = 0; kind < UnitWords.Length; kind++)
        {
            if (line.Units[(UnitKind)kind] != 0)
                json.WriteNumber(UnitWords[kind], line.Units[(UnitKind)kind]);
        }

        json.WriteEndObject();
        json.WriteNumber("planUnitWords", line.PlanUnits);
        WritePaid(json, line.Cash, line.Credits, line.PackValue, line.PackQuantity);
    }

    public static void WriteTransaction(Utf8JsonWriter json, TransactionLine line)
    {
        json.WriteString("number", line.Number.ToString(CultureInfo.InvariantCulture));
        json.WriteString("id", line.Id);
        json.WriteString("kind", JsonNamingPolicy.SnakeCaseLower.ConvertName(line.Kind.ToString()));
        json.WriteTime("time", line.At);
        json.WriteString("memo", line.Memo);
        json.WriteString("reference", line.Reference);
        WritePaid(json, line.Cash, line.Credits, line.Packs, line.PackQuantity);
    }

    public static void WritePayment(Utf8JsonWriter json, Payment payment)
    {
        json.WriteString("id", payment.Id);
        json.WriteString("provider", payment.Provider);
        json.WriteString("currency", payment.Amount.Currency.Code);
        json.WriteString("amount", payment.Amount.AmountText);
        json.WriteString("refunded", payment.Refunded.AmountText);
        json.WriteString("state", payment.State.ToString().ToLowerInvariant());
        json.WriteTime("created", payment.Created);
        json.WriteTime("paid", payment.Paid);
    }

    public static void WriteInvoice(Utf8JsonWriter json, Invoice invoice)
    {
        json.WriteNumber("number", invoice.Number);
        json.WriteString("period", invoice.Period);
        json.WriteTime("issued", invoice.Issued);
        json.WriteString("currency", invoice.Currency);
        json.WriteString("cash", invoice.Cash);
        json.WriteString("credits", invoice.Credits);
        json.WriteList("lines", invoice.Lines, static (json, line) =>
        {
            json.WriteString("item", line.Item);
            json.WriteNumber("requests", line.Requests);
            json.WriteNumber("input_tokens", line.InputTokens);
            json.WriteNumber("cached_input_tokens", line.CachedInputTokens);
            json.WriteNumber("output_tokens", line.OutputTokens);
            json.WriteNumber("otherUnitWords", line.Other);
            json.WriteString("cash", line.Cash);
            json.WriteString("credits", line.Credits);
            json.WriteString("packs", line.Packs);
        });
    }

    public static void WriteTime(this Utf8JsonWriter json, string name, DateTimeOffset? at)
    {
        if (at is { } time)
            json.WriteString(name, time.ToString("yyyy-MM-ddTHH:mm:ss.fffzzz", CultureInfo.InvariantCulture));
        else
            json.WriteNull(name);
    }

    /// <summary>Where the next page begins.</summary>
    public static void WriteNext(Utf8JsonWriter json, bool more, DateTimeOffset at, long number)
    {
        if (more)
            json.WriteString("next", string.Create(CultureInfo.InvariantCulture, $"{at.ToUnixTimeMilliseconds()}.{number}"));
        else
            json.WriteNull("next");
    }

    private static void WritePaid(Utf8JsonWriter json, Money cash, Money credits, Money packValue, long packUnits)
    {
        json.WriteString("currency", cash.Currency.Code);
        json.WriteString("cash", cash.AmountText);
        json.WriteString("credits", credits.AmountText);
        json.WriteString("pack_value", packValue.AmountText);
        json.WriteNumber("packUnitWords", packUnits);
    }

    private static string Word(ChargeMode mode) => mode == ChargeMode.Plan ? "plan" : "balance";
}
