using System.Buffers;
using System.Text;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Inference.Prompting;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Script;

/// <summary>How a script backend plays.</summary>
public sealed record ScriptOptions
{
    /// <summary>Clock of limits and of the log.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Clock of delays and rates; null leaves them out.</summary>
    public TimeProvider? Pace { get; init; } = TimeProvider.System;

    /// <summary>Seed where a scenario has none.</summary>
    public ulong Seed { get; init; }

    /// <summary>Whether every scenario is strict, whatever it says itself.</summary>
    public bool Strict { get; init; }

    /// <summary>Asked what no rule and no recording answers; null for nobody.</summary>
    public RecordingChatBackend? Live { get; init; }

    /// <summary>Asked for vectors that the scenario neither gives nor has recorded; one for each model.</summary>
    public IReadOnlyList<RecordingEmbeddingBackend> LiveEmbeddings { get; init; } = [];

    /// <summary>Told of each request that nothing matched, with the message that its client gets.</summary>
    public Action<string>? Unmatched { get; init; }
}

/// <summary>
/// Plays a written scenario: a test double of the platform in which everything but the weights is real. Prompts are rendered and counted by
/// a real generation and tokenizer, answers are tokens read by the real automaton. The scenario may be changed while it is played.
/// </summary>
public sealed class ScriptChatBackend : IChatBackend, ITokenizerBackend
{
    private const int MostToldUnknown = 20;
    private readonly ScriptOptions _options;
    private readonly Lazy<ITokenizer> _tokenizer;
    private volatile ScenarioPlay _play;
    private volatile string? _earlier;

    /// <summary>A backend that plays a scenario.</summary>
    /// <param name="scenario">What to say.</param>
    /// <param name="tokenizer">Vocabulary in which prompts and answers are counted.</param>
    /// <param name="time">Clock of delays and rates.</param>
    /// <exception cref="ArgumentException">No generation has the scenario's name.</exception>
    public ScriptChatBackend(Scenario scenario, ITokenizer tokenizer, TimeProvider time)
        : this(scenario, new Lazy<ITokenizer>(tokenizer), new ScriptOptions { Clock = time, Pace = time })
    {
    }

    /// <summary>A backend that plays a scenario.</summary>
    /// <param name="scenario">What to say.</param>
    /// <param name="tokenizer">Vocabulary in which prompts and answers are counted; asked for with the first request.</param>
    /// <param name="options">How it plays.</param>
    /// <exception cref="ArgumentException">No generation has the scenario's name.</exception>
    public ScriptChatBackend(Scenario scenario, Lazy<ITokenizer> tokenizer, ScriptOptions options)
    {
        _options = options;
        _tokenizer = tokenizer;
        Log = new RequestLog(options.Clock);
        _play = new ScenarioPlay(scenario, tokenizer, options.Clock, options.Seed);
        Embeddings = MakeEmbeddings(_play);
    }

    /// <inheritdoc/>
    public string Name => "script";

    /// <inheritdoc/>
    public IReadOnlyList<string> Models => _play.Scenario.Models;

    /// <inheritdoc/>
    public bool IsReady => true;

    /// <inheritdoc/>
    public bool TakesRawPrompts => true;

    /// <summary>What is played.</summary>
    public Scenario Scenario => _play.Scenario;

    /// <summary>The seed in force.</summary>
    public ulong Seed => _play.Seed;

    /// <summary>Whether unknown requests count against the run.</summary>
    public bool IsStrict => _options.Strict || _play.Scenario.Strict;

    /// <summary>What was asked.</summary>
    public RequestLog Log { get; }

    /// <summary>The scenario's models that make vectors.</summary>
    public IReadOnlyList<ScriptEmbeddingBackend> Embeddings { get; private set; }

    /// <summary>Called when another scenario is played: its models may be others.</summary>
    public Action? Changed { get; set; }

    /// <summary>Called when a scenario is played from its beginning, the same or another.</summary>
    public Action? Begun { get; set; }

    /// <inheritdoc/>
    public ValueTask<T> UseTokenizerAsync<T>(Func<ITokenizer, Generation, T> use, CancellationToken cancel) => new(use(_tokenizer.Value, _play.Generation));

    /// <summary>How often a rule has answered, by its place in the scenario.</summary>
    public int CountOf(int rule) => _play.UsesOf(rule);

    /// <summary>Plays another scenario from its beginning. Answers in flight go on as they began.</summary>
    /// <exception cref="ArgumentException">No generation has the scenario's name.</exception>
    public void Load(Scenario scenario)
    {
        ScenarioPlay next = new(scenario, _tokenizer, _options.Clock, _options.Seed);
        Begin(next);
        Embeddings = MakeEmbeddings(next);
        Changed?.Invoke();
    }

    /// <summary>Plays the scenario from its beginning: uses, limits and the log are forgotten.</summary>
    public void Reset() => Begin(new ScenarioPlay(_play.Scenario, _tokenizer, _options.Clock, _options.Seed));

    /// <summary>How the run went since its beginning or the last <see cref="Reset"/>.</summary>
    public Verification Verify()
    {
        ScenarioPlay play = _play;
        return new Verification(
            [.. play.Scenario.Rules.Select((rule, i) => new RuleUse(rule.Name, play.UsesOf(i), rule.Times, rule.Expect))],
            play.Unknown,
            [.. Log.Requests.Where(request => request.Outcome == RequestOutcome.Unknown).Take(MostToldUnknown)]);
    }

    /// <summary>
    /// What went wrong in the whole run, for the exit code of a strict one; null when nothing did. Each stretch between two resets in which a request came is judged
    /// by itself.
    /// </summary>
    public string? Judge() => _earlier ?? (Verify() is { Holds: false } now ? now.Describe() : null);

    /// <inheritdoc/>
    public async ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        ScenarioPlay play = _play;
        LoggedRequest entry = Log.Asked(request);

        // :: Step 1: who answers.
        if (play.Limits.Refuse(request, out ScenarioLimit? limit) is { } limited)
            return Refuse(entry, RequestOutcome.Limited, limit!.Name, limited, StartFault.Busy);
        RenderedPrompt? prompt = play.Prompts.Render(request, out _, out PlatformError? error);
        if (request.Raw is { Tokens: { } ids })
            request = request with { Conversation = request.Conversation with { Messages = [ChatMessage.OfText(ChatRole.User, TextOf(ids))] } };
        PreparedReply? prepared = null;
        IReadOnlyList<string> groups = [];
        int use = 0;
        if (prompt is not null)
            prepared = play.Find(request, out groups, out use);
        if (prepared is null && play.FindRecording(request) is { } recording)
        {
            entry.Outcome = RequestOutcome.Recording;
            entry.Code = recording.Refused?.Code;
            return RecordingChatBackend.Start(recording, play.Scenario.RecordedPace ? _options.Pace : null, finish => entry.Finish = finish);
        }

        if (prepared is null && _options.Live is { } live && (request.Raw is null || live.TakesRawPrompts))
        {
            entry.Outcome = RequestOutcome.Live;
            ChatStart asked = await live.StartAsync(request, cancel);
            entry.Code = asked.Error?.Code;
            return asked;
        }

        if (prompt is null)
            return Refuse(entry, RequestOutcome.Invalid, null, error!, StartFault.Request);
        if (prompt.Tokens.Length >= request.ContextLength)
            return Refuse(entry, RequestOutcome.Invalid, prepared?.Name, ChatPrompts.TooLong(request, request.Model, prompt.Tokens.Length, request.ContextLength.Value), StartFault.Request);
        if (prepared is null)
        {
            if (IsStrict || play.Fallback is null)
            {
                PlatformError unknown = Unmatched(play, request, entry);
                return Refuse(entry, RequestOutcome.Unknown, entry.Rule, unknown, StartFault.Request);
            }

            prepared = play.Fallback;
            use = prepared.CountUse();
        }

        // :: Step 2: what it says.
        entry.Outcome = prepared.Rule < 0 ? RequestOutcome.Fallback : RequestOutcome.Rule;
        entry.Rule = prepared.Name;
        TimeSpan delay = _options.Pace is null ? TimeSpan.Zero : play.DelayOf(prepared, use);
        if (prepared.Reply.Error is { } wrong)
        {
            if (delay > TimeSpan.Zero)
                await Task.Delay(delay, _options.Pace!, cancel);
            PlatformError told = wrong.ToPlatform();
            return Refuse(entry, entry.Outcome, prepared.Name, told, told.Code is BusinessCode.ConcurrencyExceeded or BusinessCode.FrequencyExceeded or BusinessCode.Overloaded or BusinessCode.ModelBusy ? StartFault.Busy : StartFault.Backend);
        }

        if (prepared.Reply.ToolCalls is [{ Name: var called }, ..] && (request.Conversation.Tools.Count == 0 || request.ToolChoice.Mode == ToolChoiceMode.None) && request.Raw is null)
        {
            string why = request.Conversation.Tools.Count == 0 ? "the request offers no tools" : "the request forbids calls (tool_choice none)";
            return Refuse(entry, RequestOutcome.Invalid, prepared.Name, new PlatformError(BusinessCode.CallFailed, $"The scenario's answer ({prepared.Name}) calls {called}, but {why}. Add \"tool: {called}\" to its conditions, or use raw for output that is wrong on purpose."), StartFault.Backend);
        }

        if (play.Write(prepared, request, groups, out string? fault) is not { } tokens)
            return Refuse(entry, RequestOutcome.Invalid, prepared.Name, new PlatformError(BusinessCode.CallFailed, $"The scenario's answer cannot be written by {play.Generation}: {fault}"), StartFault.Backend);
        OutputAutomaton automaton = new(play.Generation, _tokenizer.Value, ChatPrompts.OutputOf(request, prompt.Start) with { ThinkingBudget = null });
        ScriptedPace pace = new(_options.Pace, delay, _options.Pace is null ? 0 : prepared.Reply.Rate);
        return new ChatStart(new ScriptedAnswer(automaton, tokens, prepared.Reply, request, prompt.Tokens.Length, pace, entry), null);
    }

    /// <inheritdoc/>
    /// <exception cref="ChatRequestException">The request can't be rendered.</exception>
    public ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel) =>
        ValueTask.FromResult(_play.Prompts.Render(request, out _, out PlatformError? error) is { } prompt ? prompt.Tokens.Length : throw new ChatRequestException(error!));

    private static ChatStart Refuse(LoggedRequest entry, RequestOutcome outcome, string? rule, PlatformError error, StartFault fault)
    {
        entry.Outcome = outcome;
        entry.Rule = rule;
        entry.Code = error.Code;
        return new ChatStart(null, error) { Fault = fault };
    }

    private void Begin(ScenarioPlay next)
    {
        // A test that begins with a reset has asked nothing yet; what went wrong where something was asked is not forgotten.
        if (IsStrict && Log.Count > 0 && _earlier is null && Verify() is { Holds: false } verdict)
            _earlier = verdict.Describe();
        Log.Clear();
        _play = next;
        Begun?.Invoke();
    }

    private ScriptEmbeddingBackend[] MakeEmbeddings(ScenarioPlay play) =>
    [
        .. play.EmbeddingModels.Concat(_options.LiveEmbeddings.Select(static live => live.Model)).Distinct(StringComparer.OrdinalIgnoreCase)
            .Select(model => new ScriptEmbeddingBackend(model, () => _play, () => _tokenizer.Value, _options, Log)),
    ];

    /// <summary>Says why nothing matched: the nearest rule, condition by condition.</summary>
    private PlatformError Unmatched(ScenarioPlay play, ChatRequest request, LoggedRequest entry)
    {
        play.CountUnknown();
        string nearest = "It has no rules.";
        if (play.Nearest(request) is { } near)
        {
            entry.Rule = near.Rule.Name;
            entry.Checks = near.Checks;
            int held = near.Checks.Count(check => check.Held);
            nearest = $"Nearest is {near.Rule.Name}, {held} of {near.Checks.Count} conditions hold:\n{string.Join('\n', near.Checks.OrderBy(check => check.Held))}";
        }

        string message = $"No rule of the scenario matches this request. {nearest}";
        _options.Unmatched?.Invoke(message);
        return new PlatformError(BusinessCode.CallFailed, message);
    }

    private string TextOf(IReadOnlyList<int> ids)
    {
        var bytes = new ArrayBufferWriter<byte>(Math.Max(16, ids.Count * 4));
        foreach (int id in ids)
            bytes.Write(_tokenizer.Value.BytesOf(id));
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }
}
