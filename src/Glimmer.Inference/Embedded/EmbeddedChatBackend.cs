using Glimmer.Dialogue.Constraints;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Engine;
using Glimmer.Engine.Packages;
using Glimmer.Inference.Prompting;
using Glimmer.Protocol.Errors;
using Microsoft.Extensions.Logging;

namespace Glimmer.Inference.Embedded;

/// <summary>Answers with a model that runs in this process.</summary>
public sealed class EmbeddedChatBackend : IChatBackend, IEngineReport, ITokenizerBackend, IAsyncDisposable
{
    private const int RememberedPromptTokens = 1 << 20;
    private readonly ModelPackage _package;
    private readonly InferenceEngine _engine;
    private readonly ChatPrompts _prompts;
    private readonly AnswerConstraints _constraints;
    private readonly HashSet<int> _silentStops;
    private readonly Repairs _repairs;
    private volatile bool _stopping;

    /// <summary>Starts an engine for a loaded model.</summary>
    /// <param name="package">The model. The backend owns it from now on.</param>
    /// <param name="options">How the engine uses the machine.</param>
    /// <param name="logger">Hears of the engine's faults.</param>
    /// <param name="repairs">What may be mended in malformed calls; a call that needs another repair comes back as text.</param>
    public EmbeddedChatBackend(ModelPackage package, EngineOptions options, ILogger<InferenceEngine>? logger = null, Repairs repairs = Repairs.All)
    {
        _package = package;
        _repairs = repairs;
        if (options is { PrefixSpill: not null, ModelIdentity: null })
            options = options with { ModelIdentity = package.FindIdentity() };
        _engine = new InferenceEngine(package.Model, options, package.Tokenizer, logger);
        _prompts = new ChatPrompts(package.Code, package.Generation, package.Tokenizer, RememberedPromptTokens);
        _constraints = new AnswerConstraints(package.Code, package.Generation, package.Tokenizer, package.StopTokens);
        _silentStops = [.. package.StopTokens.Except(package.Generation.StopTokens(package.Tokenizer))];
        Models = [package.Code];
    }

    /// <inheritdoc/>
    public string Name => $"embedded:{_package.Code}";

    /// <inheritdoc/>
    public IReadOnlyList<string> Models { get; }

    /// <inheritdoc/>
    public bool IsReady => !_stopping;

    /// <inheritdoc/>
    public bool TakesRawPrompts => true;

    /// <summary>The engine, for its statistics.</summary>
    public InferenceEngine Engine => _engine;

    /// <inheritdoc/>
    public EngineStatistics? EngineStatistics => _engine.GetStatistics();

    /// <summary>The model it runs.</summary>
    public ModelPackage Package => _package;

    /// <summary>Loads a model and starts an engine for it.</summary>
    /// <inheritdoc cref="ModelPackage.Load" path="/exception"/>
    public static EmbeddedChatBackend Load(string path, EngineOptions options, PackageOptions? package = null, ILogger<InferenceEngine>? logger = null)
    {
        ModelPackage loaded = ModelPackage.Load(path, package);
        try
        {
            return new EmbeddedChatBackend(loaded, options, logger);
        }
        catch
        {
            loaded.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Start(request, ended: null));
    }

    /// <inheritdoc/>
    /// <exception cref="ChatRequestException">The request can't be rendered.</exception>
    public ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        return ValueTask.FromResult(CountTokens(request));
    }

    /// <inheritdoc/>
    public ValueTask<T> UseTokenizerAsync<T>(Func<ITokenizer, Generation, T> use, CancellationToken cancel) => new(use(_package.Tokenizer, _package.Generation));

    /// <summary>Takes no more requests, lets the running ones finish within the grace, ends the rest.</summary>
    public Task StopAsync(TimeSpan grace)
    {
        _stopping = true;
        return _engine.StopAsync(grace);
    }

    /// <summary>Stops at once and closes the model.</summary>
    public async ValueTask DisposeAsync()
    {
        await StopAsync(TimeSpan.Zero);
        _engine.Dispose();
        _package.Dispose();
    }

    /// <summary>Exact number of prompt tokens of the request.</summary>
    /// <exception cref="ChatRequestException">The request can't be rendered.</exception>
    internal int CountTokens(ChatRequest request) =>
        _prompts.RenderText(request, out _, out PlatformError? error) is { } prompt ? prompt.Tokens.Length : throw new ChatRequestException(error!);

    /// <summary>Begins an answer.</summary>
    /// <param name="request">What is asked.</param>
    /// <param name="ended">Called on the engine's thread when the answer is complete; never when there is none.</param>
    internal ChatStart Start(ChatRequest request, Action? ended)
    {
        // 1. The prompt, as tokens.
        RenderedPrompt? prompt = _prompts.RenderText(request, out Conversation conversation, out PlatformError? error);
        if (prompt is null)
            return new ChatStart(null, error);
        if (prompt.Tokens.Length + 1 > _engine.ContextLength)
            return new ChatStart(null, _prompts.TooLong(request, prompt.Tokens.Length, _engine.ContextLength));

        // 2. What the answer must look like.
        ITokenConstraint? constraint = _constraints.For(request, conversation.Tools, prompt.Start, out IReadOnlyList<Relaxation> relaxations, out error);
        if (error is not null)
            return new ChatStart(null, error);
        OutputOptions output = ChatPrompts.OutputOf(request, prompt.Start) with { Repairs = _repairs };
        if (request.ThinkingBudget is not null)
            constraint = new ThinkingBudget(new OutputAutomaton(_package.Generation, _package.Tokenizer, output with { Stop = [], ParallelToolCalls = true }), constraint);

        // 3. Into the engine.
        EmbeddedChatAnswer answer = new(new OutputAutomaton(_package.Generation, _package.Tokenizer, output), _silentStops, prompt.Tokens.Length, ended) { Relaxations = relaxations, Spelling = request.TopLogProbs is null ? null : _package.Tokenizer };
        GenerationRequest generation = new()
        {
            Prompt = prompt.Tokens,
            Sampling = request.Sampling,
            // The context's end is another reason to stop than the client's limit, so the engine is told of the latter only.
            MaxTokens = request.MaxTokens ?? int.MaxValue,
            StopTokens = _package.StopTokens,
            Constraint = constraint,
            Tenant = request.Tenant,
            TopLogProbs = request.TopLogProbs,
            Sink = answer,
        };
        return Submit(generation, answer, request);
    }

    private ChatStart Submit(GenerationRequest generation, EmbeddedChatAnswer answer, ChatRequest request)
    {
        SubmissionOutcome outcome;
        RunningGeneration? running;
        try
        {
            outcome = _engine.Submit(generation, CancellationToken.None, out running);
        }
        catch (ArgumentException fault)
        {
            // The only list of ids that comes from a client.
            string? field = fault.Message.StartsWith(nameof(SamplingOptions.LogitBias), StringComparison.Ordinal) ? "logit_bias" : null;
            return new ChatStart(null, new PlatformError(BusinessCode.ParameterInvalid, fault.Message, field));
        }

        switch (outcome)
        {
            case SubmissionOutcome.Accepted:
                answer.Attach(running!);
                return new ChatStart(answer, null);
            case SubmissionOutcome.PromptTooLong:
                return new ChatStart(null, _prompts.TooLong(request, generation.Prompt.Count, _engine.ContextLength));
            case SubmissionOutcome.QueueFull:
                return new ChatStart(null, new PlatformError(BusinessCode.Overloaded, $"The model {_package.Code} is overloaded: too many requests wait. Try again later."));
            default:
                return new ChatStart(null, new PlatformError(BusinessCode.Overloaded, $"The model {_package.Code} is being stopped."));
        }
    }
}
