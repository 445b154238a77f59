using System.Text.Json.Nodes;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Routing;
using Glimmer.Inference.Routing.Definitions;
using Glimmer.Platform.Accounts;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Accounts;
using static Glimmer.Server.Admin.AdminJson;

namespace Glimmer.Server.Admin;

/// <summary>The backends of the running process. Unlike the rest they live in the server alone: <c>glimmer backends</c> asks it over HTTP.</summary>
internal static class BackendOperations
{
    public static AdminOperation[] All { get; } =
    [
        new("GET", "/backends", "Lists backends with state, why, load, errors and share, the pools of models, the file and what happened last.", call => Give(List(call))),
        new("GET", "/backends/{backend}", "Shows a backend.", call => Give(Find(call) is { } backend ? Of(backend) : Unknown())),
        new("PUT", "/backends/{backend}/weight", "Changes a backend's weight until its file gives it another: weight 0 (last resort) to 1000.", WeighAsync),
        new("POST", "/backends/{backend}/drain", "Gives a backend no more requests; those that run are finished.", call => DrainAsync(call, true)),
        new("POST", "/backends/{backend}/undrain", "Gives a drained backend requests again.", call => DrainAsync(call, false)),
        new("POST", "/backends/reload", "Reads the file of backends again, now; a file that is wrong changes nothing.", ReloadAsync),
    ];

    private static JsonObject List(AdminCall call)
    {
        BackendPool? pool = call.Platform.Backends();
        JsonObject json = AccountJson.List(pool?.List() ?? [], Of);
        json["models"] = new JsonArray([.. (pool?.Models ?? []).Select(static model => new JsonObject { ["code"] = model.Code, ["ready"] = model.IsReady, ["waiting"] = model.Waiting })]);
        json["file"] = Of(pool?.Source);
        json["events"] = new JsonArray([.. (pool?.Events ?? []).Select(static item => new JsonObject { ["at"] = Ms(item.At), ["backend"] = item.Backend, ["what"] = item.What, ["why"] = item.Why })]);
        return json;
    }

    private static async Task<Outcome<JsonNode?>> WeighAsync(AdminCall call)
    {
        long? weight = call.Body.Whole("weight", 0, 1000);
        if (call.Error is null && weight is null)
            return PlatformError.Missing("weight", "Send a whole number from 0 (last resort) to 1000");
        if (call.Error is { } error)
            return error;
        if (Find(call) is not { } before)
            return Unknown();
        call.Platform.Backends()!.SetWeight(before.Name, (int)weight!);
        await call.AuditAsync("backend.weight", before.Name, new JsonObject { ["weight"] = before.Weight }, new JsonObject { ["weight"] = weight });
        return Find(call) is { } after ? Of(after) : Unknown();
    }

    private static async Task<Outcome<JsonNode?>> DrainAsync(AdminCall call, bool drain)
    {
        if (call.Error is { } error)
            return error;
        if (Find(call) is not { Removed: false } before || !call.Platform.Backends()!.Drain(before.Name, drain))
            return Unknown();
        await call.AuditAsync(
            drain ? "backend.drain" : "backend.undrain", before.Name, new JsonObject { ["state"] = BackendStatus.WordOf(before.State) }, new JsonObject { ["in_flight"] = before.InFlight });
        return Find(call) is { } after ? Of(after) : Unknown();
    }

    private static async Task<Outcome<JsonNode?>> ReloadAsync(AdminCall call)
    {
        if (call.Error is { } error)
            return error;
        if (call.Platform.Backends()?.Source is not { } source)
            return AdminErrors.Conflict("This server has no file of backends (Backends:File)", "本服务未配置后端文件（Backends:File）");
        bool changed = await Task.Run(source.Reload, call.Cancel);
        if (source.Error is { } wrong)
            return AdminErrors.Conflict(wrong, wrong);
        if (changed)
            await call.AuditAsync("backend.reload", source.Path, null, new JsonObject { ["backends"] = call.Platform.Backends()!.List().Count });
        JsonObject json = Of(source)!;
        json["changed_now"] = changed;
        return json;
    }

    private static BackendStatus? Find(AdminCall call)
    {
        string name = call.Route("backend");
        return call.Platform.Backends()?.List().FirstOrDefault(backend => string.Equals(backend.Name, name, StringComparison.OrdinalIgnoreCase));
    }

    private static PlatformError Unknown() => AdminErrors.Missing("backend", "后端");

    private static Task<Outcome<JsonNode?>> Give(Outcome<JsonNode?> outcome) => Task.FromResult(outcome);

    private static JsonObject? Of(BackendFileSource? source) => source is null ? null : new JsonObject
    {
        ["path"] = source.Path,
        ["changed"] = Ms(source.ChangedAt),
        ["changes"] = source.Changes,
        ["failures"] = source.Failures,
        ["error"] = source.Error,
        ["warnings"] = new JsonArray([.. source.Warnings.Select(static warning => JsonValue.Create(warning))]),
    };

    // Keys and headers of a definition are secrets and not shown.
    private static JsonObject Of(BackendStatus backend) => new()
    {
        ["name"] = backend.Name,
        ["state"] = BackendStatus.WordOf(backend.State),
        ["why"] = backend.Why,
        ["kind"] = backend.Definition is { } definition ? BackendFile.WordOf(definition.Kind) : "embedded",
        ["url"] = backend.Definition?.Url.AbsoluteUri,
        ["models"] = new JsonArray([.. backend.Models.Select(static code => JsonValue.Create(code))]),
        ["weight"] = backend.Weight,
        ["in_flight"] = backend.InFlight,
        ["max_in_flight"] = backend.Definition is null && backend.MaxInFlight == int.MaxValue ? null : backend.MaxInFlight,
        ["load"] = backend.Load,
        ["latency_ms"] = backend.Latency is { } latency ? Math.Round(latency.TotalMilliseconds, 3) : null,
        ["share"] = Math.Round(backend.Share, 4),
        ["requests"] = backend.Requests,
        ["answers"] = backend.Answers,
        ["failures"] = backend.Failures,
        ["busy"] = backend.Busy,
        ["failed_over"] = backend.FailedOver,
        ["hedges_lost"] = backend.HedgesLost,
        ["affinity_hits"] = backend.AffinityHits,
        ["ejections"] = backend.Ejections,
        ["ejected_for_ms"] = backend.EjectedFor > TimeSpan.Zero ? (long)Math.Ceiling(backend.EjectedFor.TotalMilliseconds) : null,
        ["removed"] = backend.Removed,
        ["last_error"] = backend.LastError,
        ["probe"] = Of(backend.Probe, backend.ProbedAt),
    };

    private static JsonObject? Of(BackendProbe? probe, DateTimeOffset? at) => probe is null ? null : new JsonObject
    {
        ["at"] = Ms(at),
        ["alive"] = probe.Alive,
        ["detail"] = probe.Detail,
        ["running"] = probe.Running,
        ["waiting"] = probe.Waiting,
        ["cache_usage"] = probe.CacheUsage,
        ["server"] = probe.Server,
    };
}
