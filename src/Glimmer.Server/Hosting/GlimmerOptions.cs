using Glimmer.Platform.Admission;
using Glimmer.Platform.Ledger;
using Glimmer.Platform.Nodes;
using Glimmer.Platform.Store;
using Glimmer.Server.Accounts;
using Glimmer.Server.Billing;

namespace Glimmer.Server.Hosting;

/// <summary>How a server runs. Every property is a setting under <c>Glimmer:</c>; see <see cref="GlimmerSettings"/>.</summary>
public sealed record GlimmerOptions
{
    /// <summary>Address to listen on: an IP address, <c>localhost</c>, or <c>*</c> for all. Loopback unless told otherwise.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>Port to listen on; 0 takes a free one.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>Certificate for TLS: a PEM file with its chain, or a PKCS#12 file; empty for none, and no TLS. Read again when it changes.</summary>
    public string Certificate { get; init; } = "";

    /// <summary>PEM file of the certificate's private key; empty where the certificate's own file holds it.</summary>
    public string CertificateKey { get; init; } = "";

    /// <summary>Password of the private key or of the PKCS#12 file; empty for none.</summary>
    public string CertificatePassword { get; init; } = "";

    /// <summary>Folder of the store, of the key that seals secrets, and of catalogue changes.</summary>
    public string DataFolder { get; init; } = "data";

    /// <summary>Npgsql connection string of the PostgreSQL database that holds the store; empty for SQLite in the data folder.</summary>
    public string StoreConnectionString { get; init; } = "";

    /// <summary>What a finished write to the store survives.</summary>
    public StoreDurability StoreDurability { get; init; } = StoreDurability.Full;

    /// <summary>How this node shares limits with others on the same PostgreSQL; without a name it is machine and port.</summary>
    public SliceSettings Slices { get; init; } = new() { Name = "", Version = typeof(GlimmerOptions).Assembly.GetName().Version?.ToString(3) ?? "" };

    /// <summary>What is done with new requests while PostgreSQL is away.</summary>
    public StoreAwayPolicy StoreWhenAway { get; init; } = StoreAwayPolicy.Admit;

    /// <summary>How long requests are let in while PostgreSQL is away.</summary>
    public TimeSpan StoreAwayTime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Most money that one account may be charged on this node while PostgreSQL is away, in the currency of its requests.</summary>
    public decimal StoreAwayAmount { get; init; } = 10;

    /// <summary>Most bytes of the journal that keeps settled requests while PostgreSQL is away.</summary>
    public long StoreJournalBytes { get; init; } = 64 << 20;

    /// <summary>How long the start waits for a PostgreSQL that does not answer; zero not at all.</summary>
    public TimeSpan StoreWait { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How people get in and where mails go.</summary>
    public AccountOptions Accounts { get; init; } = new();

    /// <summary>Largest request body in bytes.</summary>
    public long MaxBodyBytes { get; init; } = 32 << 20;

    /// <summary>Most requests in flight; more wait in the line.</summary>
    public int MaxOpenRequests { get; init; } = 256;

    /// <summary>Most requests in flight of one key; more wait in the line.</summary>
    public int MaxOpenRequestsPerKey { get; init; } = 256;

    /// <summary>Most requests that wait for a place; more are refused with 1302 or 1305. 0: nobody waits.</summary>
    public int QueueLength { get; init; } = 1024;

    /// <summary>Most waiting requests of one account.</summary>
    public int QueueLengthPerAccount { get; init; } = 256;

    /// <summary>How long a request waits for a place.</summary>
    public TimeSpan QueuePatience { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a client's <c>request_id</c> may not come again (1231); zero lets it.</summary>
    public TimeSpan RequestIdWindow { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>What is charged.</summary>
    public BillingMode BillingMode { get; init; } = BillingMode.Free;

    /// <summary>Currency that prices are charged in.</summary>
    public Currency BillingCurrency { get; init; } = Currency.Usd;

    /// <summary>Whether a request needs funds for all it can cost at most; otherwise it needs any.</summary>
    public bool CoverWorstCase { get; init; }

    /// <summary>Bills, recharges and invoices.</summary>
    public BillingOptions Billing { get; init; } = new();

    /// <summary>Most tasks (asynchronous chats, items of batches) that this node runs at a time.</summary>
    public int TaskConcurrency { get; init; } = 8;

    /// <summary>How long a node may be silent before another takes its tasks.</summary>
    public TimeSpan TaskLease { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long the result of an asynchronous chat is kept.</summary>
    public TimeSpan KeepTaskResults { get; init; } = TimeSpan.FromHours(24);

    /// <summary>File of the backends that answer (docs/backends.md); empty for the engine of this process alone.</summary>
    public string BackendsFile { get; init; } = "";

    /// <summary>How often that file is looked at for changes; zero for never.</summary>
    public TimeSpan BackendsWatch { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether answers name the backend in the header <c>X-Glimmer-Backend</c>.</summary>
    public bool ShowBackend { get; init; }

    /// <summary>How long answers in flight may go on when the server stops.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Origins whose pages may call; <c>*</c> for every one (a key is needed anyway).</summary>
    public IReadOnlyList<string> CorsOrigins { get; init; } = ["*"];

    /// <summary>Rules <c>PATTERN=CODE;…</c> that turn other vendors' model names into codes on the Anthropic base.</summary>
    public string ModelNames { get; init; } = Messages.ModelNames.DefaultRules;

    /// <summary>Rules <c>PATTERN=CODE;…</c> that turn other vendors' model names into codes on the OpenAI base; empty for none.</summary>
    public string OpenAIModelNames { get; init; } = "";

    /// <summary>Rules <c>PATTERN=CODE;…</c> that turn other vendors' model names into codes in Gemini's dialect; empty for none.</summary>
    public string GeminiModelNames { get; init; } = Gemini.GeminiModelNames.DefaultRules;

    /// <summary>Public id of the key that counts on Ollama's paths for programs of this machine that send none; empty for none.</summary>
    public string OllamaKey { get; init; } = "";

    /// <summary>How long responses that no client asked to keep are remembered in memory, for requests that go on from them; zero for not at all.</summary>
    public TimeSpan RememberResponses { get; init; } = TimeSpan.FromMinutes(60);

    /// <summary>Whether <c>/metrics</c> answers.</summary>
    public bool Metrics { get; init; } = true;

    /// <summary>Where traces and metrics are sent by OTLP over HTTP; null sends nothing.</summary>
    public Uri? OtlpEndpoint { get; init; }

    /// <summary>Least severe log lines to write.</summary>
    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>Where the store is.</summary>
    /// <param name="time">Its clock.</param>
    public StoreSettings Store(TimeProvider time) =>
        new() { DataFolder = DataFolder, ConnectionString = StoreConnectionString, Durability = StoreDurability, Time = time };
}
