using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Ledger;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Accounts;
using Glimmer.Server.Billing;
using static Glimmer.Server.Admin.AdminJson;

namespace Glimmer.Server.Admin;

/// <summary>Accounts, their states, tiers, limits and end users, and who is an operator.</summary>
internal static class AccountOperations
{
    private static readonly string[] _states = ["active", "inactive", "locked", "in_arrears", "unavailable", "irregular"];

    public static AdminOperation[] All { get; } =
    [
        new("GET", "/accounts", "Lists accounts: search (name, address of a member, id), state, after (last id of the page before), limit.", ListAsync),
        new("POST", "/accounts", "Makes an account: name, language (en, zh).", CreateAsync),
        new("GET", "/accounts/{account}", "Shows an account with funds and plan.", async call => await DetailsAsync(call, call.Account)),
        new("PUT", "/accounts/{account}/name", "Renames an account: name.", async call =>
        {
            string? name = call.Body.Text("name", required: true, max: 100);
            return call.Error ?? Json(await call.Platform.Accounts.Accounts.RenameAsync(call.Actor, call.Account.Id, name!), Of);
        }),
        new("PUT", "/accounts/{account}/state", "Puts an account into a state: state, reason, until.", SetStateAsync),
        new("PUT", "/accounts/{account}/tier", "Sets the user tier: tier 0 to 8 (V0 to V3 are usual).", async call =>
        {
            long? tier = call.Body.Whole("tier", 0, 8);
            if (call.Error is null && tier is null)
                return PlatformError.Missing("tier", "Send a whole number from 0 to 8");
            return call.Error ?? Json(await call.Platform.Accounts.Accounts.SetTierAsync(call.Actor, call.Account.Id, (int)tier!), Of);
        }),
        new("PUT", "/accounts/{account}/limits", "Sets how many requests of one model may be in flight: concurrency, 0 for no limit, null for the tier's.", async call =>
        {
            long? requests = call.Body.Whole("concurrency", 0, 100_000);
            if (call.Error is null && !call.Body.Element.TryGetProperty("concurrency", out _))
                return PlatformError.Missing("concurrency", "Send a whole number from 0 to 100000, or null for the tier's limit");
            return call.Error ?? Json(await call.Platform.Accounts.Accounts.SetConcurrencyAsync(call.Actor, call.Account.Id, (int?)requests), Of);
        }),
        new("GET", "/accounts/{account}/members", "Lists who belongs to an account.", async call => AccountJson.List(await call.Platform.Accounts.Members.ListAsync(call.Account.Id), AccountJson.Of)),
        new("GET", "/accounts/{account}/end-users", "Lists the locked end users of an account.", call => EndUsersAsync(call, call.Account.Id)),
        new("PUT", "/accounts/{account}/end-users/{user}", "Locks an end user of an account (1121): reason, until.", call => LockAsync(call, call.Account.Id)),
        new("DELETE", "/accounts/{account}/end-users/{user}", "Lets an end user of an account in again.", call => ReleaseAsync(call, call.Account.Id)),
        new("GET", "/end-users", "Lists the end users who are locked for all accounts.", call => EndUsersAsync(call, 0)),
        new("PUT", "/end-users/{user}", "Locks an end user for all accounts: reason, until.", call => LockAsync(call, 0)),
        new("DELETE", "/end-users/{user}", "Lets an end user of all accounts in again.", call => ReleaseAsync(call, 0)),
        new("GET", "/accounts/{account}/export", "Exports all that is kept about an account.", async call => await call.Platform.Accounts.Data.ExportAsync(call.Actor, call.Account, call.Cancel)),
        new("POST", "/accounts/{account}/close", "Closes an account for good and erases what is personal: confirm (its id).", async call =>
        {
            string? confirm = call.Body.Text("confirm", required: true, max: 100);
            if (call.Error is null && confirm != call.Account.PublicId)
                return PlatformError.Invalid("confirm", "it is not the account's id", $"Send {call.Account.PublicId} to close the account for good");
            return call.Error ?? Json(await call.Platform.Accounts.Data.DeleteAsync(call.Actor, call.Account), Done);
        }),
        new("GET", "/operators", "Lists the people who may administer the platform.", async call => AccountJson.List(await call.Platform.Accounts.Operators.ListAsync(), AccountJson.Of)),
        new("PUT", "/operators/{email}", "Makes a user an operator.", async call => Json(await call.Platform.Accounts.Operators.SetAsync(call.Actor, call.Route("email"), true), AccountJson.Of)),
        new("DELETE", "/operators/{email}", "Takes a user's right to administer back.", async call => Json(await call.Platform.Accounts.Operators.SetAsync(call.Actor, call.Route("email"), false), AccountJson.Of)),
    ];

    public static string Word(AccountState state) => state == AccountState.InArrears ? "in_arrears" : state.ToString().ToLowerInvariant();

    public static JsonObject Of(AccountEntry account) => new()
    {
        ["id"] = account.PublicId,
        ["name"] = account.Name,
        ["default"] = account.IsDefault,
        ["state"] = Word(account.State),
        ["state_until"] = Ms(account.StateUntil),
        ["state_reason"] = account.StateReason,
        ["tier"] = account.Tier,
        ["concurrency"] = account.Concurrency,
        ["language"] = account.Language,
        ["created"] = Ms(account.Created),
    };

    private static async Task<JsonObject> DetailsAsync(AdminCall call, AccountEntry account)
    {
        JsonObject json = Of(account);
        PlatformLedger ledger = call.Platform.Ledger;
        json["balances"] = Written(writer => writer.WriteList("balances", ledger.CurrenciesOf(account.PublicId).Select(currency => ledger.BalanceOf(account.PublicId, currency)), BillingJson.WriteBalance))["balances"]!.DeepClone();
        json["plan"] = await PlanOperations.StandingAsync(call);
        return json;
    }

    private static async Task<Outcome<JsonNode?>> ListAsync(AdminCall call)
    {
        string? text = call.Query.Name("search");
        string? state = call.Query.Name("state");
        string? after = call.Query.Name("after");
        int limit = (int)call.Query.Whole("limit", 1, AccountSearch.Limit, 50);
        if (call.Error is { } error)
            return error;
        if (state is not null && state != "closed" && !_states.Contains(state))
            return PlatformError.Invalid("state", $"\"{state}\" is not known", $"Use one of {string.Join(", ", _states)}, closed");
        long last = 0;
        if (after is not null)
        {
            if (call.Platform.Accounts.Directory.Find(after) is not { } found)
                return PlatformError.Invalid("after", "it is not an account", "Use the id of the last account of the page before");
            last = found.Id;
        }

        AccountState? wanted = state is null ? null : state == "closed" ? AccountState.Closed : Parse(state);
        IReadOnlyList<AccountEntry> page = await call.Platform.Accounts.Accounts.SearchAsync(new AccountSearch(text, wanted, last, limit));
        JsonObject json = AccountJson.List(page, Of);
        json["next"] = page.Count == limit ? page[^1].PublicId : null;
        return json;
    }

    private static async Task<Outcome<JsonNode?>> CreateAsync(AdminCall call)
    {
        string? name = call.Body.Text("name", required: true, max: 100);
        string? language = call.Body.Word("language", false, "en", "zh");
        return call.Error ?? Json(await call.Platform.Accounts.Accounts.CreateAsync(call.Actor, name!, language ?? "en"), Of);
    }

    private static async Task<Outcome<JsonNode?>> SetStateAsync(AdminCall call)
    {
        string? state = call.Body.Word("state", true, _states);
        string? reason = call.Body.Text("reason", max: 500);
        DateTimeOffset? until = call.Coming("until");
        return call.Error ?? Json(await call.Platform.Accounts.Accounts.SetStateAsync(call.Actor, call.Account.Id, Parse(state!), reason ?? "", until), Of);
    }

    private static AccountState Parse(string word) => Enum.Parse<AccountState>(word.Replace("_", "", StringComparison.Ordinal), ignoreCase: true);

    private static async Task<Outcome<JsonNode?>> EndUsersAsync(AdminCall call, long account) =>
        AccountJson.List(await call.Platform.Accounts.Accounts.LockedEndUsersAsync(account), row => new JsonObject
        {
            ["user_id"] = row.EndUser,
            ["reason"] = row.Reason,
            ["locked"] = Ms(row.Created),
            ["until"] = Ms(row.Until),
        });

    private static async Task<Outcome<JsonNode?>> LockAsync(AdminCall call, long account)
    {
        string? reason = call.Body.Text("reason", max: 500);
        DateTimeOffset? until = call.Coming("until");
        return call.Error ?? Json(await call.Platform.Accounts.Accounts.LockEndUserAsync(call.Actor, account, call.Route("user"), reason ?? "", until), Done);
    }

    private static async Task<Outcome<JsonNode?>> ReleaseAsync(AdminCall call, long account) =>
        Json(await call.Platform.Accounts.Accounts.ReleaseEndUserAsync(call.Actor, account, call.Route("user")), Done);
}
