using System.Buffers;
using System.Globalization;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Relay.Answers;
using Glimmer.Inference.Relay.Errors;
using Glimmer.Inference.Relay.Requests;
using Glimmer.Protocol.Errors;
using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Relay;

/// <summary>Answers with a service that is asked by its own chat endpoint.</summary>
internal sealed partial class RelayChatBackend : IRemoteBackend
{
    private readonly Upstream _upstream;
    private readonly WireForm _form;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly Dictionary<string, BackendModel> _models;
    private volatile string? _accountFault;
    private long _bounded;
    private volatile bool _disposed;

    /// <summary>A backend for a definition.</summary>
    /// <exception cref="ArgumentException">The definition can't be used.</exception>
    public RelayChatBackend(BackendDefinition definition, TimeProvider time, ILogger log)
    {
        Definition = definition;
        _upstream = new Upstream(definition);
        _form = WireForm.Of(definition, _upstream);
        _time = time;
        _log = log;
        _models = definition.Models.Where(static model => model.Kind == BackendModelKind.Chat).DistinctBy(static model => model.Code, StringComparer.OrdinalIgnoreCase)
            .ToDictionary(static model => model.Code, StringComparer.OrdinalIgnoreCase);
        Models = [.. _models.Values.Select(static model => model.Code)];
    }

    /// <inheritdoc/>
    public BackendDefinition Definition { get; }

    /// <inheritdoc/>
    public string Name => Definition.Name;

    /// <inheritdoc/>
    public IReadOnlyList<string> Models { get; }

    /// <inheritdoc/>
    public bool IsReady => !_disposed;

    /// <summary>What must not be told.</summary>
    public Secrets Secrets => _upstream.Secrets;

    /// <inheritdoc/>
    public async ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (NameOf(request, out PlatformError? error) is not { } model || (error = Check(request)) is not null)
            return new ChatStart(null, error) { Fault = StartFault.Request };
        var identity = RelayIdentity.New(request.Tenant, Definition.ApiKey ?? Name);
        ArrayBufferWriter<byte> body = new(4096);
        _form.Write(body, request, model, identity);

        AnswerWatch watch = new(_time, Definition.FirstTokenTimeout, Definition.StallTimeout, cancel);
        HttpResponseMessage? response = null;
        bool handedOn = false;
        try
        {
            response = await _upstream.SendAsync(_form.ChatAddress, body.WrittenMemory, "text/event-stream", watch.Token);
            if (!response.IsSuccessStatusCode || response.Content.Headers.ContentType?.MediaType?.EndsWith("json", StringComparison.OrdinalIgnoreCase) == true)
                return await RefuseAsync(request, IdOf(response, identity), response, watch.Token);
            handedOn = true;

            // An answer that nobody reads is given up with the first token's time.
            watch.Token.UnsafeRegister(static response => ((HttpResponseMessage)response!).Dispose(), response);
            return new ChatStart(new RelayAnswer(this, request, IdOf(response, identity), response, _form.ReaderOf(request), watch), null);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            throw;
        }
        catch (OperationCanceledException) when (watch.Cause == WatchCause.NoBeginning)
        {
            NoteBroken(request, identity.RequestId, "no token came in time");
            return Fail(request, "the service behind it did not begin in time");
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException or OperationCanceledException or ObjectDisposedException)
        {
            NoteBroken(request, identity.RequestId, WordsOf(fault));
            return Fail(request, "the service behind it cannot be reached");
        }
        finally
        {
            if (!handedOn)
            {
                watch.Dispose();
                response?.Dispose();
            }
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ChatRequestException">The request can't be counted.</exception>
    public async ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel)
    {
        if (NameOf(request, out PlatformError? error) is not { } model || (error = Check(request)) is not null)
            throw new ChatRequestException(error!);
        if (_form.CountAddress is not { } address)
            return TokenEstimate.OfPrompt(request);
        ArrayBufferWriter<byte> body = new(4096);
        _form.WriteForCount(body, request, model);
        using AnswerWatch watch = new(_time, Definition.FirstTokenTimeout, Definition.StallTimeout, cancel);
        try
        {
            using HttpResponseMessage response = await _upstream.SendAsync(address, body.WrittenMemory, "application/json", watch.Token);
            if ((int)response.StatusCode is 404 or 405 or 501)
            {
                // A service of this kind that cannot count.
                return TokenEstimate.OfPrompt(request);
            }

            byte[] answer = await Upstream.ReadAsync(response, UpstreamError.MaxBytes, watch.Token);
            if (response.IsSuccessStatusCode && _form.ReadCount(answer) is { } count)
                return count;
            UpstreamError said = Of(response, answer);
            MappedError mapped = RelayErrors.Map(said, request.Model, Secrets);
            NoteRefusal(request, "", said, mapped);
            throw new ChatRequestException(mapped.Error);
        }
        catch (Exception fault) when (fault is HttpRequestException or IOException or ObjectDisposedException || fault is OperationCanceledException && !cancel.IsCancellationRequested)
        {
            NoteBroken(request, "", WordsOf(fault));
            throw new ChatRequestException(RelayErrors.Failed(request.Model, "the service behind it cannot be reached"));
        }
    }

    /// <inheritdoc/>
    public async Task<BackendProbe> ProbeAsync(CancellationToken cancel)
    {
        BackendProbe probe = await RelayProbe.RunAsync(_upstream, _form, Definition, _time, cancel);
        if (_accountFault is { } fault)
            probe = probe with { Detail = $"{probe.Detail} Its last answer was a refusal: {fault}" };
        long bounded = Interlocked.Read(ref _bounded);
        return bounded > 0 ? probe with { Detail = string.Create(CultureInfo.InvariantCulture, $"{probe.Detail} Of {bounded} answers it told more tokens than they can have cost; the bound was charged.") } : probe;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _disposed = true;
        _upstream.Dispose();
        return default;
    }

    /// <summary>Notes an answer that came to its end.</summary>
    public void NoteSuccess() => _accountFault = null;

    /// <summary>Notes that the service counted no tokens: worth a look where the answer was complete, as it must be where it was cut off.</summary>
    public void NoteEstimate(ChatRequest request, string requestId, in ChatUsage usage, bool complete) =>
        Log.Estimated(_log, complete ? LogLevel.Warning : LogLevel.Information, Name, request.Model, requestId, usage.PromptTokens, usage.CompletionTokens);

    /// <summary>Notes that the service told counts that the request cannot have caused: a warning the first time, and a count in the probe's detail.</summary>
    public void NoteBounded(ChatRequest request, string requestId, UsageTally said, in ChatUsage usage) => Log.Bounded(
        _log,
        Interlocked.Increment(ref _bounded) == 1 ? LogLevel.Warning : LogLevel.Debug,
        Name,
        request.Model,
        requestId,
        said.Prompt ?? 0,
        said.Completion ?? 0,
        usage.PromptTokens,
        usage.CompletionTokens);

    /// <summary>The context of a request's model, as the operator or the catalogue says; null where neither does.</summary>
    public int? ContextOf(ChatRequest request) => (_models.TryGetValue(request.Model, out BackendModel? model) ? model.ContextLength : null) ?? request.ContextLength;

    /// <summary>Notes that the service broke off or kept silent.</summary>
    public void NoteBroken(ChatRequest request, string requestId, string reason) => Log.Broken(_log, Name, request.Model, requestId, reason);

    /// <summary>Notes an error of the service.</summary>
    public void NoteRefusal(ChatRequest request, string requestId, in UpstreamError said, in MappedError mapped)
    {
        string quote = Secrets.Quote(said.Message);
        string code = Secrets.Quote(said.Code.Length > 0 ? said.Code : said.Type);
        if (mapped.IsAccount)
        {
            _accountFault = string.Create(CultureInfo.InvariantCulture, $"{said.Status} {code} {quote}");
            Log.AccountRefused(_log, Name, request.Model, requestId, said.Status, code, quote);
        }
        else
        {
            Log.Refused(_log, mapped.Fault == StartFault.Request ? LogLevel.Information : LogLevel.Warning, Name, request.Model, requestId, said.Status, code, quote);
        }
    }

    private PlatformError? Check(ChatRequest request) => _form.Check(request) ?? RequestCheck.Addresses(request, Definition.MediaAddresses ?? DefaultOf(Definition.Kind));

    private static MediaAddresses DefaultOf(BackendKind kind) => kind is BackendKind.Vllm or BackendKind.SGLang or BackendKind.LlamaServer ? MediaAddresses.None : MediaAddresses.Public;

    private async Task<ChatStart> RefuseAsync(ChatRequest request, string requestId, HttpResponseMessage response, CancellationToken cancel)
    {
        byte[] body = await Upstream.ReadAsync(response, UpstreamError.MaxBytes, cancel);
        UpstreamError said = Of(response, body);
        MappedError mapped = RelayErrors.Map(said, request.Model, Secrets);
        NoteRefusal(request, requestId, said, mapped);
        return new ChatStart(null, mapped.Error) { Fault = mapped.Fault };
    }

    /// <summary>The error in a response. One that calls itself a success has its status in its body, or is a service that does not stream.</summary>
    private UpstreamError Of(HttpResponseMessage response, byte[] body)
    {
        int status = (int)response.StatusCode;
        UpstreamError said = UpstreamError.Read(status, body) with { RetryAfter = RetryAfterOf(response) };
        if (response.Headers.Location is not null && status is >= 300 and < 400)
            return said with { Message = "it redirects, and redirects are not followed; give the address that it redirects to" };
        if (!response.IsSuccessStatusCode)
            return said;
        bool coded = int.TryParse(said.Code, NumberStyles.None, CultureInfo.InvariantCulture, out int inner) && inner is >= 400 and < 600;
        bool error = coded || said.BusinessCode != 0 || said.Type.Length > 0 && said.Type != "message" && said.Message.Length > 0;
        return said with
        {
            Status = coded ? inner : error ? 0 : 502,
            Message = error ? said.Message : "it answered with JSON in place of an event stream",
        };
    }

    /// <summary>The service's own id of the request, which its people ask for; else the one that it was sent.</summary>
    private static string IdOf(HttpResponseMessage response, in RelayIdentity identity)
    {
        foreach (string name in (ReadOnlySpan<string>)["x-request-id", "request-id"])
        {
            if (response.Headers.TryGetValues(name, out IEnumerable<string>? values) && values.First() is { Length: > 0 and <= 100 } id && id.All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or ':'))
                return id;
        }

        return identity.RequestId;
    }

    private TimeSpan? RetryAfterOf(HttpResponseMessage response)
    {
        TimeSpan? wait = response.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - _time.GetUtcNow(),
            _ => null,
        };
        return wait > TimeSpan.Zero ? wait : null;
    }

    private string? NameOf(ChatRequest request, out PlatformError? error)
    {
        error = null;
        if (_models.TryGetValue(request.Model, out BackendModel? model))
            return model.Name ?? model.Code;
        error = PlatformError.Of(BusinessCode.ModelMissing, request.Model) with { Field = "model" };
        return null;
    }

    private static ChatStart Fail(ChatRequest request, string reason) => new(null, RelayErrors.Failed(request.Model, reason)) { Fault = StartFault.Backend };

    /// <summary>The kind of a failure. Messages of the transport name the address, which is the operator's; its log may have it.</summary>
    private string WordsOf(Exception fault) => Secrets.Quote(fault is HttpRequestException { HttpRequestError: not HttpRequestError.Unknown } http ? $"{http.HttpRequestError}: {http.Message}" : fault.Message);

    private static partial class Log
    {
        [LoggerMessage(EventId = 6101, Message = "Backend {Backend}, model {Model}, request {UpstreamRequest}: refused with {Status} {Code}: {Quote}")]
        public static partial void Refused(ILogger log, LogLevel level, string backend, string model, string upstreamRequest, int status, string code, string quote);

        [LoggerMessage(6102, LogLevel.Error, "Backend {Backend}, model {Model}, request {UpstreamRequest}: the service refuses this platform's account or set-up with {Status} {Code}: {Quote}")]
        public static partial void AccountRefused(ILogger log, string backend, string model, string upstreamRequest, int status, string code, string quote);

        [LoggerMessage(6103, LogLevel.Warning, "Backend {Backend}, model {Model}, request {UpstreamRequest}: failed: {Reason}")]
        public static partial void Broken(ILogger log, string backend, string model, string upstreamRequest, string reason);

        [LoggerMessage(EventId = 6104, Message = "Backend {Backend}, model {Model}, request {UpstreamRequest}: the service counted no tokens; estimated {PromptTokens} of the prompt and {CompletionTokens} of the answer")]
        public static partial void Estimated(ILogger log, LogLevel level, string backend, string model, string upstreamRequest, int promptTokens, int completionTokens);

        [LoggerMessage(EventId = 6105, Message = "Backend {Backend}, model {Model}, request {UpstreamRequest}: the service told {SaidPrompt} tokens of the prompt and {SaidCompletion} of the answer, more than the request can have cost; {PromptTokens} and {CompletionTokens} are charged")]
        public static partial void Bounded(ILogger log, LogLevel level, string backend, string model, string upstreamRequest, int saidPrompt, int saidCompletion, int promptTokens, int completionTokens);
    }
}
