using System.Globalization;
using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Catalog;
using Glimmer.Platform.Ledger;
using Glimmer.Server.Billing;
using static Glimmer.Server.Admin.AdminJson;

namespace Glimmer.Server.Admin;

/// <summary>Versions of the catalogue and of the plans, and what the one in force says.</summary>
internal static class CatalogueOperations
{
    private const int MostText = 4 << 20;

    public static AdminOperation[] All { get; } =
    [
        .. Of("/catalogue", VersionKind.Catalogue, "the catalogue"),
        .. Of("/plan-rules", VersionKind.Plans, "the plans"),
        new("GET", "/catalogue/models", "Lists the models in force: limits by tier and state.", call => Task.FromResult<Outcome<JsonNode?>>(Models(call))),
        new("GET", "/catalogue/prices", "Lists the prices in force: currency, model.", call => Task.FromResult(Prices(call))),
    ];

    private static AdminOperation[] Of(string path, VersionKind kind, string what) =>
    [
        new("GET", path, $"Lists the versions of {what}, and which is in force.", call => Task.FromResult<Outcome<JsonNode?>>(List(call, kind))),
        new("GET", path + "/versions/{id}", $"Shows the text of a version of {what}.", call =>
            Task.FromResult<Outcome<JsonNode?>>(Find(call, kind) is { } id && id > 0 ? new JsonObject { ["id"] = id, ["text"] = call.Platform.Versions.TextOf(kind, id) } : NoVersion(call))),
        new("POST", path + "/validate", $"Checks a text of {what} and stores nothing: text.", call =>
        {
            string? text = call.Body.Text("text", required: true, max: MostText);
            if (call.Error is { } error)
                return Task.FromResult<Outcome<JsonNode?>>(error);
            call.Platform.Versions.Check(kind, text!);
            return Task.FromResult<Outcome<JsonNode?>>(new JsonObject { ["valid"] = true });
        }),
        new("POST", path + "/versions", $"Checks and stores a version of {what}: text, note, activate.", async call =>
        {
            string? text = call.Body.Text("text", required: true, max: MostText);
            string note = call.Body.Text("note", max: 500) ?? "";
            bool activate = call.Body.Flag("activate") ?? false;
            if (call.Error is { } error)
                return error;
            long id = await call.Platform.Versions.AddAsync(kind, text!, call.Actor.Name, note);
            await call.AuditAsync($"{Word(kind)}.add", Text(id), null, new JsonObject { ["note"] = note, ["characters"] = text!.Length });
            if (activate)
                await ActivateAsync(call, kind, id);
            return new JsonObject { ["id"] = id, ["active"] = activate };
        }),
        new("POST", path + "/versions/{id}/activate", $"Puts a version of {what} in force; 0 is what program and data folder bring.", async call =>
            Find(call, kind) is not { } id ? NoVersion(call) : await ActivateAsync(call, kind, id)),
        new("POST", path + "/rollback", $"Puts the version of {what} in force that was before.", async call =>
            call.Platform.Versions.Former(kind) is not { } former ? AdminErrors.Conflict("No version was ever put in force", "尚无版本生效") : await ActivateAsync(call, kind, former)),
    ];

    private static Glimmer.Protocol.Errors.PlatformError NoVersion(AdminCall call) =>
        long.TryParse(call.Route("id"), NumberStyles.None, CultureInfo.InvariantCulture, out long id) ? AdminErrors.Missing($"version as {Text(id)}", $"版本 {Text(id)} ") : AdminErrors.Missing("version", "版本");

    private static long? Find(AdminCall call, VersionKind kind) =>
        long.TryParse(call.Route("id"), NumberStyles.None, CultureInfo.InvariantCulture, out long id) && (id == 0 || call.Platform.Versions.List().Any(version => version.Id == id && version.Kind == kind)) ? id : null;

    private static async Task<Outcome<JsonNode?>> ActivateAsync(AdminCall call, VersionKind kind, long id)
    {
        long before = call.Platform.Versions.InForce(kind);
        await call.Platform.Versions.ActivateAsync(kind, id, call.Actor.Name);
        await call.AuditAsync($"{Word(kind)}.activate", Text(id), new JsonObject { ["version"] = before }, new JsonObject { ["version"] = id });
        return new JsonObject { ["id"] = id, ["active"] = true, ["former"] = before };
    }

    private static JsonObject List(AdminCall call, VersionKind kind) => new()
    {
        ["in_force"] = call.Platform.Versions.InForce(kind),
        ["data"] = new JsonArray([.. call.Platform.Versions.List().Where(version => version.Kind == kind).Select(version => new JsonObject
        {
            ["id"] = version.Id,
            ["active"] = version.Active,
            ["author"] = version.Author,
            ["note"] = version.Note,
            ["created"] = Ms(version.Created),
        })]),
    };

    private static JsonObject Models(AdminCall call)
    {
        Catalogue catalogue = call.Platform.Catalogue.Current;
        return new JsonObject
        {
            ["version"] = catalogue.Version,
            ["data"] = new JsonArray([.. catalogue.Models.Select(model => new JsonObject
            {
                ["code"] = model.Code,
                ["kind"] = System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(model.Kind.ToString()),
                ["state"] = System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName(model.State.ToString()),
                ["successor"] = model.Successor,
                ["context"] = model.Context,
                ["max_output"] = model.MaxOutput,
                ["priced"] = catalogue.IsPriced(model.Code),
                ["concurrency"] = Tiers(tier => catalogue.ConcurrencyOf(model, tier)),
                ["per_minute"] = Tiers(tier => catalogue.RateOf(model, tier).PerMinute),
                ["per_day"] = Tiers(tier => catalogue.RateOf(model, tier).PerDay),
            })]),
        };

        static JsonArray Tiers(Func<int, int> of) => [.. Enumerable.Range(0, 4).Select(tier => JsonValue.Create(of(tier)))];
    }

    private static Outcome<JsonNode?> Prices(AdminCall call)
    {
        string? code = call.Query.Name("currency");
        string? only = call.Query.Name("model");
        if (call.Error is { } error)
            return error;
        Currency currency = call.Platform.Currency;
        if (code is not null && !Currency.TryParse(code, out currency))
            return Glimmer.Protocol.Errors.PlatformError.Invalid("currency", "it is no currency", "Use a code such as USD or CNY");
        Catalogue catalogue = call.Platform.Catalogue.Current;
        var data = new JsonArray();
        foreach (CatalogModel model in catalogue.Models.Where(model => only is null || string.Equals(model.Code, only, StringComparison.OrdinalIgnoreCase)))
        {
            foreach (CataloguePrice step in catalogue.PricesOf(model, currency))
            {
                var json = new JsonObject { ["model"] = model.Code, ["input_below"] = step.InputBelow, ["output_below"] = step.OutputBelow };
                foreach (PriceLine line in step.Price.Lines)
                    json[BillingJson.UnitWords[(int)line.Kind]] = new JsonObject { ["amount"] = line.Amount.AmountText, ["per"] = line.Per };
                data.Add(json);
            }
        }

        return new JsonObject { ["version"] = catalogue.Version, ["currency"] = currency.Code, ["data"] = data };
    }

    private static string Word(VersionKind kind) => kind == VersionKind.Plans ? "plan_rules" : "catalogue";

    private static string Text(long id) => id.ToString(CultureInfo.InvariantCulture);
}
