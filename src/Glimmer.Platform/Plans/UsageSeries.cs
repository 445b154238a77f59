using Glimmer.Platform.Store;

namespace Glimmer.Platform.Plans;

/// <summary>One model's or tool's use in one hour of the platform's clock.</summary>
/// <param name="Hour">Hours since 1970 on the platform's clock.</param>
/// <param name="Model">The model's code.</param>
/// <param name="Calls">Requests.</param>
/// <param name="Tokens">Input and output tokens.</param>
/// <param name="Searches">Web searches.</param>
/// <param name="Tools">Calls of other tools.</param>
public sealed record UsagePoint(long Hour, string Model, long Calls, long Tokens, long Searches, long Tools);

/// <summary>Reads an account's usage by the hour from the ledger's sums. Never on the path of a request that is charged.</summary>
public sealed class UsageSeries(PlatformStore store)
{
    /// <summary>The points of an account, by hour and model.</summary>
    /// <param name="account">The account.</param>
    /// <param name="fromHour">First hour.</param>
    /// <param name="toHour">Last hour, included.</param>
    /// <param name="cancel">Ends the wait for a reader.</param>
    public async Task<IReadOnlyList<UsagePoint>> ReadAsync(string account, long fromHour, long toHour, CancellationToken cancel = default)
    {
        List<Row> rows = await store.ReadAsync(
            session => session.List<Row>(
                "SELECT u.hour AS hour, n.name AS model, CAST(SUM(u.requests) AS BIGINT) AS calls, CAST(SUM(u.input + u.output) AS BIGINT) AS tokens, CAST(SUM(u.searches) AS BIGINT) AS searches, CAST(SUM(u.tools) AS BIGINT) AS tools "
                + "FROM ledger_usage_hours u JOIN ledger_names n ON n.id = u.model "
                + "WHERE u.account = (SELECT id FROM ledger_names WHERE name = @account) AND u.hour >= @fromHour AND u.hour <= @toHour GROUP BY u.hour, n.name ORDER BY u.hour, n.name",
                new { account, fromHour, toHour }),
            cancel: cancel);
        return [.. rows.Select(row => new UsagePoint(row.Hour, row.Model, row.Calls, row.Tokens, row.Searches, row.Tools))];
    }

    private sealed record Row
    {
        public long Hour { get; init; }

        public string Model { get; init; } = "";

        public long Calls { get; init; }

        public long Tokens { get; init; }

        public long Searches { get; init; }

        public long Tools { get; init; }
    }
}
