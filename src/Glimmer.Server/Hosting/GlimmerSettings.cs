using System.Globalization;
using Glimmer.Platform.Accounts.Mail;
using Glimmer.Platform.Accounts.SignIn;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Store;

namespace Glimmer.Server.Hosting;

/// <summary>The server cannot start. The message is one line that names the setting and a legal value; no stack trace helps.</summary>
public sealed class GlimmerStartupException : Exception
{
    /// <summary>With the message to show and the code to exit with.</summary>
    public GlimmerStartupException(string message, int exitCode, Exception? inner = null)
        : base(message, inner) => ExitCode = exitCode;

    /// <summary>Exit code: 78 for a wrong setting, 73 for the data folder, 69 for an address that cannot be had.</summary>
    public int ExitCode { get; }
}

/// <summary>One setting: its name, what it does, its legal values and how it is read.</summary>
/// <param name="Key">Name under <c>Glimmer:</c>, e.g. <c>Listen:Port</c>.</param>
/// <param name="Meaning">What it does.</param>
/// <param name="Legal">Legal values, as the end of the sentence "Use …".</param>
/// <param name="Default">The default as text.</param>
public sealed record GlimmerSetting(string Key, string Meaning, string Legal, string Default)
{
    /// <summary>Whether the value may hold a secret, which no message repeats.</summary>
    public bool IsSecret { get; init; }

    internal Func<GlimmerOptions, string, GlimmerOptions?> Apply { get; init; } = static (options, _) => options;
}

/// <summary>
/// Every setting of the server, in one table that reads, checks and documents them. Values come from the usual chain:
/// <c>appsettings.json</c>, environment (<c>GLIMMER__LISTEN__PORT</c>), command line (<c>--Glimmer:Listen:Port=…</c>).
/// </summary>
public static class GlimmerSettings
{
    private const string Section = "Glimmer";

    /// <summary>All settings.</summary>
    public static IReadOnlyList<GlimmerSetting> All { get; } =
    [
        new("Listen:Host", "Address to listen on", "an IP address, localhost, or * for all", "127.0.0.1")
        {
            Apply = (options, text) => text is "*" or "localhost" || System.Net.IPAddress.TryParse(text, out _) ? options with { Host = text } : null,
        },
        new("Listen:Port", "Port to listen on", "a number from 0 (a free port) to 65535", "8080")
        {
            Apply = (options, text) => Whole(text, 0, 65535) is { } port ? options with { Port = (int)port } : null,
        },
        new("Listen:Certificate", "Certificate for TLS; read again when it changes", "a PEM file with the chain, or a PKCS#12 file (.pfx, .p12); without one there is no TLS", "")
        {
            Apply = (options, text) => text.Contains('\0', StringComparison.Ordinal) ? null : options with { Certificate = text },
        },
        new("Listen:CertificateKey", "Private key of the certificate", "a PEM file; not needed where the certificate's own file holds the key", "")
        {
            Apply = (options, text) => text.Contains('\0', StringComparison.Ordinal) ? null : options with { CertificateKey = text },
        },
        new("Listen:CertificatePassword", "Password of the private key or of the PKCS#12 file", "a text", "")
        {
            IsSecret = true,
            Apply = (options, text) => options with { CertificatePassword = text },
        },
        new("DataFolder", "Folder of the store, of the key that seals secrets, and of catalogue changes", "a path", "data")
        {
            Apply = (options, text) => text.Contains('\0', StringComparison.Ordinal) ? null : options with { DataFolder = text },
        },
        new("Store:ConnectionString", "PostgreSQL database that holds the store; without it SQLite in the data folder does", "an Npgsql connection string such as Host=localhost;Database=glimmer;Username=glimmer", "")
        {
            IsSecret = true,
            Apply = (options, text) => text.Contains('=', StringComparison.Ordinal) ? options with { StoreConnectionString = text } : null,
        },
        new("Store:Durability", "What a finished write survives: full outlives power loss, normal may lose the last moments then, off is for tests", "full, normal or off", "full")
        {
            Apply = (options, text) => Enum.TryParse(text, ignoreCase: true, out StoreDurability level) && Enum.IsDefined(level) && !char.IsAsciiDigit(text[0]) ? options with { StoreDurability = level } : null,
        },
        new("Nodes:Name", "What this node is called in lists of nodes", "1 to 64 letters, digits and . : _ -", "")
        {
            Apply = (options, text) => text.Length is >= 1 and <= 64 && text.All(static letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or ':' or '_' or '-')
                ? options with { Slices = options.Slices with { Name = text } }
                : null,
        },
        new("Nodes:LeaseSeconds", "How long a node's part of the limits is its own when nothing is heard of it; about three quarters of it can be used while PostgreSQL is away", "a number from 5 to 600", "90")
        {
            Apply = (options, text) => Whole(text, 5, 600) is { } seconds ? options with { Slices = options.Slices with { Lease = TimeSpan.FromSeconds(seconds) } } : null,
        },
        new("Nodes:AlwaysShared", "Whether a node that is alone takes its part of limits from PostgreSQL as well, so that one which is cut off can never admit beyond its lease", "true or false", "false")
        {
            Apply = (options, text) => bool.TryParse(text, out bool flag) ? options with { Slices = options.Slices with { AlwaysShared = flag } } : null,
        },
        new("Store:WhenAway", "What is done with new requests while PostgreSQL is away: let in on what is known, or refused with 1234", "admit or refuse", "admit")
        {
            Apply = (options, text) => Enum.TryParse(text, ignoreCase: true, out StoreAwayPolicy policy) && Enum.IsDefined(policy) && !char.IsAsciiDigit(text[0]) ? options with { StoreWhenAway = policy } : null,
        },
        new("Store:AwaySeconds", "How long requests are let in while PostgreSQL is away", "a number from 1 to 86400", "300")
        {
            Apply = (options, text) => Whole(text, 1, 86400) is { } seconds ? options with { StoreAwayTime = TimeSpan.FromSeconds(seconds) } : null,
        },
        new("Store:AwayAmount", "Most that one account may be charged on a node while PostgreSQL is away, in the currency of its requests", "an amount such as 10.00", "10")
        {
            Apply = (options, text) => Amount(text) is { } amount ? options with { StoreAwayAmount = amount } : null,
        },
        new("Store:JournalBytes", "Most bytes of the journal that keeps settled requests while PostgreSQL is away", "a number from 65536 to 1073741824", "67108864")
        {
            Apply = (options, text) => Whole(text, 65536, 1 << 30) is { } bytes ? options with { StoreJournalBytes = bytes } : null,
        },
        new("Store:WaitSeconds", "How long the start waits for a PostgreSQL that does not answer", "a number from 0 (not at all) to 86400", "300")
        {
            Apply = (options, text) => Whole(text, 0, 86400) is { } seconds ? options with { StoreWait = TimeSpan.FromSeconds(seconds) } : null,
        },
        new("Listen:TrustedProxies", "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed", "addresses or networks such as 10.0.0.0/8, separated by commas", "")
        {
            Apply = (options, text) =>
            {
                var networks = new List<System.Net.IPNetwork>();
                foreach (string entry in text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
                {
                    if (!KeyRules.TryParseNetwork(entry, out System.Net.IPNetwork network))
                        return null;
                    networks.Add(network);
                }

                return options with { Accounts = options.Accounts with { TrustedProxies = networks } };
            },
        },
        new("Accounts:SignUp", "Who may sign up", "open, invited or closed", "open")
        {
            Apply = (options, text) => Enum.TryParse(text, ignoreCase: true, out SignUpRule rule) && Enum.IsDefined(rule) && !char.IsAsciiDigit(text[0]) ? SignIn(options, signIn => signIn with { SignUp = rule }) : null,
        },
        new("Accounts:ConfirmEmail", "Whether an account is inactive until its e-mail address is confirmed", "true or false", "false")
        {
            Apply = (options, text) => bool.TryParse(text, out bool flag) ? SignIn(options, signIn => signIn with { ConfirmEmail = flag }) : null,
        },
        new("Accounts:PublicUrl", "Address of the platform as people reach it, for links in mails and other logins", "an http or https address such as https://glm.example.com/", "")
        {
            Apply = (options, text) => Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" && uri.Query.Length == 0 && uri.Fragment.Length == 0
                ? options with { Accounts = options.Accounts with { PublicUrl = uri.AbsoluteUri.EndsWith('/') ? uri : new Uri(uri.AbsoluteUri + "/") } }
                : null,
        },
        new("Accounts:SessionIdleHours", "A session ends when nothing came for so long", "a number from 1 to 8760", "168")
        {
            Apply = (options, text) => Whole(text, 1, 8760) is { } hours ? SignIn(options, signIn => signIn with { SessionIdle = TimeSpan.FromHours(hours) }) : null,
        },
        new("Accounts:SessionDays", "A session ends after so long, whatever came", "a number from 1 to 365", "30")
        {
            Apply = (options, text) => Whole(text, 1, 365) is { } days ? SignIn(options, signIn => signIn with { SessionLife = TimeSpan.FromDays(days) }) : null,
        },
        new("Accounts:Providers", "Other places to log in by", "entries such as google=ID:SECRET, github=ID:SECRET or corp=ID:SECRET@https://login.example.com, separated by blanks", "")
        {
            IsSecret = true,
            Apply = (options, text) => LoginProvider.Parse(text) is { } providers ? SignIn(options, signIn => signIn with { Providers = providers }) : null,
        },
        new("Mail:Smtp", "SMTP server for mails; without it they are files in DATA/outbox", "smtp://user:password@host:587 (STARTTLS) or smtps://user:password@host:465", "")
        {
            IsSecret = true,
            Apply = (options, text) => Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "smtp" or "smtps" && uri.Host.Length > 0 ? options with { Accounts = options.Accounts with { Smtp = uri } } : null,
        },
        new("Mail:From", "Sender of mails", "an e-mail address", "no-reply@localhost")
        {
            Apply = (options, text) => MailMessage.IsAddress(text) ? options with { Accounts = options.Accounts with { MailFrom = text } } : null,
        },
        new("Limits:BodyBytes", "Largest request body", "a number of bytes from 1024 to 1073741824", "33554432")
        {
            Apply = (options, text) => Whole(text, 1024, 1 << 30) is { } bytes ? options with { MaxBodyBytes = bytes } : null,
        },
        new("Limits:OpenRequests", "Most requests in flight", "a number from 1 to 100000", "256")
        {
            Apply = (options, text) => Whole(text, 1, 100_000) is { } count ? options with { MaxOpenRequests = (int)count } : null,
        },
        new("Limits:OpenRequestsPerKey", "Most requests in flight of one key", "a number from 1 to 100000", "256")
        {
            Apply = (options, text) => Whole(text, 1, 100_000) is { } count ? options with { MaxOpenRequestsPerKey = (int)count } : null,
        },
        new("Limits:RequestIdSeconds", "How long a client's request_id may not come again", "a number from 0 (it always may) to 86400", "600")
        {
            Apply = (options, text) => Whole(text, 0, 86400) is { } seconds ? options with { RequestIdWindow = TimeSpan.FromSeconds(seconds) } : null,
        },
        new("Queue:Length", "Most requests that wait for a place", "a number from 0 (nobody waits) to 1000000", "1024")
        {
            Apply = (options, text) => Whole(text, 0, 1_000_000) is { } count ? options with { QueueLength = (int)count } : null,
        },
        new("Queue:LengthPerAccount", "Most waiting requests of one account", "a number from 1 to 1000000", "256")
        {
            Apply = (options, text) => Whole(text, 1, 1_000_000) is { } count ? options with { QueueLengthPerAccount = (int)count } : null,
        },
        new("Queue:PatienceSeconds", "How long a request waits for a place", "a number from 1 to 3600", "60")
        {
            Apply = (options, text) => Whole(text, 1, 3600) is { } seconds ? options with { QueuePatience = TimeSpan.FromSeconds(seconds) } : null,
        },
        new("Tasks:Concurrency", "Most tasks (asynchronous chats, items of batches) that this node runs at a time", "a number from 1 to 10000", "8")
        {
            Apply = (options, text) => Whole(text, 1, 10_000) is { } count ? options with { TaskConcurrency = (int)count } : null,
        },
        new("Tasks:LeaseSeconds", "How long a node may be silent before another takes its tasks", "a number from 4 to 3600", "60")
        {
            Apply = (options, text) => Whole(text, 4, 3600) is { } seconds ? options with { TaskLease = TimeSpan.FromSeconds(seconds) } : null,
        },
        new("Tasks:KeepHours", "How long the result of an asynchronous chat is kept", "a number from 1 to 8760", "24")
        {
            Apply = (options, text) => Whole(text, 1, 8760) is { } hours ? options with { KeepTaskResults = TimeSpan.FromHours(hours) } : null,
        },
        new("Billing:Mode", "Whether usage is charged, or only recorded", "free or metered", "free")
        {
            Apply = (options, text) => text is "free" ? options with { BillingMode = BillingMode.Free } : text is "metered" ? options with { BillingMode = BillingMode.Metered } : null,
        },
        new("Billing:Currency", "Currency that usage is charged in", "three letters such as USD", "USD")
        {
            Apply = (options, text) => Currency.TryParse(text, out Currency currency) ? options with { BillingCurrency = currency } : null,
        },
        new("Billing:CoverWorstCase", "Whether a request needs funds for all it can cost", "true or false", "false")
        {
            Apply = (options, text) => bool.TryParse(text, out bool flag) ? options with { CoverWorstCase = flag } : null,
        },
        new("Billing:ZoneHours", "Hours from UTC in which days and months of bills are reckoned; set it before the first request is billed", "a number from -12 to 14", "8")
        {
            Apply = (options, text) => Signed(text, -12, 14) is { } hours ? options with { Billing = options.Billing with { ZoneHours = (int)hours } } : null,
        },
        new("Billing:LeastRecharge", "Smallest recharge", "an amount such as 0.50", "0.50")
        {
            Apply = (options, text) => Amount(text) is { } amount ? options with { Billing = options.Billing with { Payments = options.Billing.Payments with { Least = amount } } } : null,
        },
        new("Billing:MostRecharge", "Largest recharge through a payment provider", "an amount such as 10000", "10000")
        {
            Apply = (options, text) => Amount(text) is { } amount ? options with { Billing = options.Billing with { Payments = options.Billing.Payments with { Most = amount } } } : null,
        },
        new("Billing:ProviderAddress", "Base address of the Stripe-type payment provider", "an https address (http on loopback only)", "https://api.stripe.com")
        {
            Apply = (options, text) => Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && (uri.Scheme == "https" || (uri.Scheme == "http" && uri.IsLoopback)) ? options with { Billing = options.Billing with { ProviderAddress = uri } } : null,
        },
        new("Billing:ProviderKey", "Secret key at the payment provider; without it there are no recharges by card", "a key such as sk_live_…", "")
        {
            Apply = (options, text) => options with { Billing = options.Billing with { ProviderKey = text } },
        },
        new("Billing:WebhookSecrets", "Secrets that the payment provider signs its messages with", "one or more secrets separated by commas", "")
        {
            Apply = (options, text) => text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) is { Length: > 0 } secrets ? options with { Billing = options.Billing with { WebhookSecrets = secrets } } : null,
        },
        new("Billing:ReturnAddress", "Where payers go after the payment page", "an address; without it /billing of this server", "")
        {
            Apply = (options, text) => Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" ? options with { Billing = options.Billing with { ReturnAddress = uri } } : null,
        },
        new("Billing:IssuerName", "Who issues invoices", "a name", "Glimmer")
        {
            Apply = (options, text) => options with { Billing = options.Billing with { Issuer = options.Billing.Issuer with { Name = text } } },
        },
        new("Billing:IssuerAddress", "The issuer's address on invoices", "a text; \\n begins a line", "")
        {
            Apply = (options, text) => options with { Billing = options.Billing with { Issuer = options.Billing.Issuer with { Address = text.Replace("\\n", "\n", StringComparison.Ordinal) } } },
        },
        new("Billing:IssuerTaxNumber", "The issuer's tax number on invoices", "a text", "")
        {
            Apply = (options, text) => options with { Billing = options.Billing with { Issuer = options.Billing.Issuer with { TaxNumber = text } } },
        },
        new("Shutdown:DrainSeconds", "How long answers in flight may go on when the server stops", "a number from 0 to 3600", "20")
        {
            Apply = (options, text) => Whole(text, 0, 3600) is { } seconds ? options with { DrainTime = TimeSpan.FromSeconds(seconds) } : null,
        },
        new("Backends:File", "File of the backends that answer, beside or in place of the engine of this process", "the path of a YAML file; without it the engine of this process answers alone", "")
        {
            Apply = (options, text) => text.Contains('\0', StringComparison.Ordinal) ? null : options with { BackendsFile = text },
        },
        new("Backends:WatchSeconds", "How often that file is looked at for changes", "a number from 0 (never) to 3600", "5")
        {
            Apply = (options, text) => Whole(text, 0, 3600) is { } seconds ? options with { BackendsWatch = TimeSpan.FromSeconds(seconds) } : null,
        },
        new("Backends:ShowInHeader", "Whether answers name the backend that gave them in the header X-Glimmer-Backend", "true or false", "false")
        {
            Apply = (options, text) => bool.TryParse(text, out bool flag) ? options with { ShowBackend = flag } : null,
        },
        new("Cors:Origins", "Origins whose pages may call", "* or origins such as https://example.com, separated by commas", "*")
        {
            Apply = (options, text) =>
            {
                string[] origins = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
                return Array.TrueForAll(origins, origin => origin == "*" || (Uri.TryCreate(origin, UriKind.Absolute, out Uri? uri) && uri.GetLeftPart(UriPartial.Authority) == origin))
                    ? options with { CorsOrigins = origins }
                    : null;
            },
        },
        new("Dialects:ModelNames", "What other vendors' model names stand for on the Anthropic base", "rules PATTERN=CODE separated by semicolons, such as claude*haiku*=glm-4.5-air;claude*=glm-4.7", Messages.ModelNames.DefaultRules)
        {
            Apply = (options, text) => Messages.ModelNames.IsValid(text) ? options with { ModelNames = text } : null,
        },
        new("Dialects:OpenAIModelNames", "What other vendors' model names stand for on the OpenAI base", "rules PATTERN=CODE separated by semicolons, such as gpt-*mini*=glm-4.5-air;gpt-*=glm-4.7", "")
        {
            Apply = (options, text) => Messages.ModelNames.IsValid(text) ? options with { OpenAIModelNames = text } : null,
        },
        new("Dialects:GeminiModelNames", "What other vendors' model names stand for in Gemini's dialect", "rules PATTERN=CODE separated by semicolons, such as gemini*flash*=glm-4.5-air;gemini*=glm-4.7", Gemini.GeminiModelNames.DefaultRules)
        {
            Apply = (options, text) => Messages.ModelNames.IsValid(text) ? options with { GeminiModelNames = text } : null,
        },
        new("Dialects:OllamaKey", "Key that counts on Ollama's paths for programs of this machine that send none", "the part of a key before its dot (glimmer keys list)", "")
        {
            Apply = (options, text) => text.Length is >= 8 and <= 128 && text.All(char.IsAsciiLetterOrDigit) ? options with { OllamaKey = text } : null,
        },
        new("Dialects:RememberMinutes", "How long answers of /v1/responses that nobody asked to keep are remembered in memory", "a number from 0 (not at all) to 1440", "60")
        {
            Apply = (options, text) => Whole(text, 0, 1440) is { } minutes ? options with { RememberResponses = TimeSpan.FromMinutes(minutes) } : null,
        },
        new("Metrics:Enabled", "Whether /metrics answers", "true or false", "true")
        {
            Apply = (options, text) => bool.TryParse(text, out bool flag) ? options with { Metrics = flag } : null,
        },
        new("Telemetry:OtlpEndpoint", "Where traces and metrics are sent (OTLP over HTTP)", "an address such as http://localhost:4318", "")
        {
            Apply = (options, text) => Uri.TryCreate(text, UriKind.Absolute, out Uri? uri) && uri.Scheme is "http" or "https" ? options with { OtlpEndpoint = uri } : null,
        },
        new("Log:Level", "Least severe log lines", "Debug, Information, Warning, Error or None", "Information")
        {
            Apply = (options, text) => Enum.TryParse(text, ignoreCase: true, out LogLevel level) && Enum.IsDefined(level) && !char.IsAsciiDigit(text[0]) ? options with { LogLevel = level } : null,
        },
    ];

    /// <summary>Reads the options from a configuration.</summary>
    /// <param name="configuration">The chain of sources.</param>
    /// <param name="start">What holds where nothing is set.</param>
    /// <exception cref="GlimmerStartupException">A value is illegal, or a key is unknown (groups of others, such as Engine, are left to them).</exception>
    public static GlimmerOptions Read(IConfiguration configuration, GlimmerOptions? start = null)
    {
        GlimmerOptions options = start ?? new GlimmerOptions();
        IConfigurationSection section = configuration.GetSection(Section);
        foreach (GlimmerSetting setting in All)
        {
            if (section[setting.Key] is not { Length: > 0 } text)
                continue;
            options = setting.Apply(options, text.Trim())
                ?? throw new GlimmerStartupException($"The setting {Section}:{setting.Key} is {(setting.IsSecret ? "wrong" : $"\"{text}\"")}. Use {setting.Legal}.", 78);
        }

        foreach (string group in All.Select(setting => setting.Key.Split(':')).Where(parts => parts.Length == 2).Select(parts => parts[0]).Distinct(StringComparer.Ordinal))
        {
            foreach (IConfigurationSection child in section.GetSection(group).GetChildren())
            {
                string[] known = [.. All.Where(setting => setting.Key.StartsWith(group + ':', StringComparison.Ordinal)).Select(setting => setting.Key)];
                if (!known.Contains($"{group}:{child.Key}", StringComparer.OrdinalIgnoreCase))
                    throw new GlimmerStartupException($"The setting {Section}:{group}:{child.Key} is not known. Use {string.Join(" or ", known.Select(key => $"{Section}:{key}"))}.", 78);
            }
        }

        foreach (IConfigurationSection child in section.GetChildren())
        {
            if (child.Value is not null && !All.Any(setting => string.Equals(setting.Key, child.Key, StringComparison.OrdinalIgnoreCase)))
                throw new GlimmerStartupException($"The setting {Section}:{child.Key} is not known. Use {Section}:DataFolder, or a setting of a group such as {Section}:Listen:Port.", 78);
        }

        // The variable that every OpenTelemetry program knows counts when ours is not set.
        if (options.OtlpEndpoint is null && Uri.TryCreate(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"], UriKind.Absolute, out Uri? otlp))
            options = options with { OtlpEndpoint = otlp };
        return options;
    }

    private static long? Signed(string text, long least, long most) =>
        long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) && value >= least && value <= most ? value : null;

    private static decimal? Amount(string text) =>
        decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value) && value is > 0 and <= 1_000_000_000 && decimal.Round(value, 2) == value ? value : null;

    private static GlimmerOptions SignIn(GlimmerOptions options, Func<SignInSettings, SignInSettings> change) =>
        options with { Accounts = options.Accounts with { SignIn = change(options.Accounts.SignIn) } };

    private static long? Whole(string text, long min, long max) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) && number >= min && number <= max ? number : null;
}
