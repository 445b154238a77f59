using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Accounts;
using static Glimmer.Server.Admin.AdminJson;

namespace Glimmer.Server.Admin;

/// <summary>Projects and keys of any account.</summary>
internal static class KeyOperations
{
    public static AdminOperation[] All { get; } =
    [
        new("GET", "/accounts/{account}/projects", "Lists the projects of an account.", async call => AccountJson.List(await call.Platform.Accounts.Accounts.ProjectsAsync(call.Account.Id), AccountJson.Of)),
        new("POST", "/accounts/{account}/projects", "Makes a project: name.", async call =>
        {
            string? name = call.Body.Text("name", required: true, max: 100);
            return call.Error ?? Json(await call.Platform.Accounts.Accounts.CreateProjectAsync(call.Actor, call.Account.Id, name!), AccountJson.Of);
        }),
        new("PUT", "/accounts/{account}/projects/{project}", "Renames a project: name.", async call =>
        {
            string? name = call.Body.Text("name", required: true, max: 100);
            return call.Error ?? Json(await call.Platform.Accounts.Accounts.RenameProjectAsync(call.Actor, call.Account.Id, call.Route("project"), name!), AccountJson.Of);
        }),
        new("DELETE", "/accounts/{account}/projects/{project}", "Deletes a project and its keys.", async call =>
            Json(await call.Platform.Accounts.Accounts.DeleteProjectAsync(call.Actor, call.Account.Id, call.Route("project")), Done)),
        new("GET", "/accounts/{account}/keys", "Lists the keys of an account: project.", async call =>
        {
            string? project = call.Query.Name("project");
            return call.Error ?? (Outcome<JsonNode?>)AccountJson.List(await call.Platform.Accounts.Keys.ListAsync(call.Account.Id, project), Of);
        }),
        new("POST", "/accounts/{account}/keys", "Makes a key and shows its credential this once: name, project, expires, models, ips, spend_cap, operator.", CreateAsync),
        new("GET", "/accounts/{account}/keys/{key}", "Shows a key.", async call => Json(await call.Platform.Accounts.Keys.FindAsync(call.Account.Id, call.Route("key")), Of)),
        new("PUT", "/accounts/{account}/keys/{key}", "Changes a key: name, disabled, expires, models, ips, spend_cap, operator; null lifts a restriction.", ChangeAsync),
        new("POST", "/accounts/{account}/keys/{key}/rotate", "Gives a key another secret: overlap_seconds.", async call =>
        {
            long? overlap = call.Body.Whole("overlap_seconds", 0, (long)KeyService.LongestOverlap.TotalSeconds);
            return call.Error ?? Json(await call.Platform.Accounts.Keys.RotateAsync(call.Actor, call.Account.Id, call.Route("key"), TimeSpan.FromSeconds(overlap ?? 0)), AccountJson.Of);
        }),
        new("DELETE", "/accounts/{account}/keys/{key}", "Deletes a key.", async call => Json(await call.Platform.Accounts.Keys.DeleteAsync(call.Actor, call.Account.Id, call.Route("key")), Done)),
        new("GET", "/keys/{key}", "Shows a key of any account, and whose it is.", FindAsync),
    ];

    private static JsonObject Of(KeyDetails key)
    {
        JsonObject json = AccountJson.Of(key);
        json["operator"] = key.Key.IsOperator;
        return json;
    }

    private static async Task<Outcome<JsonNode?>> CreateAsync(AdminCall call)
    {
        KeyFields body = KeyFields.Read(call.Body, nameNeeded: true, KeyRules.None, call.Now);
        bool? isOperator = call.Body.Flag("operator");
        if (call.Error is { } error)
            return error;
        return Json(
            await call.Platform.Accounts.Keys.CreateAsync(
                call.Actor, call.Account.Id, body.Project, body.Name!, body.Expires == DateTimeOffset.MaxValue ? null : body.Expires, body.Rules, isOperator ?? false),
            AccountJson.Of);
    }

    private static async Task<Outcome<JsonNode?>> ChangeAsync(AdminCall call)
    {
        Outcome<KeyDetails> before = await call.Platform.Accounts.Keys.FindAsync(call.Account.Id, call.Route("key"));
        if (before.Error is { } missing)
            return missing;
        KeyFields body = KeyFields.Read(call.Body, nameNeeded: false, before.Value!.Key.Rules, call.Now);
        bool? isOperator = call.Body.Flag("operator");
        if (call.Error is { } error)
            return error;
        var change = new KeyChange { Name = body.Name, Disabled = body.Disabled, Expires = body.Expires, Rules = body.Rules, Operator = isOperator };
        return Json(await call.Platform.Accounts.Keys.ChangeAsync(call.Actor, call.Account.Id, call.Route("key"), change), Of);
    }

    private static async Task<Outcome<JsonNode?>> FindAsync(AdminCall call)
    {
        if (call.Platform.Accounts.Directory.FindKey(call.Route("key")) is not { } key || call.Platform.Accounts.Directory.Find(key.AccountId) is not { } account)
            return AdminErrors.Missing("key", "API Key");
        return Json(await call.Platform.Accounts.Keys.FindAsync(account.Id, key.Id), details =>
        {
            JsonObject json = Of(details);
            json["account"] = account.PublicId;
            return json;
        });
    }
}
