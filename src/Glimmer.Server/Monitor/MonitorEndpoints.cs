using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Glimmer.Platform.Admission;
using Glimmer.Platform.Keys;
using Glimmer.Platform.Plans;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Monitor;

/// <summary>
/// <c>/api/monitor/usage/…</c> and <c>/api/biz/subscription/list</c> (spec: api.md §24): how a coding plan stands and what was used, in the
/// envelope <c>{code, msg, data, success}</c> that status lines and usage tools read. Errors have HTTP status 200 and say so in the body, as the
/// platform does here.
/// </summary>
internal sealed class MonitorEndpoints(Authenticator authenticator, ICallerPolicy callers, PlanGate plans, UsageSeries series, TimeProvider time)
{
    private const int MostHourly = 7 * 24;
    private const int MostDays = 366;
    private static readonly string[] Tools = ["search-prime", "web-reader", "zread"];

    /// <summary>The windows of the caller's plan.</summary>
    public Task QuotaAsync(HttpContext context) => AnswerAsync(context, async (caller, json) =>
    {
        PlanStanding? standing = await plans.StandingAsync(caller.AccountId, time.GetUtcNow(), context.RequestAborted);
        json.WriteStartObject("data"u8);
        json.WriteString("level"u8, standing?.Plan.Level ?? "free");
        json.WriteStartArray("limits"u8);
        if (standing is not null)
        {
            WriteTokens(json, 3, (int)plans.Rules.Window.TotalHours, standing.Window);
            if (standing.Week.Limit is not null)
                WriteTokens(json, 6, 1, standing.Week);
            WriteTools(json, standing);
        }

        json.WriteEndArray();
        json.WriteEndObject();
        return null;
    });

    /// <summary>Calls and tokens of a time, by hour or day and by model.</summary>
    public Task ModelUsageAsync(HttpContext context) => AnswerAsync(context, async (caller, json) =>
    {
        (UsageRange range, PlatformError? error) = Range(context.Request);
        if (error is not null)
            return error;
        IReadOnlyList<UsagePoint> points = await series.ReadAsync(caller.AccountId, range.From, range.To, context.RequestAborted);
        json.WriteStartObject("data"u8);
        range.WriteTimes(json);
        range.WriteSeries(json, "modelCallCount", points, static point => point.Calls);
        range.WriteSeries(json, "tokensUsage", points, static point => point.Tokens);
        var models = points.GroupBy(point => point.Model, StringComparer.Ordinal).Select(group => (Name: group.Key, Points: group.ToList(), Tokens: group.Sum(point => point.Tokens))).OrderByDescending(group => group.Tokens).ToList();
        json.WriteStartArray("modelDataList"u8);
        for (int i = 0; i < models.Count; i++)
        {
            json.WriteStartObject();
            json.WriteString("modelName"u8, models[i].Name);
            json.WriteNumber("sortOrder"u8, i + 1);
            range.WriteSeries(json, "tokensUsage", models[i].Points, static point => point.Tokens);
            json.WriteNumber("totalTokens"u8, models[i].Tokens);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartObject("totalUsage"u8);
        json.WriteNumber("totalModelCallCount"u8, points.Sum(point => point.Calls));
        json.WriteNumber("totalTokensUsage"u8, points.Sum(point => point.Tokens));
        json.WriteStartArray("modelSummaryList"u8);
        for (int i = 0; i < models.Count; i++)
        {
            json.WriteStartObject();
            json.WriteString("modelName"u8, models[i].Name);
            json.WriteNumber("totalTokens"u8, models[i].Tokens);
            json.WriteNumber("sortOrder"u8, i + 1);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
        return null;
    });

    /// <summary>Calls of remote tools of a time, by hour or day.</summary>
    public Task ToolUsageAsync(HttpContext context) => AnswerAsync(context, async (caller, json) =>
    {
        (UsageRange range, PlatformError? error) = Range(context.Request);
        if (error is not null)
            return error;
        IReadOnlyList<UsagePoint> points = await series.ReadAsync(caller.AccountId, range.From, range.To, context.RequestAborted);
        json.WriteStartObject("data"u8);
        range.WriteTimes(json);
        range.WriteSeries(json, "networkSearchCount", points, static point => point.Searches);
        range.WriteSeries(json, "webReadMcpCount", points, static point => point.Model == "web-reader" ? point.Tools : 0);
        range.WriteSeries(json, "zreadMcpCount", points, static point => point.Model == "zread" ? point.Tools : 0);
        json.WriteStartObject("totalUsage"u8);
        json.WriteNumber("totalNetworkSearchCount"u8, points.Sum(point => point.Searches));
        json.WriteNumber("totalWebReadMcpCount"u8, points.Where(point => point.Model == "web-reader").Sum(point => point.Tools));
        json.WriteNumber("totalZreadMcpCount"u8, points.Where(point => point.Model == "zread").Sum(point => point.Tools));
        json.WriteNumber("totalSearchMcpCount"u8, points.Where(point => point.Model == "search-prime").Sum(point => point.Searches));
        json.WriteStartArray("toolDetails"u8);
        foreach (IGrouping<string, UsagePoint> tool in points.Where(point => point.Searches + point.Tools > 0).GroupBy(point => point.Model, StringComparer.Ordinal))
        {
            json.WriteStartObject();
            json.WriteString("modelName"u8, tool.Key);
            json.WriteNumber("totalUsageCount"u8, tool.Sum(point => point.Searches + point.Tools));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
        json.WriteEndObject();
        return null;
    });

    /// <summary>The caller's subscription: its running and queued terms.</summary>
    public Task SubscriptionsAsync(HttpContext context) => AnswerAsync(context, (caller, json) =>
    {
        DateTimeOffset now = time.GetUtcNow();
        PlanRules rules = plans.Rules;
        Subscription subscription = plans.Of(caller.AccountId);
        json.WriteStartArray("data"u8);
        foreach (PlanTerm term in subscription.Terms.Where(term => term.End > now))
        {
            json.WriteStartObject();
            json.WriteString("productName"u8, $"GLM Coding {CultureInfo.InvariantCulture.TextInfo.ToTitleCase(term.Plan)}");
            json.WriteString("status"u8, "VALID"u8);
            json.WriteString("valid"u8, $"{rules.Calendar.Write(term.Start)}-{rules.Calendar.Write(term.End)}");
            json.WriteBoolean("inCurrentPeriod"u8, term.Start <= now);
            json.WriteNumber("autoRenew"u8, subscription.AutoRenew ? 1 : 0);
            json.WriteNumber("actualPrice"u8, term.Granted ? 0 : term.Value);
            json.WriteString("billingCycle"u8, term.Cycle switch { PlanCycle.Month => "monthly"u8, PlanCycle.Quarter => "quarterly"u8, _ => "yearly"u8 });
            json.WriteString("nextRenewTime"u8, subscription.AutoRenew && subscription.End is { } end ? rules.Calendar.Write(end) : "");
            json.WriteEndObject();
        }

        json.WriteEndArray();
        return Task.FromResult<PlatformError?>(null);
    });

    private static void WriteTokens(Utf8JsonWriter json, int unit, int number, in QuotaStanding standing)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, "TOKENS_LIMIT"u8);
        json.WriteNumber("unit"u8, unit);
        json.WriteNumber("number"u8, number);
        json.WriteNumber("percentage"u8, Percentage(standing));
        if (standing.ResetsAt is { } resets)
            json.WriteNumber("nextResetTime"u8, resets.ToUnixTimeMilliseconds());
        json.WriteEndObject();
    }

    private static void WriteTools(Utf8JsonWriter json, PlanStanding standing)
    {
        json.WriteStartObject();
        json.WriteString("type"u8, "TIME_LIMIT"u8);
        json.WriteNumber("unit"u8, 5);
        json.WriteNumber("number"u8, 1);
        json.WriteNumber("usage"u8, standing.Month.Limit ?? 0);
        json.WriteNumber("currentValue"u8, standing.Month.Used);
        json.WriteNumber("remaining"u8, Math.Max(0, (standing.Month.Limit ?? 0) - standing.Month.Used));
        json.WriteNumber("percentage"u8, Percentage(standing.Month));
        json.WriteNumber("nextResetTime"u8, standing.Month.ResetsAt!.Value.ToUnixTimeMilliseconds());
        json.WriteStartArray("usageDetails"u8);
        foreach (string tool in Tools)
        {
            json.WriteStartObject();
            json.WriteString("modelCode"u8, tool);
            json.WriteNumber("usage"u8, standing.Tools.GetValueOrDefault(tool));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Whole percents, rounded down: 100 only when nothing is left.</summary>
    private static long Percentage(in QuotaStanding standing) => standing.Limit is > 0 and var limit ? Math.Min(100, standing.Used * 100 / limit) : 0;

    private (UsageRange Range, PlatformError? Error) Range(HttpRequest request)
    {
        PlanCalendar calendar = plans.Rules.Calendar;
        DateTime now = calendar.Local(time.GetUtcNow());
        if (!TryTime(request.Query["startTime"], now.AddDays(-1), out DateTime from))
            return (default, Wrong("startTime"));
        if (!TryTime(request.Query["endTime"], now, out DateTime to))
            return (default, Wrong("endTime"));
        long fromHour = (from - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerHour, toHour = (to - DateTime.UnixEpoch).Ticks / TimeSpan.TicksPerHour;
        if (toHour < fromHour || toHour - fromHour > MostDays * 24)
            return (default, PlatformError.Invalid("endTime", "the time is negative or longer than a year", "Use an end up to 366 days after the start"));
        bool daily = toHour - fromHour >= MostHourly;
        return (new UsageRange(fromHour, toHour, daily ? 24 : 1), null);

        static bool TryTime(string? text, DateTime start, out DateTime value)
        {
            value = start;
            return string.IsNullOrEmpty(text) || DateTime.TryParseExact(text, "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.None, out value);
        }

        static PlatformError Wrong(string field) => PlatformError.Invalid(field, "it is not a time", "Write it as yyyy-MM-dd HH:mm:ss");
    }

    private async Task AnswerAsync(HttpContext context, Func<Caller, Utf8JsonWriter, Task<PlatformError?>> write)
    {
        var record = RequestRecord.Of(context);
        HttpRequest request = context.Request;
        Authentication who = authenticator.Authenticate(new Credentials(
            request.Headers.Authorization.ToString(), request.Headers["x-api-key"].ToString(), request.Query["Authorization"].ToString(), context.Connection.RemoteIpAddress));
        var body = new ArrayBufferWriter<byte>(1024);
        PlatformError? error = who.Error;
        if (who.Key is { } key)
        {
            record.KeyId = key.Id;
            using var json = new Utf8JsonWriter(body, WireJson.WriterOptions);
            json.WriteStartObject();
            json.WriteNumber("code"u8, 200);
            json.WriteString("msg"u8, ErrorResponse.Language(request) == MessageLanguage.Chinese ? "操作成功" : "Operation successful");
            error = await write(callers.Find(key), json);
            json.WriteBoolean("success"u8, true);
            json.WriteEndObject();
        }

        if (error is not null)
        {
            record.Code = error.Code;
            record.Field = error.Field ?? "";
            body.Clear();
            using var json = new Utf8JsonWriter(body, WireJson.WriterOptions);
            json.WriteStartObject();
            json.WriteNumber("code"u8, who.Key is null ? StatusCodes.Status401Unauthorized : (int)error.Code);
            json.WriteString("msg"u8, error.MessageIn(ErrorResponse.Language(request)));
            json.WriteBoolean("success"u8, false);
            json.WriteEndObject();
        }

        await JsonResponse.WriteAsync(context, body);
    }
}

/// <summary>Hours of a report and how many make one point.</summary>
internal readonly record struct UsageRange(long From, long To, int Step)
{
    private int Count => (int)((To / Step) - (From / Step)) + 1;

    /// <summary>Writes the times of the points.</summary>
    public void WriteTimes(Utf8JsonWriter json)
    {
        json.WriteStartArray("x_time"u8);
        for (int i = 0; i < Count; i++)
            json.WriteStringValue(DateTime.UnixEpoch.AddHours(((From / Step) + i) * Step).ToString(Step == 1 ? "yyyy-MM-dd HH:mm" : "yyyy-MM-dd", CultureInfo.InvariantCulture));
        json.WriteEndArray();
    }

    /// <summary>Writes one figure of every point.</summary>
    public void WriteSeries(Utf8JsonWriter json, string name, IReadOnlyList<UsagePoint> points, Func<UsagePoint, long> figure)
    {
        long[] sums = new long[Count];
        foreach (UsagePoint point in points)
            sums[(point.Hour / Step) - (From / Step)] += figure(point);
        json.WriteStartArray(name);
        foreach (long sum in sums)
            json.WriteNumberValue(sum);
        json.WriteEndArray();
    }
}
