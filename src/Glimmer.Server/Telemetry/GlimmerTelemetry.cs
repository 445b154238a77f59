using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Numerics;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Inference;
using Glimmer.Protocol.Errors;
using Glimmer.Server.Models;
using Glimmer.Server.Transport;

namespace Glimmer.Server.Telemetry;

/// <summary>
/// Traces and metrics with the names of OpenTelemetry's GenAI conventions (<c>gen_ai.*</c>) and HTTP conventions. Labels
/// come from small sets only: routes, codes of the catalogue, business codes. Nothing is measured per token.
/// </summary>
internal sealed class GlimmerTelemetry : IDisposable
{
    /// <summary>Name of the trace source and the meter.</summary>
    public const string SourceName = "Glimmer";

    private const string Provider = "glimmer";
    private static readonly ActivitySource Source = new(SourceName);
    private static readonly double[] SecondBounds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
    private static readonly double[] FirstTokenBounds = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
    private static readonly double[] PerTokenBounds = [0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1, 2.5];
    private static readonly double[] TokenBounds = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576];
    private static readonly double[] HttpBounds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

    private static readonly (Repairs Kind, string Name)[] RepairNames =
        [.. Enum.GetValues<Repairs>().Where(kind => BitOperations.IsPow2((int)kind)).Select(kind => (kind, JsonNamingPolicy.SnakeCaseLower.ConvertName(kind.ToString())))];

    private readonly TimeProvider _time;
    private readonly Histogram<long> _tokens;
    private readonly Histogram<double> _answer;
    private readonly Histogram<double> _firstToken;
    private readonly Histogram<double> _perToken;
    private readonly Histogram<double> _http;
    private readonly Counter<long> _errors;
    private readonly Counter<long> _repairs;
    private int _open;

    public GlimmerTelemetry(TimeProvider time)
    {
        _time = time;
        Meter = new Meter(SourceName);
        _tokens = Histogram<long>("gen_ai.client.token.usage", "{token}", "Tokens of prompts and answers.", [.. TokenBounds.Select(bound => (long)bound)]);
        _answer = Histogram("gen_ai.server.request.duration", "Time from request to end of the answer.", SecondBounds);
        _firstToken = Histogram("gen_ai.server.time_to_first_token", "Time from request to the first event of the answer.", FirstTokenBounds);
        _perToken = Histogram("gen_ai.server.time_per_output_token", "Time per token after the first.", PerTokenBounds);
        _http = Histogram("http.server.request.duration", "Time of HTTP requests.", HttpBounds);
        _errors = Meter.CreateCounter<long>("glimmer.errors", "{error}", "Errors answered, by business code.");
        _repairs = Meter.CreateCounter<long>("glimmer.output.repairs", "{repair}", "Faults mended in the output of models, by kind.");
        Meter.CreateObservableUpDownCounter("glimmer.requests.open", () => Volatile.Read(ref _open), "{request}", "HTTP requests in flight.");
        Meter.CreateObservableGauge("process.memory.usage", () => Environment.WorkingSet, "By", "Physical memory of the process.");
        Meter.CreateObservableCounter("process.cpu.time", () => Environment.CpuUsage.TotalTime.TotalSeconds, "s", "Processor time of the process.");
    }

    /// <summary>The meter of this server.</summary>
    public Meter Meter { get; }

    /// <summary>Begins the span of a chat answer; null when nobody listens.</summary>
    /// <param name="offer">Model and backend.</param>
    /// <param name="request">The request.</param>
    /// <param name="headers">Headers of the HTTP request; <c>traceparent</c> makes the span a part of the caller's trace.</param>
    public static Activity? StartChat(in ModelOffer offer, ChatRequest request, IHeaderDictionary headers)
    {
        if (!Source.HasListeners())
            return null;

        // The framework's own span of the request is not recorded; as the parent it would keep ours from being so.
        Activity.Current = null;
        _ = ActivityContext.TryParse(headers.TraceParent, headers.TraceState, isRemote: true, out ActivityContext caller);
        if (Source.StartActivity($"chat {offer.Model.Code}", ActivityKind.Server, caller) is not { } activity)
            return null;
        activity.SetTag("gen_ai.operation.name", "chat");
        activity.SetTag("gen_ai.provider.name", Provider);
        activity.SetTag("gen_ai.request.model", offer.Model.Code);
        activity.SetTag("gen_ai.response.model", offer.Route.Model);
        activity.SetTag("gen_ai.request.temperature", request.Sampling.Temperature);
        activity.SetTag("gen_ai.request.top_p", request.Sampling.TopP);
        if (request.MaxTokens is { } maxTokens)
            activity.SetTag("gen_ai.request.max_tokens", maxTokens);
        if (request.Sampling.Seed is { } seed)
            activity.SetTag("gen_ai.request.seed", unchecked((long)seed));
        return activity;
    }

    /// <summary>Marks a span as failed.</summary>
    public static void Fail(Activity? activity, BusinessCode code)
    {
        activity?.SetTag("error.type", code.Digits());
        activity?.SetStatus(ActivityStatusCode.Error);
    }

    /// <summary>Measures an answer that has ended.</summary>
    public void EndChat(Activity? activity, RequestRecord record, string responseModel)
    {
        ChatUsage usage = record.Usage;
        var tags = new TagList
        {
            { "gen_ai.operation.name", "chat" },
            { "gen_ai.provider.name", Provider },
            { "gen_ai.request.model", record.Model },
            { "gen_ai.response.model", responseModel },
        };
        double total = _time.GetElapsedTime(record.Started).TotalSeconds;
        bool failed = record.Code is not null || record.Finish == "network_error";
        if (record.FirstEvent != 0)
        {
            double first = _time.GetElapsedTime(record.Started, record.FirstEvent).TotalSeconds;
            _firstToken.Record(first, tags);
            if (usage.CompletionTokens > 1)
                _perToken.Record((total - first) / (usage.CompletionTokens - 1), tags);
        }

        TagList input = tags, output = tags, answer = tags;
        input.Add("gen_ai.token.type", "input");
        output.Add("gen_ai.token.type", "output");
        _tokens.Record(usage.PromptTokens, input);
        _tokens.Record(usage.CompletionTokens, output);
        if (failed)
            answer.Add("error.type", record.Code?.Digits() ?? record.Finish);
        _answer.Record(total, answer);
        if (activity is null)
            return;
        activity.SetTag("gen_ai.response.id", record.Id);
        activity.SetTag("gen_ai.response.finish_reasons", new[] { record.Finish });
        activity.SetTag("gen_ai.usage.input_tokens", usage.PromptTokens);
        activity.SetTag("gen_ai.usage.output_tokens", usage.CompletionTokens);
        if (failed)
            Fail(activity, record.Code ?? BusinessCode.Network);
    }

    /// <summary>Counts what had to be mended in an answer that has ended.</summary>
    public void CountRepairs(IChatAnswer answer, string responseModel)
    {
        foreach ((Repairs kind, string name) in RepairNames)
        {
            if (answer.CountRepairs(kind) is > 0 and var count)
                _repairs.Add(count, new KeyValuePair<string, object?>("gen_ai.response.model", responseModel), new KeyValuePair<string, object?>("kind", name));
        }
    }

    /// <summary>A request has come.</summary>
    public void Enter() => Interlocked.Increment(ref _open);

    /// <summary>A request has gone.</summary>
    public void Leave() => Interlocked.Decrement(ref _open);

    /// <summary>Measures an HTTP request that has ended.</summary>
    public void Record(string method, int status, RequestRecord record, TimeSpan elapsed)
    {
        var tags = new TagList
        {
            { "http.request.method", method },
            { "http.route", record.Route },
            { "http.response.status_code", status.ToString(CultureInfo.InvariantCulture) },
        };
        _http.Record(elapsed.TotalSeconds, tags);
        if (record.Code is { } code)
            _errors.Add(1, new KeyValuePair<string, object?>("code", code.Digits()));
    }

    public void Dispose() => Meter.Dispose();

    private Histogram<double> Histogram(string name, string description, double[] bounds) => Histogram<double>(name, "s", description, bounds);

    private Histogram<T> Histogram<T>(string name, string unit, string description, T[] bounds)
        where T : struct =>
        Meter.CreateHistogram(name, unit, description, tags: null, new InstrumentAdvice<T> { HistogramBucketBoundaries = bounds });
}
