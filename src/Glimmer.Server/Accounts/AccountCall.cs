using System.Buffers;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Platform.Accounts;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Accounts;

/// <summary>A call by somebody logged in, maybe about one of his accounts.</summary>
internal sealed record AccountCall(HttpContext Context, SessionEntry Session, string Token, Membership? Membership, IPAddress? Address)
{
    public UserEntry User => Session.User;

    public AccountEntry Account => Membership!.Account;

    public AccountRole Role => Membership!.Role;

    public Actor Actor => new(User.PublicId, $"{Address}");

    public string Route(string name) => (string?)Context.Request.RouteValues[name] ?? "";
}

/// <summary>
/// Lets calls of the console in: the session's cookie, for calls that change something also the header
/// <c>X-CSRF-Token</c> made from it, and the account of the path only for its members (anybody else: 404).
/// </summary>
internal sealed class AccountGate(SignInService signIn, MemberService members, SessionCookies cookies, ClientAddress addresses)
{
    /// <summary>Every member, whatever his role.</summary>
    public const AccountRole AnyRole = (AccountRole)(-1);

    private const int MaxBody = 64 << 10;

    public IPAddress? AddressOf(HttpContext context) => addresses.Of(context);

    /// <summary>Runs a call of somebody logged in; answers it when it is not let in.</summary>
    /// <param name="context">The request.</param>
    /// <param name="least">Least role in the path's account; null when the path names none.</param>
    /// <param name="handle">Gives the answer.</param>
    public async Task RunAsync(HttpContext context, AccountRole? least, Func<AccountCall, Task<Outcome<JsonNode?>>> handle)
    {
        if (await EnterAsync(context) is not { } entered)
            return;
        (SessionEntry session, string token) = entered;
        Membership? membership = null;
        if (least is { } needed)
        {
            Outcome<Membership> found = await members.FindAsync(session.User.Id, (string?)context.Request.RouteValues["account"] ?? "");
            PlatformError? refused = found.Error ?? (Allows(found.Value!.Role, needed) ? null : new PlatformError(BusinessCode.ApiForbidden, "Your role in this account does not allow this") { Chinese = "您在该账户中的角色无权执行此操作" });
            if (refused is not null)
            {
                await ErrorResponse.WriteAsync(context, refused);
                return;
            }

            membership = found.Value;
        }

        await AnswerAsync(context, await handle(new AccountCall(context, session, token, membership, addresses.Of(context))));
    }

    /// <summary>Whether the request brings a session's cookie, good or not.</summary>
    public bool HasSession(HttpContext context) => cookies.Read(context) is not null;

    /// <summary>The session of a request that may be served; null when its refusal has been answered.</summary>
    public async Task<(SessionEntry Session, string Token)?> EnterAsync(HttpContext context)
    {
        string? token = cookies.Read(context);
        if (token is null || await signIn.FindSessionAsync(token) is not { } session)
        {
            await ErrorResponse.WriteAsync(context, new PlatformError(BusinessCode.CredentialMissing, "You are not logged in") { Chinese = "您尚未登录" });
            return null;
        }

        bool changes = !HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method);
        if (changes && !(SignInService.CsrfMatches(token, context.Request.Headers["X-CSRF-Token"].ToString()) && IsOwnOrigin(context)))
        {
            await ErrorResponse.WriteAsync(context, ForeignPage());
            return null;
        }

        return (session, token);
    }

    /// <summary>The account that a session's call is about does not exist, or was not named (404, 400).</summary>
    public static PlatformError NoAccount(bool named) => named
        ? new PlatformError(BusinessCode.ParameterInvalid, "There is no such account") { Chinese = "账户不存在", Status = StatusCodes.Status404NotFound }
        : PlatformError.Missing("account", "Name one of your accounts in the header X-Glimmer-Account");

    /// <summary>Runs a call of somebody not logged in: from a page of this platform or from no page at all.</summary>
    public async Task RunOpenAsync(HttpContext context, Func<Task<Outcome<JsonNode?>>> handle)
    {
        if (!HttpMethods.IsGet(context.Request.Method) && !IsOwnOrigin(context))
        {
            await ErrorResponse.WriteAsync(context, ForeignPage());
            return;
        }

        await AnswerAsync(context, await handle());
    }

    /// <summary>Reads the body's fields. A form that a foreign page could send without asking is not read.</summary>
    public static async Task<(T? Body, PlatformError? Error)> ReadAsync<T>(HttpContext context, Func<FieldReader, T> read)
        where T : class
    {
        string type = context.Request.ContentType ?? "";
        if (!type.StartsWith("application/json", StringComparison.OrdinalIgnoreCase))
        {
            return (null, new PlatformError(BusinessCode.CallIncorrect, "The body must be JSON (Content-Type: application/json)")
            {
                Chinese = "请求体必须为 JSON（Content-Type: application/json）",
                Status = StatusCodes.Status415UnsupportedMediaType,
            });
        }

        return await BodyReader.ReadAsync<T>(context, MaxBody, reader =>
        {
            T value = read(reader);
            return reader.Error is { } error ? (null, error) : (value, null);
        });
    }

    /// <summary>Whether a role suffices. Billing is beside member, not above it.</summary>
    internal static bool Allows(AccountRole role, AccountRole least) => least switch
    {
        AnyRole => true,
        AccountRole.Member => role is AccountRole.Member or AccountRole.Admin or AccountRole.Owner,
        AccountRole.Billing => role is AccountRole.Billing or AccountRole.Owner,
        AccountRole.Admin => role is AccountRole.Admin or AccountRole.Owner,
        _ => role == AccountRole.Owner,
    };

    /// <summary>The language of messages, as mails are written in it.</summary>
    internal static string Language(HttpContext context) => ErrorResponse.Language(context.Request) == MessageLanguage.Chinese ? "zh" : "en";

    private static PlatformError ForeignPage() => new(BusinessCode.ApiForbidden, "This call does not come from a page of this platform (header X-CSRF-Token)")
    {
        Chinese = "请求来源无效（X-CSRF-Token）",
    };

    // Browsers send Origin with every call that changes something; programs send none.
    private bool IsOwnOrigin(HttpContext context)
    {
        string origin = context.Request.Headers.Origin.ToString();
        return origin.Length == 0
            || origin.Equals($"{(addresses.IsEncrypted(context) ? "https" : "http")}://{context.Request.Host.Value}", StringComparison.OrdinalIgnoreCase)
            || origin.Equals(signIn.Settings.PublicUrl.GetLeftPart(UriPartial.Authority), StringComparison.OrdinalIgnoreCase);
    }

    internal static async Task AnswerAsync(HttpContext context, Outcome<JsonNode?> outcome)
    {
        if (outcome.Error is { } error)
        {
            await ErrorResponse.WriteAsync(context, error);
            return;
        }

        if (context.Response.StatusCode == StatusCodes.Status302Found)
            return;
        var body = new ArrayBufferWriter<byte>(1024);
        using (var json = new Utf8JsonWriter(body, WireJson.WriterOptions))
            (outcome.Value ?? new JsonObject()).WriteTo(json);
        context.Response.Headers.CacheControl = "no-store";
        await JsonResponse.WriteAsync(context, body);
    }
}
