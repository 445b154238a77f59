using Glimmer.Platform.Accounts.SignIn;

namespace Glimmer.Server.Accounts;

/// <summary>
/// The session's cookie (not readable by pages), the readable one with the value for <c>X-CSRF-Token</c>, and that of a
/// login elsewhere under way. Over TLS they are marked Secure and bound to the host by their names.
/// </summary>
internal sealed class SessionCookies(ClientAddress addresses, SignInSettings settings)
{
    private const string Session = "glimmer_session";
    private const string Csrf = "glimmer_csrf";
    private const string Login = "glimmer_login";

    public string? Read(HttpContext context) => Get(context, Session);

    public string? ReadLogin(HttpContext context) => Get(context, Login);

    public void Write(HttpContext context, NewSession session)
    {
        Set(context, Session, session.Token, httpOnly: true, session.Expires);
        Set(context, Csrf, SignInService.CsrfOf(session.Token), httpOnly: false, session.Expires);
    }

    public void WriteLogin(HttpContext context, string value) => Set(context, Login, value, httpOnly: true, null);

    public void Clear(HttpContext context)
    {
        Set(context, Session, "", httpOnly: true, DateTimeOffset.UnixEpoch);
        Set(context, Csrf, "", httpOnly: false, DateTimeOffset.UnixEpoch);
    }

    public void ClearLogin(HttpContext context) => Set(context, Login, "", httpOnly: true, DateTimeOffset.UnixEpoch);

    private bool Secure(HttpContext context) => addresses.IsEncrypted(context) || settings.PublicUrl.Scheme == Uri.UriSchemeHttps;

    private string? Get(HttpContext context, string name) => context.Request.Cookies[Secure(context) ? "__Host-" + name : name] is { Length: > 0 and <= 4096 } value ? value : null;

    private void Set(HttpContext context, string name, string value, bool httpOnly, DateTimeOffset? expires)
    {
        bool secure = Secure(context);
        context.Response.Cookies.Append(secure ? "__Host-" + name : name, value, new CookieOptions
        {
            HttpOnly = httpOnly,
            Secure = secure,
            SameSite = SameSiteMode.Lax,
            Path = "/",
            Expires = expires,
        });
    }
}
