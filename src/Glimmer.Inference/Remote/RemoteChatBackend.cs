using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine;
using Glimmer.Inference.Backends;
using Glimmer.Inference.Prompting;
using Glimmer.Protocol.Errors;
using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Remote;

/// <summary>
/// Answers with an engine in another process that is given tokens and gives tokens: prompts are rendered here and answers read here, so
/// that the engine's own templates and parsers do not matter. Not ready until a probe has found the engine well and its vocabulary the same.
/// </summary>
internal sealed class RemoteChatBackend : IRemoteBackend, ITokenizerBackend
{
    private static readonly TimeSpan _probeTime = TimeSpan.FromSeconds(15);
    private readonly IEngineProtocol _protocol;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly EngineTransport _transport;
    private readonly SemaphoreSlim _probing = new(1);
    private readonly Dictionary<string, RemoteModel> _models = new(StringComparer.OrdinalIgnoreCase);
    private volatile IReadOnlyDictionary<string, RemoteModel>? _ready;
    private volatile string? _checkedServer;
    private volatile string? _problem;
    private volatile string? _note;
    private volatile bool _disposed;

    /// <summary>A backend that has not been probed.</summary>
    /// <param name="definition">Where it is and what it has.</param>
    /// <param name="protocol">How it is spoken to.</param>
    /// <param name="time">Clock of the time limits.</param>
    /// <param name="log">Hears of faults.</param>
    public RemoteChatBackend(BackendDefinition definition, IEngineProtocol protocol, TimeProvider time, ILogger log)
    {
        if (definition.Models.Count == 0)
            throw new ArgumentException("A backend needs at least one model.", nameof(definition));
        (Definition, _protocol, _time, _log) = (definition, protocol, time, log);
        _transport = new EngineTransport(definition);
        Models = [.. definition.Models.Select(model => model.Code)];
    }

    /// <inheritdoc/>
    public BackendDefinition Definition { get; }

    /// <inheritdoc/>
    public string Name => Definition.Name;

    /// <inheritdoc/>
    public IReadOnlyList<string> Models { get; }

    /// <inheritdoc/>
    public bool IsReady => !_disposed && _ready is not null;

    /// <inheritdoc/>
    public bool TakesRawPrompts => true;

    /// <inheritdoc/>
    public async Task<BackendProbe> ProbeAsync(CancellationToken cancel)
    {
        EngineStatus? status = null;
        string detail;
        bool alive = false;
        try
        {
            (status, detail) = await ProbeEngineAsync(cancel).ConfigureAwait(false);
            alive = true;
            if (_ready is null)
                RemoteLog.Ready(_log, Name, detail);
            _ready = _models;
            _problem = null;
        }
        catch (EngineException fault)
        {
            detail = fault.Message;
            if (_problem != detail)
                RemoteLog.NotReady(_log, Name, detail);
            _problem = detail;
            _ready = null;
        }

        return new BackendProbe(alive, detail) { Running = status?.Running, Waiting = status?.Waiting, CacheUsage = status?.CacheUsage, Server = status?.Server };
    }

    /// <inheritdoc/>
    public async ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (_disposed)
            return Refuse(new PlatformError(BusinessCode.Overloaded, $"The backend {Name} is being stopped."), StartFault.Busy);
        if (_ready is null && !(await ProbeAsync(cancel).ConfigureAwait(false)).Alive)
            return Refuse(new PlatformError(BusinessCode.Network, $"The backend {Name} is not ready: {_problem}"), StartFault.Backend);
        if (Prepare(request, out PlatformError? error) is not { } call)
            return Refuse(error!, StartFault.Request);
        try
        {
            EngineRun run = await BeginAsync(call.Model, call.FirstRun(), cancel).ConfigureAwait(false);
            return new ChatStart(new RemoteChatAnswer(call, run, (next, until) => BeginAsync(call.Model, next, until), _log) { Noted = note => _note = note }, null);
        }
        catch (EngineException fault)
        {
            return Refuse(fault.Error, fault.Fault);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ChatRequestException">The request can't be rendered, or the model's vocabulary can't be loaded.</exception>
    public async ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel)
    {
        RemoteModel model = await ModelAsync(request.Model, cancel).ConfigureAwait(false);
        return model.Prompts.RenderText(request, out _, out PlatformError? error) is { } prompt ? prompt.Tokens.Length : throw new ChatRequestException(error!);
    }

    /// <inheritdoc/>
    public ValueTask<T> UseTokenizerAsync<T>(Func<ITokenizer, Generation, T> use, CancellationToken cancel) => UseTokenizerAsync(Models[0], use, cancel);

    /// <inheritdoc/>
    public async ValueTask<T> UseTokenizerAsync<T>(string code, Func<ITokenizer, Generation, T> use, CancellationToken cancel)
    {
        RemoteModel model = await ModelAsync(code, cancel).ConfigureAwait(false);
        return use(model.Tokenizer, model.Generation);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        if (!_disposed)
        {
            _disposed = true;
            _transport.Dispose();
            _probing.Dispose();
        }

        return ValueTask.CompletedTask;
    }

    private static ChatStart Refuse(PlatformError error, StartFault fault) => new(null, error) { Fault = fault };

    private async Task<RemoteModel> ModelAsync(string code, CancellationToken cancel)
    {
        if (_ready is null)
            await ProbeAsync(cancel).ConfigureAwait(false);
        return Find(_ready ?? throw new ChatRequestException(new PlatformError(BusinessCode.Network, $"The backend {Name} is not ready: {_problem}")), code)
            ?? throw new ChatRequestException(PlatformError.Of(BusinessCode.ModelMissing));
    }

    private static RemoteModel? Find(IReadOnlyDictionary<string, RemoteModel> models, string code) => models.TryGetValue(code, out RemoteModel? model) ? model : null;

    /// <summary>Renders and checks a request; null with an error.</summary>
    private RemoteCall? Prepare(ChatRequest request, out PlatformError? error)
    {
        if (_ready is not { } models || Find(models, request.Model) is not { } model)
        {
            error = PlatformError.Of(BusinessCode.ModelMissing);
            return null;
        }

        // 1. The prompt, as tokens.
        if (model.Prompts.Render(request, out Conversation conversation, out error) is not { } prompt)
            return null;
        if (prompt.Media.Count > 0)
        {
            error = new PlatformError(BusinessCode.ModelUnsupported, $"The backend {Name} is asked for tokens and takes text only; leave out images, videos and sound, or set it to chat mode.", "messages");
            return null;
        }

        int room = model.ContextLength - prompt.Tokens.Length;
        if (room < 1)
        {
            error = model.Prompts.TooLong(request, prompt.Tokens.Length, model.ContextLength);
            return null;
        }

        if (request.Sampling.LogitBias?.Keys.FirstOrDefault(id => id < 0 || id >= model.Tokenizer.VocabularySize, -1) is { } id and not -1)
        {
            error = PlatformError.Invalid("logit_bias", $"{id} is no token of the model", $"Use ids from 0 to {model.Tokenizer.VocabularySize - 1}");
            return null;
        }

        // 2. What the answer must look like, once its reasoning is done.
        ITokenConstraint? constraint = model.Constraints.For(request, conversation.Tools, OutputStart.Content, out IReadOnlyList<Relaxation> relaxations, out error);
        if (error is not null)
            return null;
        CompiledConstraint? compiled = (constraint as GrammarConstraint)?.Compiled;
        string? grammar = compiled?.ToGbnf(_protocol.Grammars);
        if (compiled is not null && grammar is null)
        {
            error = new PlatformError(BusinessCode.ParameterInvalid, "The schema or grammar is too large to be sent to the engine of this model; use a smaller one.", conversation.Tools.Count > 0 ? "tools" : "response_format");
            return null;
        }

        return new RemoteCall
        {
            Model = model,
            Request = request,
            Prompt = prompt.Tokens,
            Output = ChatPrompts.OutputOf(request, prompt.Start),
            Constraint = compiled,
            Grammar = grammar,
            Relaxations = relaxations,
            Limit = Math.Min(request.MaxTokens ?? int.MaxValue, room),
            LimitIsContext = request.MaxTokens is null || request.MaxTokens > room,
        };
    }

    /// <summary>Begins a run of tokens.</summary>
    /// <exception cref="EngineException">The engine did not accept it.</exception>
    private async Task<EngineRun> BeginAsync(RemoteModel model, EngineRequest request, CancellationToken cancel)
    {
        CancellationTokenSource clock = new(Definition.FirstTokenTimeout, _time);
        try
        {
            using CancellationTokenRegistration registration = cancel.UnsafeRegister(static clock => ((CancellationTokenSource)clock!).Cancel(), clock);
            EngineEvents events = await _transport.StreamAsync(_protocol.Path, json => _protocol.Write(json, request with { Model = request.Model ?? NameOf(model) }), clock.Token).ConfigureAwait(false);
            return new EngineRun(_protocol, model.Bytes, events, clock, Definition.StallTimeout);
        }
        catch (OperationCanceledException fault)
        {
            clock.Dispose();
            cancel.ThrowIfCancellationRequested();
            throw EngineException.Failed("The engine did not accept the request in time.", fault);
        }
        catch
        {
            clock.Dispose();
            throw;
        }
    }

    // llama-server has one model and takes any name, but with several it wants the right one.
    private string? NameOf(RemoteModel model) => Definition.Kind == BackendKind.Vllm ? model.Definition.Code : null;

    /// <summary>Asks the engine, and gets its models ready.</summary>
    /// <exception cref="EngineException">It is not well, or has not what was promised.</exception>
    private async Task<(EngineStatus Status, string Detail)> ProbeEngineAsync(CancellationToken cancel)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        using CancellationTokenSource clock = new(_probeTime, _time);
        using CancellationTokenRegistration registration = cancel.UnsafeRegister(static clock => ((CancellationTokenSource)clock!).Cancel(), clock);
        bool entered = false;
        try
        {
            await _probing.WaitAsync(clock.Token).ConfigureAwait(false);
            entered = true;
            EngineStatus status = await _protocol.ProbeAsync(_transport, clock.Token).ConfigureAwait(false);
            foreach (BackendModel definition in Definition.Models)
                await PrepareAsync(definition, status, clock.Token).ConfigureAwait(false);
            _checkedServer = status.Server;
            IEnumerable<string> models = _models.Values.Select(model => $"{model.Definition.Code} as {model.Generation} with {model.ContextLength} tokens");
            return (status, string.Join("; ", [status.Server, .. models, .. _note is { } note ? [note] : Array.Empty<string>()]));
        }
        catch (OperationCanceledException fault)
        {
            cancel.ThrowIfCancellationRequested();
            throw EngineException.Failed("The engine did not answer the probe in time.", fault);
        }
        finally
        {
            if (entered && !_disposed)
                _probing.Release();
        }
    }

    private async Task PrepareAsync(BackendModel definition, EngineStatus status, CancellationToken cancel)
    {
        string name = definition.Name ?? definition.Code;
        int? context = status.ContextLength;
        if (status.Models is { } known && !known.TryGetValue(name, out context))
            throw EngineException.Failed($"The engine has no model '{name}'; it has {EngineTransport.OneLine(string.Join(", ", known.Keys))}.");
        if (!_models.TryGetValue(definition.Code, out RemoteModel? model))
        {
            model = RemoteModel.TryLoad(definition, status.ModelPath, out string? problem);
            if (model is null)
                throw EngineException.Failed($"{status.Server}: {problem}.");
            _models.Add(definition.Code, model);
            _checkedServer = null;
        }

        model.Learn(context);

        // Again when another server answers, or this one was away: it may have come back with another model.
        if (_checkedServer != status.Server || _ready is null)
            _note = await VocabularyCheck.CompareAsync(_protocol, _transport, definition.Name ?? NameOf(model), model, cancel).ConfigureAwait(false);
    }
}
