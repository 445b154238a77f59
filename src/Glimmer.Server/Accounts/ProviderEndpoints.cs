using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Protocol.Errors;

namespace Glimmer.Server.Accounts;

/// <summary>Login elsewhere: the list of places, the way there and the way back.</summary>
internal sealed partial class ProviderEndpoints(AccountGate gate, SignInService signIn, ProviderLogin login, SessionCookies cookies, ILogger<ProviderEndpoints> log)
{
    public Task ListAsync(HttpContext context) => gate.RunOpenAsync(context, () => Task.FromResult<Outcome<JsonNode?>>(new JsonObject
    {
        ["sign_up"] = signIn.Settings.SignUp.ToString().ToLowerInvariant(),
        ["providers"] = new JsonArray([.. signIn.Settings.Providers.Select(provider => JsonValue.Create(provider.Name))]),
    }));

    public Task StartAsync(HttpContext context) => gate.RunOpenAsync(context, async () =>
    {
        try
        {
            Outcome<ProviderStart> start = await login.StartAsync(Name(context), context.Request.Query["return"], context.RequestAborted);
            if (start.Error is { } error)
                return error;
            cookies.WriteLogin(context, start.Value!.Cookie);
            return Redirect(context, start.Value.Redirect.AbsoluteUri);
        }
        catch (ProviderException fault)
        {
            return Refuse(context, fault);
        }
    });

    public Task FinishAsync(HttpContext context) => gate.RunOpenAsync(context, async () =>
    {
        IQueryCollection query = context.Request.Query;
        string? cookie = cookies.ReadLogin(context);
        cookies.ClearLogin(context);
        try
        {
            Outcome<(NewSession Session, string ReturnTo)> made = await login.FinishAsync(
                Name(context), query["code"], query["state"], cookie, AccountGate.Language(context), gate.AddressOf(context), context.RequestAborted);
            if (made.Error is { } error)
                return error;
            cookies.Write(context, made.Value.Session);
            return Redirect(context, made.Value.ReturnTo);
        }
        catch (ProviderException fault)
        {
            return Refuse(context, fault);
        }
    });

    private static string Name(HttpContext context) => (string?)context.Request.RouteValues["provider"] ?? "";

    private static Outcome<JsonNode?> Redirect(HttpContext context, string to)
    {
        context.Response.StatusCode = StatusCodes.Status302Found;
        context.Response.Headers.Location = to;
        context.Response.Headers.CacheControl = "no-store";
        return new Outcome<JsonNode?>(null, null);
    }

    private PlatformError Refuse(HttpContext context, ProviderException fault)
    {
        ProviderFailed(log, Name(context), fault.Message);
        return new PlatformError(BusinessCode.AuthenticationFailed, "The other place to log in did not answer as it should. Try again, or log in another way")
        {
            Chinese = "第三方登录失败，请重试或使用其他方式登录",
            Status = StatusCodes.Status502BadGateway,
        };
    }

    [LoggerMessage(1010, LogLevel.Warning, "Login by {Provider} failed: {Fault}")]
    private static partial void ProviderFailed(ILogger log, string provider, string fault);
}
