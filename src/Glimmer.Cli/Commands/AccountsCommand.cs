using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;

namespace Glimmer.Cli.Commands;

/// <summary><c>glimmer accounts</c>: who owns keys and pays, and who may administer. A running server follows within a second.</summary>
internal static class AccountsCommand
{
    public static Command Create()
    {
        AdminField account = AdminField.Route("account", "ACCOUNT", "Public id of the account, or default for the machine's owner.");
        AdminField user = AdminField.Route("user", "USER", "What calls send as user_id.");
        AdminField reason = AdminField.Text("--reason", "reason", "Why, for operators.");
        AdminField until = AdminField.Instant("--until", "until", "When it ends by itself.");
        return new AdminFamily("accounts", "Find, make, lock, limit, export and close accounts.", ofAccount: false)
            .Leaf("list", "List accounts.", "GET /accounts",
            [
                AdminField.Query("--search", "search", "A part of the name or of a member's address, or an id."),
                AdminField.Query("--state", "state", "Only accounts that are active, inactive, locked, in_arrears, unavailable, irregular or closed."),
                AdminField.Query("--after", "after", "Last id of the page before."),
                AdminField.Query("--limit", "limit", "Accounts of a page, 1 to 500."),
            ])
            .Leaf("show", "Show an account with its funds and plan.", "GET /accounts/{account}", [account])
            .Leaf("create", "Make an account.", "POST /accounts",
                [AdminField.Argument("name", "NAME", "What it is called."), AdminField.Text("--language", "language", "Language of its mails, en or zh.")],
                answer => Say(answer.Json["id"]!.GetValue<string>()))
            .Leaf("rename", "Rename an account.", "PUT /accounts/{account}/name", [account, AdminField.Argument("name", "NAME", "What it is called.")])
            .Leaf("state", "Put an account into a state: active, inactive (1110), locked (1112), in_arrears (1113), unavailable (1120) or irregular (1121).", "PUT /accounts/{account}/state",
                [account, AdminField.Argument("state", "STATE", "The state."), reason, until])
            .Leaf("tier", "Set the user tier.", "PUT /accounts/{account}/tier", [account, AdminField.Argument("tier", "TIER", "0 to 8; V0 to V3 are usual.")])
            .Leaf("limit", "Set how many requests of one model may be in flight, in place of what the tier gives.", "PUT /accounts/{account}/limits",
            [
                account,
                AdminField.Whole("--concurrency", "concurrency", "Requests, 0 for no limit.", least: 0, most: 100_000),
                AdminField.Lift("--of-tier", "concurrency", "Go back to what the tier gives."),
            ])
            .Leaf("members", "List who belongs to an account.", "GET /accounts/{account}/members", [account])
            .Leaf("locked-users", "List the end users of an account who are locked.", "GET /accounts/{account}/end-users", [account])
            .Leaf("lock-user", "Lock an end user of an account.", "PUT /accounts/{account}/end-users/{user}", [account, user, reason, until], answer => Say($"{answer.Account.PublicId}: the end user is locked."))
            .Leaf("release-user", "Let an end user of an account in again.", "DELETE /accounts/{account}/end-users/{user}", [account, user], answer => Say($"{answer.Account.PublicId}: the end user is let in again."))
            .Leaf("lock-everywhere", "Lock an end user for all accounts.", "PUT /end-users/{user}", [user, reason, until], _ => Say("The end user is locked for all accounts."))
            .Leaf("release-everywhere", "Let an end user of all accounts in again.", "DELETE /end-users/{user}", [user], _ => Say("The end user is let in again."))
            .Leaf("export", "Print all that is kept about an account.", "GET /accounts/{account}/export", [account], answer => Say(AdminPrinter.Json(answer.Json)))
            .Leaf("close", "Close an account for good and erase what is personal.", "POST /accounts/{account}/close",
                [account, AdminField.Text("--confirm", "confirm", "The account's id once more.", required: true)], answer => Say($"{answer.Account.PublicId} is closed."))
            .Leaf("operators", "List the people who may administer the platform.", "GET /operators", [])
            .Leaf("promote", "Let a user administer the platform.", "PUT /operators/{email}", [AdminField.Route("email", "EMAIL", "The user's address.")], answer => Say($"{Email(answer.Json)} is an operator."))
            .Leaf("demote", "Take a user's right to administer back.", "DELETE /operators/{email}", [AdminField.Route("email", "EMAIL", "The user's address.")], answer => Say($"{Email(answer.Json)} is no operator."))
            .Command;
    }

    private static string Email(JsonNode user) => string.Create(CultureInfo.InvariantCulture, $"{user["email"]}");

    private static int Say(string text)
    {
        Console.WriteLine(text);
        return 0;
    }
}
