using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine.Packages;
using Glimmer.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Tests.Remote.Fakes;

/// <summary>What an engine was asked for, whatever its protocol.</summary>
internal sealed record FakeCall(int[] Prompt, int MaxTokens, HashSet<int> StopTokens, string? Grammar, int? LogProbs, JsonObject Body);

/// <summary>
/// An engine's HTTP interface on a port of this machine, with a script in place of a model. Requests are read strictly: an unknown field, or one
/// of another type, is answered with 400, as no test may pass by a field that the real engine would not know.
/// </summary>
internal abstract class FakeEngine : IAsyncDisposable
{
    private readonly WebApplication _app;

    protected FakeEngine()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        _app = builder.Build();
        _app.Run(HandleAsync);
    }

    public static Tokenizer Tokenizer { get; } = PackageVocabulary.Open(Fixtures.BundledModel).Tokenizer;

    /// <summary>Says what the model says to a prompt, without end.</summary>
    public Func<FakeCall, IEnumerable<int>> Script { get; set; } = KnownAnswers.Continue;

    /// <summary>Answers in place of the protocol; false leaves it to the protocol.</summary>
    public Func<HttpContext, Task<bool>>? Intercept { get; set; }

    /// <summary>Changes what a stream sends.</summary>
    public Func<List<byte[]>, List<byte[]>>? Mutate { get; set; }

    /// <summary>Keeps the stream open after this many events, until the client goes away.</summary>
    public int? HangAfter { get; set; }

    public List<FakeCall> Calls { get; } = [];

    /// <summary>Completed when a client closed a stream that was not at its end.</summary>
    public TaskCompletionSource Left { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Uri Url => new(_app.Urls.Single());

    public int ContextLength { get; set; } = 512;

    public async Task StartAsync() => await _app.StartAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    /// <summary>Answers a path; null for 404.</summary>
    protected abstract Task<object?> AnswerAsync(string path, JsonObject? body);

    protected abstract string StreamPath { get; }

    /// <summary>Reads a stream's request.</summary>
    protected abstract FakeCall ReadCall(JsonObject body);

    /// <summary>The events of a stream.</summary>
    protected abstract IEnumerable<string> Events(FakeCall call, List<int> tokens, bool stopped);

    /// <summary>The ids that the script says within the call's limits, and whether a stop ended them.</summary>
    protected virtual (List<int> Tokens, bool Stopped) Run(FakeCall call)
    {
        List<int> tokens = [];
        foreach (int token in Script(call))
        {
            tokens.Add(token);
            if (call.StopTokens.Contains(token))
                return (tokens, true);
            if (tokens.Count == call.MaxTokens)
                break;
        }

        return (tokens, false);
    }

    protected static int[] Tokenize(string text)
    {
        List<int> ids = [];
        Tokenizer.Encode(text, recogniseAdded: false, ids);
        return [.. ids];
    }

    /// <summary>Refuses what the real engine would not know, by name and type.</summary>
    protected static void Check(JsonObject body, string where, params (string Name, Func<JsonNode, bool> Is)[] fields)
    {
        foreach ((string name, JsonNode? value) in body)
        {
            (string Name, Func<JsonNode, bool> Is) field = Array.Find(fields, field => field.Name == name);
            if (field.Name is null)
                throw new BadHttpRequestException($"{where}{name}: Extra inputs are not permitted");
            if (value is null || !field.Is(value))
                throw new BadHttpRequestException($"{where}{name}: Input has the wrong type or value: {value?.ToJsonString()}");
        }
    }

    protected static bool IsText(JsonNode node) => node.GetValueKind() == JsonValueKind.String;

    protected static bool IsFlag(JsonNode node) => node.GetValueKind() is JsonValueKind.True or JsonValueKind.False;

    protected static Func<JsonNode, bool> IsInteger(long from, long to = long.MaxValue) =>
        node => node.GetValueKind() == JsonValueKind.Number && long.TryParse(node.ToJsonString(), out long value) && value >= from && value <= to;

    protected static Func<JsonNode, bool> IsNumber(double from = double.NegativeInfinity, double to = double.PositiveInfinity) =>
        node => node.GetValueKind() == JsonValueKind.Number && node.GetValue<double>() >= from && node.GetValue<double>() <= to;

    protected static bool IsTokens(JsonNode node) => node is JsonArray list && list.All(id => id is not null && IsInteger(0, Tokenizer.VocabularySize - 1)(id));

    protected static bool IsBiasObject(JsonNode node) => node is JsonObject bias && bias.All(entry => int.TryParse(entry.Key, out _) && entry.Value is not null && IsNumber()(entry.Value));

    protected static HashSet<int> TokensOf(JsonNode? node) => [.. ((JsonArray?)node ?? []).Select(id => id!.GetValue<int>())];

    private async Task HandleAsync(HttpContext http)
    {
        if (Intercept is { } intercept && await intercept(http))
            return;
        try
        {
            JsonObject? body = http.Request.Method == "POST" ? (await JsonNode.ParseAsync(http.Request.Body))!.AsObject() : null;
            if (http.Request.Path == StreamPath)
            {
                await StreamAsync(http, body!);
                return;
            }

            object? answer = await AnswerAsync(http.Request.Path, body);
            if (answer is null)
                http.Response.StatusCode = 404;
            else if (answer is string text)
                await http.Response.WriteAsync(text);
            else
                await http.Response.WriteAsJsonAsync(answer);
        }
        catch (BadHttpRequestException fault)
        {
            http.Response.StatusCode = 400;
            await http.Response.WriteAsJsonAsync(new { error = new { message = fault.Message, type = "invalid_request_error", code = 400 } });
        }
    }

    private async Task StreamAsync(HttpContext http, JsonObject body)
    {
        FakeCall call = ReadCall(body);
        lock (Calls)
            Calls.Add(call);
        (List<int> tokens, bool stopped) = Run(call);
        List<byte[]> events = [.. Events(call, tokens, stopped).Select(data => Encoding.UTF8.GetBytes($"data: {data}\n\n"))];
        if (Mutate is { } mutate)
            events = mutate(events);
        http.Response.ContentType = "text/event-stream";
        await http.Response.StartAsync();
        await http.Response.Body.FlushAsync();
        try
        {
            for (int i = 0; i < events.Count; i++)
            {
                if (i == HangAfter)
                    await Task.Delay(Timeout.Infinite, http.RequestAborted);
                await http.Response.Body.WriteAsync(events[i], http.RequestAborted);
                await http.Response.Body.FlushAsync(http.RequestAborted);
            }

            if (HangAfter >= events.Count)
                await Task.Delay(Timeout.Infinite, http.RequestAborted);
        }
        catch (OperationCanceledException)
        {
            Left.TrySetResult();
        }
    }
}
