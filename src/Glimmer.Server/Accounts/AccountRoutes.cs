using Glimmer.Platform.Accounts;
using Glimmer.Platform.Accounts.Mail;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Server.Billing;
using Glimmer.Server.Hosting;

namespace Glimmer.Server.Accounts;

/// <summary>Registers and maps what people use to log in and to keep their accounts (docs/accounts.md).</summary>
internal static partial class AccountRoutes
{
    private const string Base = "/api/account";

    public static void Add(IServiceCollection services, GlimmerOptions options, PlatformAccounts accounts, TimeProvider time)
    {
        AccountOptions account = options.Accounts;
        string host = options.Host is "*" or "0.0.0.0" or "::" ? "localhost" : options.Host.Contains(':', StringComparison.Ordinal) ? $"[{options.Host}]" : options.Host;
        SignInSettings settings = account.SignIn with { PublicUrl = account.PublicUrl ?? new Uri($"http://{host}:{options.Port}/") };
        IMailSender mails = account.Smtp is { } smtp
            ? new SmtpSender(smtp, account.MailFrom, time)
            : new FileOutbox(Path.Combine(options.DataFolder, "outbox"), account.MailFrom, time);
        services
            .AddSingleton(settings)
            .AddSingleton(new ClientAddress(account.TrustedProxies))
            .AddSingleton(accounts.Accounts)
            .AddSingleton(accounts.Keys)
            .AddSingleton(accounts.Members)
            .AddSingleton(accounts.Audit)
            .AddSingleton(_ => new SignInService(accounts, mails, settings))
            .AddSingleton(provider => new ProviderLogin(provider.GetRequiredService<SignInService>(), accounts))
            .AddSingleton<SessionCookies>()
            .AddSingleton<AccountGate>()
            .AddSingleton<SignInEndpoints>()
            .AddSingleton<KeyEndpoints>()
            .AddSingleton<MemberEndpoints>()
            .AddSingleton<ProviderEndpoints>()
            .AddSingleton<KeyBillingCallers>()
            .AddSingleton<IBillingCallers, SessionBillingCallers>();
    }

    public static void Map(WebApplication app)
    {
        ILogger log = app.Logger;
        app.Services.GetRequiredService<SignInService>().MailFailed = fault => MailFailed(log, fault.Message);
        SignInEndpoints signIn = app.Services.GetRequiredService<SignInEndpoints>();
        ProviderEndpoints providers = app.Services.GetRequiredService<ProviderEndpoints>();
        MemberEndpoints members = app.Services.GetRequiredService<MemberEndpoints>();
        KeyEndpoints keys = app.Services.GetRequiredService<KeyEndpoints>();

        Post("/sign-up", signIn.SignUpAsync);
        Post("/login", signIn.LogInAsync);
        Get("/login/providers", providers.ListAsync);
        Get("/login/{provider}/start", providers.StartAsync);
        Get("/login/{provider}/callback", providers.FinishAsync);
        Post("/logout", signIn.LogOutAsync);
        Post("/logout-all", signIn.LogOutEverywhereAsync);
        Post("/confirm", signIn.ConfirmAsync);
        Post("/password/forgot", signIn.ForgotAsync);
        Post("/password/reset", signIn.ResetAsync);
        Post("/password/change", signIn.ChangePasswordAsync);
        Post("/invitations/accept", members.AcceptAsync);
        Get("/me", members.MeAsync);
        Put("/me", signIn.ChangeProfileAsync);

        Put("/{account}", members.RenameAsync);
        Get("/{account}/projects", keys.ProjectsAsync);
        Post("/{account}/projects", keys.CreateProjectAsync);
        Put("/{account}/projects/{project}", keys.RenameProjectAsync);
        Delete("/{account}/projects/{project}", keys.DeleteProjectAsync);
        Get("/{account}/keys", keys.ListAsync);
        Post("/{account}/keys", keys.CreateAsync);
        Get("/{account}/keys/{key}", keys.FindAsync);
        Put("/{account}/keys/{key}", keys.ChangeAsync);
        Post("/{account}/keys/{key}/rotate", keys.RotateAsync);
        Delete("/{account}/keys/{key}", keys.DeleteAsync);
        Get("/{account}/members", members.MembersAsync);
        Put("/{account}/members/{user}", members.SetRoleAsync);
        Delete("/{account}/members/{user}", members.RemoveAsync);
        Get("/{account}/invitations", members.InvitationsAsync);
        Post("/{account}/invitations", members.InviteAsync);
        Delete("/{account}/invitations/{invitation}", members.WithdrawAsync);
        Get("/{account}/end-users", members.EndUsersAsync);
        Put("/{account}/end-users/{user}", members.LockEndUserAsync);
        Delete("/{account}/end-users/{user}", members.ReleaseEndUserAsync);
        Get("/{account}/audit", members.AuditAsync);
        Get("/{account}/export", members.ExportAsync);
        Post("/{account}/delete", members.DeleteAsync);

        void Get(string path, RequestDelegate handle) => app.MapMethods(Base + path, [HttpMethods.Get, HttpMethods.Head], handle);
        void Post(string path, RequestDelegate handle) => app.MapMethods(Base + path, [HttpMethods.Post], handle);
        void Put(string path, RequestDelegate handle) => app.MapMethods(Base + path, [HttpMethods.Put], handle);
        void Delete(string path, RequestDelegate handle) => app.MapMethods(Base + path, [HttpMethods.Delete], handle);
    }

    [LoggerMessage(1011, LogLevel.Error, "A mail could not be sent: {Fault} Check Glimmer:Mail:Smtp.")]
    private static partial void MailFailed(ILogger log, string fault);
}
