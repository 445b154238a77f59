using System.Buffers;
using System.Text;
using Glimmer.Dialogue.Conversations;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Output;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Inference.Prompting;
using Glimmer.Protocol.Errors;

namespace Glimmer.Inference.Script;

/// <summary>
/// Plays a written scenario: a test double of the platform in which everything but the weights is real. Prompts are rendered and counted by
/// a real generation and tokenizer, answers are tokens read by the real automaton.
/// </summary>
public sealed class ScriptChatBackend : IChatBackend, ITokenizerBackend
{
    private const int RememberedPromptTokens = 1 << 18;
    private readonly Scenario _scenario;
    private readonly Generation _generation;
    private readonly ITokenizer _tokenizer;
    private readonly TimeProvider _time;
    private readonly ChatPrompts _prompts;
    private readonly ReplyWriter _writer;
    private readonly int[] _used;
    private readonly PreparedReply[] _replies;
    private readonly PreparedReply? _fallback;

    /// <summary>A backend that plays a scenario.</summary>
    /// <param name="scenario">What to say.</param>
    /// <param name="tokenizer">Vocabulary in which prompts and answers are counted.</param>
    /// <param name="time">Clock of delays and rates.</param>
    /// <exception cref="ArgumentException">No generation has the scenario's name.</exception>
    public ScriptChatBackend(Scenario scenario, ITokenizer tokenizer, TimeProvider time)
    {
        _scenario = scenario;
        _tokenizer = tokenizer;
        _time = time;
        _generation = Generations.ForName(scenario.Generation);
        _prompts = new ChatPrompts(Name, _generation, tokenizer, RememberedPromptTokens);
        _writer = new ReplyWriter(_generation, tokenizer);
        _used = new int[scenario.Rules.Count];
        _replies = [.. scenario.Rules.Select(rule => new PreparedReply(rule.Reply))];
        _fallback = scenario.Fallback is { } fallback ? new PreparedReply(fallback) : null;
    }

    /// <inheritdoc/>
    public string Name => "script";

    /// <inheritdoc/>
    public IReadOnlyList<string> Models => _scenario.Models;

    /// <inheritdoc/>
    public bool IsReady => true;

    /// <inheritdoc/>
    public bool TakesRawPrompts => true;

    /// <inheritdoc/>
    public ValueTask<T> UseTokenizerAsync<T>(Func<ITokenizer, Generation, T> use, CancellationToken cancel) => new(use(_tokenizer, _generation));

    /// <summary>How often a rule has answered, by its place in the scenario.</summary>
    public int CountOf(int rule) => Volatile.Read(ref _used[rule]);

    /// <inheritdoc/>
    public async ValueTask<ChatStart> StartAsync(ChatRequest request, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        if (_prompts.Render(request, out _, out PlatformError? error) is not { } prompt)
            return new ChatStart(null, error);
        if (request.Raw is { Tokens: { } ids })
            request = request with { Conversation = request.Conversation with { Messages = [ChatMessage.OfText(ChatRole.User, TextOf(ids))] } };
        if (Find(request, out IReadOnlyList<string> groups, out string? nearest) is not { } prepared)
            return new ChatStart(null, new PlatformError(BusinessCode.CallFailed, $"No rule of the scenario matches this request. {nearest}"));
        ScriptedReply reply = prepared.Reply;
        if (reply.Error is { } wrong)
        {
            if (reply.Delay > TimeSpan.Zero)
                await Task.Delay(reply.Delay, _time, cancel);
            PlatformError scripted = PlatformError.Of(wrong.Code);
            return new ChatStart(null, scripted with { Message = wrong.Message ?? scripted.Message, Chinese = wrong.Message ?? scripted.Chinese, RetryAfter = wrong.RetryAfter ?? scripted.RetryAfter });
        }

        if (TokensOf(prepared, request, groups, out string? fault) is not { } tokens)
            return new ChatStart(null, new PlatformError(BusinessCode.CallFailed, $"The scenario's answer cannot be written by {_generation}: {fault}"));
        OutputAutomaton automaton = new(_generation, _tokenizer, ChatPrompts.OutputOf(request, prompt.Start) with { ThinkingBudget = null });
        return new ChatStart(new ScriptedAnswer(automaton, tokens, reply, request, prompt.Tokens.Length, _time), null);
    }

    /// <inheritdoc/>
    /// <exception cref="ChatRequestException">The request can't be rendered.</exception>
    public ValueTask<int> CountTokensAsync(ChatRequest request, CancellationToken cancel) =>
        ValueTask.FromResult(_prompts.Render(request, out _, out PlatformError? error) is { } prompt ? prompt.Tokens.Length : throw new ChatRequestException(error!));

    private PreparedReply? Find(ChatRequest request, out IReadOnlyList<string> groups, out string? nearest)
    {
        int best = -1;
        nearest = "It has no rules.";
        for (int i = 0; i < _scenario.Rules.Count; i++)
        {
            ScenarioRule rule = _scenario.Rules[i];
            (int held, string? failed) = RequestMatcher.Compare(rule.When, request, out groups);
            if (failed is null && Take(i, rule))
                return _replies[i];
            if (held > best)
            {
                best = held;
                nearest = $"Nearest is {rule.Name}: {failed ?? $"it has answered {rule.Times} times already"}.";
            }
        }

        groups = [];
        return _fallback;
    }

    /// <summary>Counts a use of a rule, unless it is used up.</summary>
    private bool Take(int index, ScenarioRule rule)
    {
        if (Interlocked.Increment(ref _used[index]) <= (rule.Times ?? int.MaxValue))
            return true;
        Interlocked.Decrement(ref _used[index]);
        return false;
    }

    private int[]? TokensOf(PreparedReply reply, ChatRequest request, IReadOnlyList<string> groups, out string? fault)
    {
        bool? thinking = request.Conversation.Options.EnableThinking;
        bool isRaw = request.Raw is not null;
        ref int[]? known = ref reply.Tokens[isRaw ? 3 : thinking switch { null => 0, false => 1, true => 2 }];
        fault = null;
        if (Volatile.Read(ref known) is { } tokens)
            return tokens;
        string last = request.Conversation.Messages is [.., { } message] ? RequestMatcher.VisibleText(message) : "";
        int[]? written = isRaw ? _writer.WriteText(reply.Reply, groups, last) : _writer.Write(reply.Reply, thinking, groups, last, out fault);
        if (!reply.HasPlaces)
            Volatile.Write(ref known, written);
        return written;
    }

    private string TextOf(IReadOnlyList<int> ids)
    {
        var bytes = new ArrayBufferWriter<byte>(Math.Max(16, ids.Count * 4));
        foreach (int id in ids)
            bytes.Write(_tokenizer.BytesOf(id));
        return Encoding.UTF8.GetString(bytes.WrittenSpan);
    }

    /// <summary>A reply and its tokens, once written, for the three states of the thinking switch and for raw prompts.</summary>
    private sealed class PreparedReply(ScriptedReply reply)
    {
        public ScriptedReply Reply { get; } = reply;

        public int[]?[] Tokens { get; } = new int[]?[4];

        /// <summary>Whether its text depends on the request.</summary>
        public bool HasPlaces { get; } = new[] { reply.Thinking, reply.Text, reply.Raw }.Concat(reply.ToolCalls.Select(call => call.Arguments.GetRawText()))
            .Any(text => text?.Contains("{{", StringComparison.Ordinal) == true);
    }
}
