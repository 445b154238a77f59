namespace Glimmer.Platform.Accounts.SignIn;

/// <summary>Who may sign up.</summary>
public enum SignUpRule
{
    /// <summary>Everybody.</summary>
    Open,

    /// <summary>Whoever has an invitation to an account.</summary>
    Invited,

    /// <summary>Nobody; operators make users.</summary>
    Closed,
}

/// <summary>How people get in.</summary>
public sealed record SignInSettings
{
    /// <summary>Who may sign up.</summary>
    public SignUpRule SignUp { get; init; } = SignUpRule.Open;

    /// <summary>Whether an account is inactive (1110) until its e-mail address is confirmed.</summary>
    public bool ConfirmEmail { get; init; }

    /// <summary>Address of the platform as people reach it, for links in mails and as the return address of other logins.</summary>
    public Uri PublicUrl { get; init; } = new("http://localhost:8080/");

    /// <summary>A session ends when nothing came for so long.</summary>
    public TimeSpan SessionIdle { get; init; } = TimeSpan.FromDays(7);

    /// <summary>A session ends after so long, whatever came.</summary>
    public TimeSpan SessionLife { get; init; } = TimeSpan.FromDays(30);

    /// <summary>How long the link of a reset or a confirmation works.</summary>
    public TimeSpan LinkLife { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How long an invitation works.</summary>
    public TimeSpan InvitationLife { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Iterations of password hashes; fewer in tests.</summary>
    internal int PasswordIterations { get; init; } = PasswordHash.Iterations;

    /// <summary>Other places to log in by.</summary>
    public IReadOnlyList<LoginProvider> Providers { get; init; } = [];
}

/// <summary>Another place to log in by: OpenID Connect by discovery, or GitHub's OAuth 2.</summary>
/// <param name="Name">What it is called in addresses: <c>google</c>, <c>github</c>, <c>corp</c>.</param>
/// <param name="ClientId">What the provider knows this platform by.</param>
/// <param name="ClientSecret">The secret beside it.</param>
/// <param name="Issuer">The OpenID Connect issuer, an https address (http on loopback only); null for GitHub.</param>
public sealed record LoginProvider(string Name, string ClientId, string ClientSecret, Uri? Issuer)
{
    /// <summary>Google's issuer.</summary>
    public static readonly Uri Google = new("https://accounts.google.com");

    /// <summary>GitHub's own pages, for tests another address.</summary>
    internal Uri GitHubWeb { get; init; } = new("https://github.com/");

    /// <summary>GitHub's API.</summary>
    internal Uri GitHubApi { get; init; } = new("https://api.github.com/");

    /// <summary>
    /// Reads a list such as <c>google=ID:SECRET github=ID:SECRET corp=ID:SECRET@https://login.example.com</c>, separated
    /// by blanks; null when it is not one.
    /// </summary>
    public static IReadOnlyList<LoginProvider>? Parse(string text)
    {
        var result = new List<LoginProvider>();
        foreach (string entry in text.Split((char[])[' ', '\n', '\t'], StringSplitOptions.RemoveEmptyEntries))
        {
            int equals = entry.IndexOf('=', StringComparison.Ordinal);
            int colon = entry.IndexOf(':', StringComparison.Ordinal);
            if (equals < 1 || colon < equals + 2)
                return null;
            string name = entry[..equals];
            int at = entry.LastIndexOf("@http", StringComparison.Ordinal);
            string secret = entry[(colon + 1)..(at < colon ? entry.Length : at)];
            Uri? issuer = name == "google" ? Google : null;
            if (at > colon && (!Uri.TryCreate(entry[(at + 1)..], UriKind.Absolute, out issuer) || !IsSafe(issuer)))
                return null;
            if (secret.Length == 0 || (issuer is null && name != "github") || name.Any(c => !char.IsAsciiLetterLower(c) && !char.IsAsciiDigit(c) && c != '-') || result.Exists(other => other.Name == name))
                return null;
            result.Add(new LoginProvider(name, entry[(equals + 1)..colon], secret, issuer));
        }

        return result;
    }

    /// <summary>Whether secrets may be sent there: https, or this machine.</summary>
    internal static bool IsSafe(Uri address) => address.Scheme == Uri.UriSchemeHttps || (address.Scheme == Uri.UriSchemeHttp && address.IsLoopback);
}
