using Glimmer.Platform.Store;
using Glimmer.Server.Accounts;

namespace Glimmer.Server.Hosting;

/// <summary>How a server runs. Every property is a setting under <c>Glimmer:</c>; see <see cref="GlimmerSettings"/>.</summary>
public sealed record GlimmerOptions
{
    /// <summary>Address to listen on: an IP address, <c>localhost</c>, or <c>*</c> for all. Loopback unless told otherwise.</summary>
    public string Host { get; init; } = "127.0.0.1";

    /// <summary>Port to listen on; 0 takes a free one.</summary>
    public int Port { get; init; } = 8080;

    /// <summary>Folder of the store, of the key that seals secrets, and of catalogue changes.</summary>
    public string DataFolder { get; init; } = "data";

    /// <summary>Npgsql connection string of the PostgreSQL database that holds the store; empty for SQLite in the data folder.</summary>
    public string StoreConnectionString { get; init; } = "";

    /// <summary>What a finished write to the store survives.</summary>
    public StoreDurability StoreDurability { get; init; } = StoreDurability.Full;

    /// <summary>How people get in and where mails go.</summary>
    public AccountOptions Accounts { get; init; } = new();

    /// <summary>Largest request body in bytes.</summary>
    public long MaxBodyBytes { get; init; } = 32 << 20;

    /// <summary>Most requests in flight; more are refused with 1305.</summary>
    public int MaxOpenRequests { get; init; } = 256;

    /// <summary>Most requests in flight of one key; more are refused with 1302.</summary>
    public int MaxOpenRequestsPerKey { get; init; } = 256;

    /// <summary>How long answers in flight may go on when the server stops.</summary>
    public TimeSpan DrainTime { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Origins whose pages may call; <c>*</c> for every one (a key is needed anyway).</summary>
    public IReadOnlyList<string> CorsOrigins { get; init; } = ["*"];

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
