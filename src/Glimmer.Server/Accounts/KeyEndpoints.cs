using System.Net;
using System.Text.Json;
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

    private sealed record KeyFields(string? Name, string? Project, bool? Disabled, DateTimeOffset? Expires, KeyRules? Rules);

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

    private Task<(KeyFields? Body, PlatformError? Error)> ReadKeyAsync(HttpContext context, bool nameNeeded, KeyRules before) => AccountGate.ReadAsync(context, reader =>
    {
        // A field that is there with null lifts its restriction; one that is absent leaves it.
        KeyRules rules = before;
        if (IsNull(reader, "models"))
            rules = rules with { Models = null };
        else if (reader.Texts("models", KeyRules.MaxEntries, 1, 100) is { } models)
            rules = rules with { Models = models };
        if (IsNull(reader, "ips"))
            rules = rules with { Networks = null };
        else if (reader.Texts("ips", KeyRules.MaxEntries, 1, 64) is { } texts)
            rules = rules with { Networks = Networks(reader, texts) };
        if (IsNull(reader, "spend_cap"))
            rules = rules with { SpendCap = null };
        else if (reader.Whole("spend_cap", 0, long.MaxValue / 2) is { } cap)
            rules = rules with { SpendCap = cap };
        long now = time.GetUtcNow().ToUnixTimeMilliseconds();
        DateTimeOffset? expires = IsNull(reader, "expires")
            ? DateTimeOffset.MaxValue
            : reader.Whole("expires", now, now + (3650L * 24 * 3600 * 1000)) is { } end ? DateTimeOffset.FromUnixTimeMilliseconds(end) : null;
        return new KeyFields(reader.Text("name", required: nameNeeded, max: 100), reader.Text("project", max: 100), reader.Flag("disabled"), expires, ReferenceEquals(rules, before) ? null : rules);
    });

    private static bool IsNull(FieldReader reader, string name) => reader.Element.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.Null;

    private static IPNetwork[] Networks(FieldReader reader, IReadOnlyList<string> texts)
    {
        var result = new IPNetwork[texts.Count];
        for (int i = 0; i < texts.Count; i++)
        {
            if (!KeyRules.TryParseNetwork(texts[i], out result[i]))
                reader.Fail(PlatformError.Invalid($"ips[{i}]", "it is no address", "Use an address or a network such as 10.0.0.0/8 or 2001:db8::/32"));
        }

        return result;
    }

    private static Outcome<JsonNode?> Json<T>(Outcome<T> outcome, Func<T, JsonObject> write) => outcome.Error is { } error ? error : write(outcome.Value!);

    private static JsonObject Done(bool done) => new() { ["deleted"] = done };
}
