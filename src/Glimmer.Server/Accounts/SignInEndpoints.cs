using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;

namespace Glimmer.Server.Accounts;

/// <summary>Sign-up, login, logout, confirmation and passwords (docs/accounts.md).</summary>
internal sealed class SignInEndpoints(AccountGate gate, SignInService signIn, SessionCookies cookies)
{
    private sealed record Fields(string? Email, string? Password, string? Name, string? Language, string? Token, string? Current);

    public Task SignUpAsync(HttpContext context) => gate.RunOpenAsync(context, async () =>
    {
        (Fields? body, PlatformError? error) = await AccountGate.ReadAsync(context, reader => Read(reader) with
        {
            Email = reader.Text("email", required: true, max: 254),
            Password = reader.Text("password", required: true, max: 1000),
            Token = reader.Text("invitation", max: 100),
        });
        if (body is null)
            return error!;
        Outcome<NewSession?> made = await signIn.SignUpAsync(body.Email!, body.Password!, body.Name, body.Language ?? AccountGate.Language(context), body.Token, gate.AddressOf(context));
        if (made.Error is { } refused)
            return refused;
        return made.Value is { } session ? Start(context, session) : new JsonObject { ["confirm"] = "email" };
    });

    public Task LogInAsync(HttpContext context) => gate.RunOpenAsync(context, async () =>
    {
        (Fields? body, PlatformError? error) = await AccountGate.ReadAsync(context, reader => Read(reader) with
        {
            Email = reader.Text("email", required: true, max: 254),
            Password = reader.Text("password", required: true, max: 1000),
        });
        return body is null ? error! : Start(context, await signIn.LogInAsync(body.Email!, body.Password!, gate.AddressOf(context)));
    });

    public Task LogOutAsync(HttpContext context) => gate.RunAsync(context, null, async call =>
    {
        await signIn.LogOutAsync(call.Session);
        cookies.Clear(context);
        return new JsonObject();
    });

    public Task LogOutEverywhereAsync(HttpContext context) => gate.RunAsync(context, null, async call =>
    {
        await signIn.LogOutEverywhereAsync(call.User.Id);
        cookies.Clear(context);
        return new JsonObject();
    });

    public Task ConfirmAsync(HttpContext context) => gate.RunOpenAsync(context, async () =>
    {
        (Fields? body, PlatformError? error) = await AccountGate.ReadAsync(context, reader => Read(reader) with { Token = reader.Text("token", required: true, max: 100) });
        if (body is null)
            return error!;
        return (await signIn.ConfirmAsync(body.Token!, gate.AddressOf(context))).Error is { } refused ? refused : new JsonObject();
    });

    public Task ForgotAsync(HttpContext context) => gate.RunOpenAsync(context, async () =>
    {
        (Fields? body, PlatformError? error) = await AccountGate.ReadAsync(context, reader => Read(reader) with { Email = reader.Text("email", required: true, max: 254) });
        if (body is null)
            return error!;
        return (await signIn.ForgotAsync(body.Email!, gate.AddressOf(context))).Error is { } refused ? refused : new JsonObject();
    });

    public Task ResetAsync(HttpContext context) => gate.RunOpenAsync(context, async () =>
    {
        (Fields? body, PlatformError? error) = await AccountGate.ReadAsync(context, reader => Read(reader) with
        {
            Token = reader.Text("token", required: true, max: 100),
            Password = reader.Text("password", required: true, max: 1000),
        });
        return body is null ? error! : Start(context, await signIn.ResetAsync(body.Token!, body.Password!, gate.AddressOf(context)));
    });

    public Task ChangePasswordAsync(HttpContext context) => gate.RunAsync(context, null, async call =>
    {
        (Fields? body, PlatformError? error) = await AccountGate.ReadAsync(context, reader => Read(reader) with
        {
            Current = reader.Text("current_password", max: 1000),
            Password = reader.Text("password", required: true, max: 1000),
        });
        return body is null ? error! : Start(context, await signIn.ChangePasswordAsync(call.User, body.Current, body.Password!, call.Address));
    });

    public Task ChangeProfileAsync(HttpContext context) => gate.RunAsync(context, null, async call =>
    {
        (Fields? body, PlatformError? error) = await AccountGate.ReadAsync(context, Read);
        if (body is null)
            return error!;
        Outcome<UserEntry> changed = await signIn.ChangeProfileAsync(call.User, body.Name, body.Language);
        return changed.Error is { } refused ? refused : AccountJson.Of(changed.Value!);
    });

    private static Fields Read(FieldReader reader) => new(null, null, reader.Text("name", max: 100), reader.Word("language", false, "en", "zh"), null, null);

    private Outcome<JsonNode?> Start(HttpContext context, Outcome<NewSession> made) => made.Error is { } error ? error : Start(context, made.Value!);

    private JsonNode Start(HttpContext context, NewSession session)
    {
        cookies.Write(context, session);
        return new JsonObject { ["user"] = AccountJson.Of(session.User), ["csrf_token"] = SignInService.CsrfOf(session.Token), ["expires"] = session.Expires.ToUnixTimeMilliseconds() };
    }
}
