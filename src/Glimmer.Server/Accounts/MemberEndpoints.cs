using System.Globalization;
using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Protocol.Errors;

namespace Glimmer.Server.Accounts;

/// <summary>Accounts, their members, end users, trail, export and deletion.</summary>
internal sealed class MemberEndpoints(AccountGate gate, PlatformAccounts platform, SignInService signIn, SessionCookies cookies, TimeProvider time)
{
    private sealed record Fields(string? Name = null, string? Email = null, string? Role = null, string? Token = null, string? Reason = null, long? Until = null, string? Password = null, string? Confirm = null);

    public Task MeAsync(HttpContext context) => gate.RunAsync(context, null, async call => new JsonObject
    {
        ["user"] = AccountJson.Of(call.User),
        ["csrf_token"] = SignInService.CsrfOf(call.Token),
        ["accounts"] = AccountJson.List(await platform.Members.OfUserAsync(call.User.Id), AccountJson.Of)["data"]!.DeepClone(),
    });

    public Task RenameAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Admin, async call =>
    {
        (Fields? body, PlatformError? error) = await AccountGate.ReadAsync(context, reader => new Fields(Name: reader.Text("name", required: true, max: 100)));
        return body is null ? error! : Json(await platform.Accounts.RenameAsync(call.Actor, call.Account.Id, body.Name!), account => AccountJson.Of(new Membership(account, call.Role)));
    });

    public Task MembersAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Member, async call =>
        AccountJson.List(await platform.Members.ListAsync(call.Account.Id), AccountJson.Of));

    public Task InvitationsAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Admin, async call =>
        AccountJson.List(await platform.Members.InvitationsAsync(call.Account.Id), AccountJson.Of));

    public Task InviteAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Admin, async call =>
    {
        (Fields? body, PlatformError? error) = await AccountGate.ReadAsync(
            context, reader => new Fields(Email: reader.Text("email", required: true, max: 254), Role: reader.Word("role", true, "owner", "admin", "billing", "member")));
        return body is null
            ? error!
            : Json(await platform.Members.InviteAsync(signIn, call.User, call.Role, call.Account, body.Email!, MemberService.ParseRole(body.Role!), $"{call.Address}"), AccountJson.Of);
    });

    public Task WithdrawAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Admin, async call =>
        Json(await platform.Members.WithdrawAsync(call.Actor, call.Account.Id, call.Route("invitation")), Done));

    public Task AcceptAsync(HttpContext context) => gate.RunAsync(context, null, async call =>
    {
        (Fields? body, PlatformError? error) = await AccountGate.ReadAsync(context, reader => new Fields(Token: reader.Text("token", required: true, max: 100)));
        return body is null ? error! : Json(await platform.Members.AcceptAsync(call.User, body.Token!, $"{call.Address}"), AccountJson.Of);
    });

    public Task SetRoleAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Admin, async call =>
    {
        (Fields? body, PlatformError? error) = await AccountGate.ReadAsync(context, reader => new Fields(Role: reader.Word("role", true, "owner", "admin", "billing", "member")));
        return body is null ? error! : Json(await platform.Members.SetRoleAsync(call.Actor, call.Role, call.Account.Id, call.Route("user"), MemberService.ParseRole(body.Role!)), Done);
    });

    // Any member may leave; removing others is checked where members are kept.
    public Task RemoveAsync(HttpContext context) => gate.RunAsync(context, AccountGate.AnyRole, async call =>
        Json(await platform.Members.RemoveAsync(call.Actor, call.Role, call.Account.Id, call.Route("user")), Done));

    public Task EndUsersAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Admin, async call =>
        AccountJson.List(await platform.Accounts.LockedEndUsersAsync(call.Account.Id), row => new JsonObject
        {
            ["user_id"] = row.EndUser,
            ["reason"] = row.Reason,
            ["locked"] = row.Created.ToUnixTimeMilliseconds(),
            ["until"] = row.Until?.ToUnixTimeMilliseconds(),
        }));

    public Task LockEndUserAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Admin, async call =>
    {
        long now = time.GetUtcNow().ToUnixTimeMilliseconds();
        (Fields? body, PlatformError? error) = await AccountGate.ReadAsync(
            context, reader => new Fields(Reason: reader.Text("reason", max: 500), Until: reader.Whole("until", now, now + (3650L * 24 * 3600 * 1000))));
        return body is null
            ? error!
            : Json(
                await platform.Accounts.LockEndUserAsync(
                    call.Actor, call.Account.Id, call.Route("user"), body.Reason ?? "", body.Until is { } until ? DateTimeOffset.FromUnixTimeMilliseconds(until) : null),
                Done);
    });

    public Task ReleaseEndUserAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Admin, async call =>
        Json(await platform.Accounts.ReleaseEndUserAsync(call.Actor, call.Account.Id, call.Route("user")), Done));

    public Task AuditAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Admin, async call =>
    {
        long? before = long.TryParse(context.Request.Query["before"], NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : null;
        return AccountJson.List(await platform.Audit.ListAsync(call.Account.Id, before), AccountJson.Of);
    });

    public Task ExportAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Owner, async call =>
    {
        context.Response.Headers.ContentDisposition = $"attachment; filename=\"{call.Account.PublicId}.json\"";
        return await platform.Data.ExportAsync(call.Actor, call.Account, context.RequestAborted);
    });

    public Task DeleteAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Owner, async call =>
    {
        (Fields? body, PlatformError? error) = await AccountGate.ReadAsync(
            context, reader => new Fields(Password: reader.Text("current_password", max: 1000), Confirm: reader.Text("confirm", required: true, max: 100)));
        if (body is null)
            return error!;
        if (body.Confirm != call.Account.PublicId)
            return PlatformError.Invalid("confirm", "it is not the account's id", $"Send {call.Account.PublicId} to delete the account for good");
        if (await signIn.CheckCurrentAsync(call.User, body.Password, call.Address) is { } refused)
            return refused;
        Outcome<bool> deleted = await platform.Data.DeleteAsync(call.Actor, call.Account);
        if (deleted.Error is null && (await platform.Members.OfUserAsync(call.User.Id)).Count == 0)
            cookies.Clear(context);
        return Json(deleted, Done);
    });

    private static Outcome<JsonNode?> Json<T>(Outcome<T> outcome, Func<T, JsonObject> write) => outcome.Error is { } error ? error : write(outcome.Value!);

    private static JsonObject Done(bool done) => new() { ["done"] = done };
}
