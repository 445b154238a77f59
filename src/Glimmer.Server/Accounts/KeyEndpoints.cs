using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Platform.Keys;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Server.Accounts;

/// <summary>Projects and keys of an account.</summary>
internal sealed class KeyEndpoints(AccountGate gate, AccountService accounts, KeyService keys, TimeProvider time)
{
    private sealed record ProjectFields(string? Name);

    private sealed record RotateFields(long? Overlap);

    public Task ProjectsAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Member, async call =>
        AccountJson.List(await accounts.ProjectsAsync(call.Account.Id), AccountJson.Of));

    public Task CreateProjectAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Admin, async call =>
    {
        (ProjectFields? body, PlatformError? error) = await ReadProjectAsync(context);
        return body is null ? error! : Json(await accounts.CreateProjectAsync(call.Actor, call.Account.Id, body.Name!), AccountJson.Of);
    });

    public Task RenameProjectAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Admin, async call =>
    {
        (ProjectFields? body, PlatformError? error) = await ReadProjectAsync(context);
        return body is null ? error! : Json(await accounts.RenameProjectAsync(call.Actor, call.Account.Id, call.Route("project"), body.Name!), AccountJson.Of);
    });

    public Task DeleteProjectAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Admin, async call =>
        Json(await accounts.DeleteProjectAsync(call.Actor, call.Account.Id, call.Route("project")), Done));

    public Task ListAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Member, async call =>
        AccountJson.List(await keys.ListAsync(call.Account.Id, context.Request.Query["project"].ToString() is { Length: > 0 } project ? project : null), AccountJson.Of));

    public Task FindAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Member, async call =>
        Json(await keys.FindAsync(call.Account.Id, call.Route("key")), AccountJson.Of));

    public Task CreateAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Member, async call =>
    {
        (KeyFields? body, PlatformError? error) = await ReadKeyAsync(context, nameNeeded: true, KeyRules.None);
        return body is null
            ? error!
            : Json(await keys.CreateAsync(call.Actor, call.Account.Id, body.Project, body.Name!, body.Expires == DateTimeOffset.MaxValue ? null : body.Expires, body.Rules), AccountJson.Of);
    });

    public Task ChangeAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Member, async call =>
    {
        Outcome<KeyDetails> before = await keys.FindAsync(call.Account.Id, call.Route("key"));
        if (before.Error is { } missing)
            return missing;
        (KeyFields? body, PlatformError? error) = await ReadKeyAsync(context, nameNeeded: false, before.Value!.Key.Rules);
        return body is null
            ? error!
            : Json(
                await keys.ChangeAsync(call.Actor, call.Account.Id, call.Route("key"), new KeyChange { Name = body.Name, Disabled = body.Disabled, Expires = body.Expires, Rules = body.Rules }),
                AccountJson.Of);
    });

    public Task RotateAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Member, async call =>
    {
        (RotateFields? body, PlatformError? error) = await AccountGate.ReadAsync(
            context, reader => new RotateFields(reader.Whole("overlap_seconds", 0, (long)KeyService.LongestOverlap.TotalSeconds)));
        return body is null
            ? error!
            : Json(await keys.RotateAsync(call.Actor, call.Account.Id, call.Route("key"), TimeSpan.FromSeconds(body.Overlap ?? 0)), AccountJson.Of);
    });

    public Task DeleteAsync(HttpContext context) => gate.RunAsync(context, AccountRole.Member, async call =>
        Json(await keys.DeleteAsync(call.Actor, call.Account.Id, call.Route("key")), Done));

    private static Task<(ProjectFields? Body, PlatformError? Error)> ReadProjectAsync(HttpContext context) =>
        AccountGate.ReadAsync(context, reader => new ProjectFields(reader.Text("name", required: true, max: 100)));

    private Task<(KeyFields? Body, PlatformError? Error)> ReadKeyAsync(HttpContext context, bool nameNeeded, KeyRules before) =>
        AccountGate.ReadAsync(context, reader => KeyFields.Read(reader, nameNeeded, before, time.GetUtcNow()));

    private static Outcome<JsonNode?> Json<T>(Outcome<T> outcome, Func<T, JsonObject> write) => outcome.Error is { } error ? error : write(outcome.Value!);

    private static JsonObject Done(bool done) => new() { ["deleted"] = done };
}
