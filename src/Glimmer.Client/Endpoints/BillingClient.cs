using System.Globalization;
using System.Text.Json.Serialization;

namespace Glimmer.Client;

/// <summary>Balance and usage of the account, as a Glimmer server tells them under <c>/api/billing</c>.</summary>
public sealed class BillingClient
{
    private readonly Transport _transport;

    internal BillingClient(Transport transport) => _transport = transport;

    /// <summary>The balance in each currency.</summary>
    /// <param name="cancel">Ends the call.</param>
    public async Task<IReadOnlyList<AccountBalance>> BalanceAsync(CancellationToken cancel = default) =>
        (await _transport.CallAsync("~/api/billing/balance", null, ClientJson.Default.BalanceList, cancel).ConfigureAwait(false)).Balances;

    /// <summary>Usage by day.</summary>
    /// <param name="from">First day; null for the server's choice.</param>
    /// <param name="to">Day after the last; null for the server's choice.</param>
    /// <param name="cancel">Ends the call.</param>
    public async Task<IReadOnlyList<UsageEntry>> UsageAsync(DateOnly? from = null, DateOnly? to = null, CancellationToken cancel = default)
    {
        string path = "~/api/billing/usage";
        char mark = '?';
        foreach ((string name, DateOnly? day) in new[] { ("from", from), ("to", to) })
        {
            if (day is not { } date)
                continue;
            path += $"{mark}{name}={date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)}";
            mark = '&';
        }

        return (await _transport.CallAsync(path, null, ClientJson.Default.UsageReport, cancel).ConfigureAwait(false)).Usage;
    }
}

/// <summary>A balance. Amounts are decimal texts, exact to the last digit.</summary>
public sealed record AccountBalance : WireObject
{
    /// <summary>Code of the currency.</summary>
    public string? Currency { get; init; }

    /// <summary>Money paid in.</summary>
    public string? Cash { get; init; }

    /// <summary>Money given.</summary>
    public string? Credits { get; init; }

    /// <summary>Both.</summary>
    public string? Funds { get; init; }

    /// <summary>Of it, what running requests may still take.</summary>
    public string? Held { get; init; }

    /// <summary>What is owed.</summary>
    public string? Arrears { get; init; }
}

/// <summary>Usage of a day.</summary>
public sealed record UsageEntry : WireObject
{
    /// <summary>Its start.</summary>
    public DateTimeOffset? Start { get; init; }

    /// <summary>Requests.</summary>
    public long Requests { get; init; }

    /// <summary>Of them, failed ones.</summary>
    public long Failed { get; init; }

    /// <summary>Units by kind, such as <c>input_tokens</c>.</summary>
    public IReadOnlyDictionary<string, long>? Units { get; init; }
}

/// <summary>The answer of the balance.</summary>
internal sealed record BalanceList
{
    public IReadOnlyList<AccountBalance> Balances
    {
        get => field ?? [];
        init;
    }
}

/// <summary>The answer of the usage.</summary>
internal sealed record UsageReport
{
    public IReadOnlyList<UsageEntry> Usage
    {
        get => field ?? [];
        init;
    }
}
