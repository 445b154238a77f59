using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Glimmer.Inference.Script;
using Glimmer.Protocol.Errors;
using Glimmer.Protocol.Json;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Emulator;

/// <summary>
/// <c>/emulator</c>: what tests ask of a test double and tell it. Programs of this machine need no key; others need any key of the platform. Served by
/// emulators alone.
/// </summary>
internal sealed class EmulatorEndpoints(Emulation emulation, RequestGate gate, IdChance chance)
{
    private const int MostTold = RequestLog.MostRequests;
    private const int LargestClockBody = 4096;
    private readonly ScriptChatBackend _backend = emulation.Backend;
    private readonly VirtualClock _clock = emulation.Clock;

    /// <summary>Maps the endpoints.</summary>
    public void Map(IEndpointRouteBuilder routes)
    {
        // Ids follow from what came before: a run that begins anew has had nothing.
        _backend.Begun = chance.Reset;
        string[] get = [HttpMethods.Get, HttpMethods.Head], post = [HttpMethods.Post], put = [HttpMethods.Put];
        routes.MapMethods("/emulator/requests", get, context => RunAsync(context, RequestsAsync));
        routes.MapMethods("/emulator/rules", get, context => RunAsync(context, RulesAsync));
        routes.MapMethods("/emulator/verify", get, context => RunAsync(context, VerifyAsync));
        routes.MapMethods("/emulator/reset", post, context => RunAsync(context, ResetAsync));
        routes.MapMethods("/emulator/scenario", put, context => RunAsync(context, LoadAsync));
        routes.MapMethods("/emulator/clock", get, context => RunAsync(context, ClockAsync));
        routes.MapMethods("/emulator/clock", post, context => RunAsync(context, SetClockAsync));
    }

    private async Task RunAsync(HttpContext context, Func<HttpContext, Task> answer)
    {
        if (!LocalCaller.Is(context) && await gate.AuthenticateAsync(context) is null)
            return;
        context.Response.Headers.CacheControl = "no-store";
        await answer(context);
    }

    private Task RequestsAsync(HttpContext context)
    {
        IQueryCollection query = context.Request.Query;
        int limit = MostTold;
        long after = 0;
        if (query["limit"].ToString() is { Length: > 0 } most && (!int.TryParse(most, NumberStyles.None, CultureInfo.InvariantCulture, out limit) || limit is < 1 or > MostTold))
            return Refuse(context, "limit", "it is no number of requests", string.Create(CultureInfo.InvariantCulture, $"Use 1 to {MostTold}"));
        if (query["after"].ToString() is { Length: > 0 } number && !long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out after))
            return Refuse(context, "after", "it is no number of a request", "Use a whole number");
        string model = query["model"].ToString(), dialect = query["dialect"].ToString(), rule = query["rule"].ToString(), outcome = query["outcome"].ToString();
        if (outcome.Length > 0 && !Enum.GetValues<RequestOutcome>().Any(known => EmulatorJson.WordOf(known) == outcome))
            return Refuse(context, "outcome", "there is none of this name", $"Use {string.Join(", ", Enum.GetValues<RequestOutcome>().Select(EmulatorJson.WordOf))}");
        IEnumerable<LoggedRequest> asked = _backend.Log.Requests.Where(request =>
            request.Number > after
            && (model.Length == 0 || request.Model.Equals(model, StringComparison.OrdinalIgnoreCase))
            && (dialect.Length == 0 || request.Origin?.Dialect == dialect)
            && (rule.Length == 0 || request.Rule == rule)
            && (outcome.Length == 0 || EmulatorJson.WordOf(request.Outcome) == outcome)).TakeLast(limit);
        return JsonResponse.WriteAsync(context, EmulatorJson.Object(json =>
        {
            json.WriteNumber("count"u8, _backend.Log.Count);
            EmulatorJson.WriteRequests(json, "requests", asked);
        }));
    }

    private Task RulesAsync(HttpContext context) => JsonResponse.WriteAsync(context, EmulatorJson.Object(json => EmulatorJson.WriteRules(json, _backend.Verify())));

    private Task VerifyAsync(HttpContext context)
    {
        Verification verification = _backend.Verify();
        if (!verification.Holds)
            context.Response.StatusCode = StatusCodes.Status409Conflict;
        return JsonResponse.WriteAsync(context, EmulatorJson.Object(json =>
        {
            json.WriteBoolean("holds"u8, verification.Holds);
            json.WriteString("diff"u8, verification.Describe());
            EmulatorJson.WriteRules(json, verification);
            EmulatorJson.WriteRequests(json, "unknown_requests", verification.Unknown);
        }));
    }

    private Task ResetAsync(HttpContext context)
    {
        _backend.Reset();
        return RulesAsync(context);
    }

    private async Task LoadAsync(HttpContext context)
    {
        (RequestBody raw, PlatformError? error) = await BodyReader.ReadAsync(context, ScenarioReader.LargestFile);
        using RequestBody body = raw;
        if (error is not null)
        {
            await ErrorResponse.WriteAsync(context, error);
            return;
        }

        try
        {
            using var text = new StringReader(Encoding.UTF8.GetString(body.Memory.Span));
            _backend.Load(ScenarioReader.Read(text, "scenario"));
        }
        catch (ScenarioException fault)
        {
            await Refuse(context, "scenario", fault.Message.TrimEnd('.'), "Send a scenario as YAML (docs/script.md)");
            return;
        }

        await RulesAsync(context);
    }

    private Task ClockAsync(HttpContext context) => JsonResponse.WriteAsync(context, EmulatorJson.Object(json => EmulatorJson.WriteClock(json, _clock)));

    private async Task SetClockAsync(HttpContext context)
    {
        (ClockChange? change, PlatformError? error) = await BodyReader.ReadAsync(context, LargestClockBody, ReadClock);
        if (change is not null)
        {
            try
            {
                if (change.Set is { } moment)
                    _clock.Set(moment);
                if (change.Advance is { } by)
                    _clock.Advance(by);
                if (change.Frozen is { } frozen)
                    _clock.Freeze(frozen);
            }
            catch (ArgumentOutOfRangeException)
            {
                error = PlatformError.Invalid(
                    change.Set is null ? "advance" : "set", "the clock never goes back, and not beyond the calendar",
                    string.Create(CultureInfo.InvariantCulture, $"It is {_clock.GetUtcNow():yyyy-MM-ddTHH:mm:ssZ}; use a later moment, or start another emulator"));
            }
        }

        if (error is not null)
            await ErrorResponse.WriteAsync(context, error);
        else
            await ClockAsync(context);
    }

    private static (ClockChange? Request, PlatformError? Error) ReadClock(FieldReader body)
    {
        const string Example = "Use for example {\"advance\": \"5h\"}, {\"set\": \"2026-01-01T00:00:00Z\"} or {\"frozen\": false}";
        string? advance = body.Text("advance", max: 64, numbers: true), set = body.Text("set", max: 64);
        bool? frozen = body.TryGet("frozen", out JsonElement flag) ? flag.ValueKind is JsonValueKind.True ? true : flag.ValueKind is JsonValueKind.False ? false : null : null;
        if (body.Error is { } error)
            return (null, error);
        TimeSpan? by = null;
        DateTimeOffset? to = null;
        if (advance is not null && (by = SpanText.Read(advance)) is null)
            return (null, PlatformError.Invalid("advance", "it is no span of time", "Use seconds, or numbers with ms, s, m, h or d such as 1h30m"));
        if (set is not null)
        {
            if (!DateTimeOffset.TryParse(set, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset moment))
                return (null, PlatformError.Invalid("set", "it is no moment", "Use a date and time such as 2026-01-01T00:00:00Z"));
            to = moment;
        }

        return by is null && to is null && frozen is null ? (null, PlatformError.Missing("advance", Example)) : (new ClockChange(to, by, frozen), null);
    }

    private static Task Refuse(HttpContext context, string field, string problem, string legal) => ErrorResponse.WriteAsync(context, PlatformError.Invalid(field, problem, legal));

    private sealed record ClockChange(DateTimeOffset? Set, TimeSpan? Advance, bool? Frozen);
}
