using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer keys</c>: makes, lists, changes, rotates, switches off and deletes API keys. A running server follows within a second.</summary>
internal static class KeysCommand
{
    private const string Key = "/accounts/{account}/keys/{key}";

    public static Command Create()
    {
        AdminField id = AdminField.Route("key", "ID", "The part of the key before the dot.");
        AdminField expires = AdminField.Whole("--expires-days", "expires", "Days until it stops to work, 1 to 3650; never when not given.", convert: ExpiresAfter, least: 1, most: 3650);
        AdminField[] rules =
        [
            AdminField.Texts("--models", "models", "Model codes that it may call."),
            AdminField.Texts("--ips", "ips", "Addresses or networks that it may be used from."),
            AdminField.Whole("--spend-cap", "spend_cap", "Most that may be spent with it, in billionths of the currency.", least: 0),
        ];
        return new AdminFamily("keys", "Make, list, limit, rotate and switch off API keys.", ofAccount: true)
            .Leaf("create", "Make a key and print it. It cannot be shown again.", "POST /accounts/{account}/keys",
                [
                    AdminField.Text("--name", "name", "What you call the key.", otherwise: "key"),
                    expires,
                    AdminField.Text("--project", "project", "Public id of its project; the account's first when not given."),
                    .. rules,
                    AdminField.Flag("--operator", "operator", "It may administer the platform; keys of the machine's owner only."),
                ],
                answer => Say(answer.Json["credential"]!.GetValue<string>()))
            .Leaf("list", "List the keys; secrets are not kept in a form that could be shown.", "GET /accounts/{account}/keys", [AdminField.Query("--project", "project", "Only keys of this project.")], List)
            .Leaf("show", "Show a key of any account.", "GET /keys/{key}", [id])
            .Leaf("set", "Change a key.", "PUT " + Key,
            [
                id,
                AdminField.Text("--name", "name", "What you call the key."),
                expires,
                .. rules,
                AdminField.Lift("--any-model", "models", "It may call every model."),
                AdminField.Lift("--any-ip", "ips", "It may be used from everywhere."),
                AdminField.Lift("--no-spend-cap", "spend_cap", "Nothing limits what may be spent."),
                AdminField.Lift("--never-expires", "expires", "It never stops to work."),
                AdminField.Flag("--operator", "operator", "It may administer the platform; keys of the machine's owner only."),
                AdminField.Flag("--no-operator", "operator", "It may not administer the platform.", value: false),
            ])
            .Leaf("rotate", "Give a key another secret and print the key.", "POST " + Key + "/rotate",
                [id, AdminField.Whole("--overlap-hours", "overlap_seconds", "Hours for which the former secret works on, 0 to 720.", convert: hours => hours * 3600, least: 0, most: 720)],
                answer => Say(answer.Json["credential"]!.GetValue<string>()))
            .Leaf("disable", "Switch a key off.", "PUT " + Key, [id, AdminField.Constant("disabled", true)], answer => Say($"{answer.Json["id"]} is off."))
            .Leaf("enable", "Switch a key on again.", "PUT " + Key, [id, AdminField.Constant("disabled", false)], answer => Say($"{answer.Json["id"]} is on."))
            .Leaf("delete", "Delete a key.", "DELETE " + Key, [id], _ => Say("The key is gone."))
            .Command;
    }

    private static JsonNode? ExpiresAfter(long days) => TimeProvider.System.GetUtcNow().AddDays(days).ToUnixTimeMilliseconds();

    private static int List(AdminAnswer answer)
    {
        foreach (JsonNode? key in answer.Json["data"]!.AsArray())
        {
            DateTimeOffset? expires = key!["expires"] is { } end ? DateTimeOffset.FromUnixTimeMilliseconds(end.GetValue<long>()) : null;
            string state = key["disabled"]!.GetValue<bool>() ? "off" : expires < TimeProvider.System.GetUtcNow() ? "expired" : expires is { } until ? "until " + Day(until) : "on";
            string right = key["operator"]!.GetValue<bool>() ? "  (operator)" : "";
            Console.WriteLine($"{key["id"]}  {Day(DateTimeOffset.FromUnixTimeMilliseconds(key["created"]!.GetValue<long>()))}  {state,-16}  {key["name"]}{right}");
        }

        return 0;
    }

    private static string Day(DateTimeOffset time) => time.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);

    private static int Say(string text)
    {
        Console.WriteLine(text);
        return 0;
    }
}
