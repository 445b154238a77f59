using System.Net;
using Glimmer.Platform.Accounts.SignIn;

namespace Glimmer.Server.Accounts;

/// <summary>How people get in and where mails go.</summary>
public sealed record AccountOptions
{
    /// <summary>Sign-up, sessions and other logins. Without a public address of its own links point to where the server listens.</summary>
    public SignInSettings SignIn { get; init; } = new();

    /// <summary>Address of the platform as people reach it; null for where the server listens.</summary>
    public Uri? PublicUrl { get; init; }

    /// <summary>SMTP server, <c>smtp://user:password@host:587</c> or <c>smtps://…</c>; null puts mails as files into <c>outbox</c> in the data folder.</summary>
    public Uri? Smtp { get; init; }

    /// <summary>Sender of mails.</summary>
    public string MailFrom { get; init; } = "no-reply@localhost";

    /// <summary>Networks of proxies whose <c>X-Forwarded-For</c> is believed.</summary>
    public IReadOnlyList<IPNetwork> TrustedProxies { get; init; } = [];
}
