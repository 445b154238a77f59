using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Glimmer.Client;

/// <summary>Quota and usage of a coding plan (spec: api.md §24).</summary>
public sealed class MonitorClient
{
    private readonly Transport _transport;

    internal MonitorClient(Transport transport) => _transport = transport;

    /// <summary>How the plan's windows stand.</summary>
    /// <param name="cancel">Ends the call.</param>
    public async Task<PlanQuota> QuotaAsync(CancellationToken cancel = default)
    {
        PlanQuotaAnswer answer = await _transport.CallAsync("~/api/monitor/usage/quota/limit", null, ClientJson.Default.PlanQuotaAnswer, cancel).ConfigureAwait(false);
        return answer.Data ?? throw Refused(answer.Code, answer.Msg);
    }

    /// <summary>Calls and tokens by hour or day and by model, as the platform tells them.</summary>
    /// <param name="from">Start in the platform's time (UTC+8); null for a day ago.</param>
    /// <param name="to">End; null for now.</param>
    /// <param name="cancel">Ends the call.</param>
    public async Task<JsonObject> ModelUsageAsync(DateTime? from = null, DateTime? to = null, CancellationToken cancel = default)
    {
        string path = $"~/api/monitor/usage/model-usage?startTime={Text(from)}&endTime={Text(to)}";
        ModelUsageAnswer answer = await _transport.CallAsync(path, null, ClientJson.Default.ModelUsageAnswer, cancel).ConfigureAwait(false);
        return answer.Data ?? throw Refused(answer.Code, answer.Msg);
    }

    private static string Text(DateTime? at) => at is { } time ? Uri.EscapeDataString(time.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)) : "";

    /// <summary>These pages say errors with status 200.</summary>
    private static GlimmerException Refused(int code, string? message) =>
        ErrorReader.Make(code is >= 400 and < 600 ? (System.Net.HttpStatusCode)code : null, code, message ?? "The platform told no quota.", null, null, null);
}

/// <summary>How a plan stands.</summary>
public sealed record PlanQuota : WireObject
{
    /// <summary>Name of the plan; <c>free</c> without one.</summary>
    public string? Level { get; init; }

    /// <summary>Its windows.</summary>
    public IReadOnlyList<PlanLimit> Limits
    {
        get => field ?? [];
        init;
    }
}

/// <summary>A window of a plan.</summary>
public sealed record PlanLimit : WireObject
{
    /// <summary><c>TOKENS_LIMIT</c> or <c>TIME_LIMIT</c>.</summary>
    public string? Type { get; init; }

    /// <summary>Unit of its length: 3 hour, 5 month, 6 week.</summary>
    public int Unit { get; init; }

    /// <summary>Its length in units.</summary>
    public int Number { get; init; }

    /// <summary>Whole percents that are used.</summary>
    public int Percentage { get; init; }

    /// <summary>Unix milliseconds of its reset; null when it has not begun.</summary>
    [JsonPropertyName("nextResetTime")]
    public long? NextResetTime { get; init; }
}

/// <summary>The platform's envelope of a quota.</summary>
internal sealed record PlanQuotaAnswer
{
    public int Code { get; init; }

    public string? Msg { get; init; }

    public PlanQuota? Data { get; init; }
}

/// <summary>The platform's envelope of usage.</summary>
internal sealed record ModelUsageAnswer
{
    public int Code { get; init; }

    public string? Msg { get; init; }

    public JsonObject? Data { get; init; }
}
