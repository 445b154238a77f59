using System.Globalization;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Tokenization;
using Glimmer.Inference.Prompting;

namespace Glimmer.Inference.Script;

/// <summary>A scenario being played: what is used up, what is written already.</summary>
internal sealed class ScenarioPlay
{
    private const int RememberedPromptTokens = 1 << 18;
    private readonly Lazy<ReplyWriter> _writer;
    private readonly Lazy<ChatPrompts> _prompts;
    private readonly int[] _used;
    private readonly PreparedReply[][] _replies;
    private readonly Dictionary<string, Recording> _recordings = new(StringComparer.Ordinal);
    private long _unknown;

    /// <summary>Begins.</summary>
    /// <param name="scenario">What is played.</param>
    /// <param name="tokenizer">Vocabulary in which answers are written; not loaded before the first.</param>
    /// <param name="clock">Clock of the limits.</param>
    /// <param name="seed">Seed where the scenario has none.</param>
    /// <exception cref="ArgumentException">No generation has the scenario's name.</exception>
    public ScenarioPlay(Scenario scenario, Lazy<ITokenizer> tokenizer, TimeProvider clock, ulong seed)
    {
        Scenario = scenario;
        Seed = scenario.Seed ?? seed;
        Generation = Generations.ForName(scenario.Generation);
        Limits = new RateWindows(scenario.Limits, clock);
        _writer = new Lazy<ReplyWriter>(() => new ReplyWriter(Generation, tokenizer.Value));
        _prompts = new Lazy<ChatPrompts>(() => new ChatPrompts("script", Generation, tokenizer.Value, RememberedPromptTokens));
        _used = new int[scenario.Rules.Count];
        _replies = [.. scenario.Rules.Select(static (rule, i) => rule.Sequel.Prepend(rule.Reply).Select(reply => new PreparedReply(reply, rule.Name, i)).ToArray())];
        Fallback = scenario.Fallback is { } fallback ? new PreparedReply(fallback, "fallback", -1) : null;
        foreach (Recording recording in scenario.Recordings)
            _recordings.TryAdd(recording.Fingerprint, recording);
        EmbeddingModels =
        [
            .. scenario.Embeddings.Select(static scripted => scripted.Model)
                .Concat(scenario.Recordings.Select(static recording => recording.Embedding?.Model).OfType<string>())
                .Distinct(StringComparer.OrdinalIgnoreCase),
        ];
    }

    /// <summary>Codes under which the scenario gives vectors, or has recorded some.</summary>
    public IReadOnlyList<string> EmbeddingModels { get; }

    public Scenario Scenario { get; }

    public ulong Seed { get; }

    public Generation Generation { get; }

    public RateWindows Limits { get; }

    /// <summary>Writes prompts; loads the tokenizer.</summary>
    public ChatPrompts Prompts => _prompts.Value;

    public PreparedReply? Fallback { get; }

    /// <summary>Requests that nothing matched.</summary>
    public long Unknown => Interlocked.Read(ref _unknown);

    public int UsesOf(int rule) => Volatile.Read(ref _used[rule]);

    public void CountUnknown() => Interlocked.Increment(ref _unknown);

    /// <summary>The recording that answers a request; null for none.</summary>
    public Recording? FindRecording(ChatRequest request) =>
        _recordings.Count > 0 ? _recordings.GetValueOrDefault(RequestFingerprint.Of(request)) : null;

    /// <summary>The recording that answers a request for vectors; null for none.</summary>
    public Recording? FindRecording(string model, IReadOnlyList<string> texts, int? dimensions) =>
        _recordings.Count > 0 ? _recordings.GetValueOrDefault(RequestFingerprint.Of(model, texts, dimensions)) : null;

    /// <summary>The first rule that matches and is not used up; null for none.</summary>
    /// <param name="request">The request.</param>
    /// <param name="groups">What its expressions matched.</param>
    /// <param name="use">Which use of the rule it is, from 1.</param>
    public PreparedReply? Find(ChatRequest request, out IReadOnlyList<string> groups, out int use)
    {
        for (int i = 0; i < _replies.Length; i++)
        {
            if (RequestMatcher.Matches(Scenario.Rules[i].When, request, out groups) && Take(i, out use))
                return _replies[i][Math.Min(use, _replies[i].Length) - 1];
        }

        groups = [];
        use = 0;
        return null;
    }

    /// <summary>The rule of which the fewest conditions fail (of those, the most hold), with how each fares; null without rules.</summary>
    public (ScenarioRule Rule, IReadOnlyList<PatternCheck> Checks)? Nearest(ChatRequest request)
    {
        (ScenarioRule, IReadOnlyList<PatternCheck>)? best = null;
        (int Failed, int Held) least = (int.MaxValue, 0);
        for (int i = 0; i < Scenario.Rules.Count; i++)
        {
            ScenarioRule rule = Scenario.Rules[i];
            List<PatternCheck> checks = [.. RequestMatcher.Explain(rule.When, request)];
            if (rule.Times is { } times)
                checks.Add(new PatternCheck("times", $"at most {times}", $"{UsesOf(i)} before", UsesOf(i) < times));
            int failed = checks.Count(check => !check.Held), held = checks.Count - failed;
            if (failed > least.Failed || (failed == least.Failed && held <= least.Held && best is not null))
                continue;
            least = (failed, held);
            best = (rule, checks);
        }

        return best;
    }

    /// <summary>The tokens of a reply; null with the reason when the generation cannot write it.</summary>
    public int[]? Write(PreparedReply reply, ChatRequest request, IReadOnlyList<string> groups, out string? fault)
    {
        bool? thinking = request.Conversation.Options.EnableThinking;
        bool isRaw = request.Raw is not null;
        ref int[]? known = ref reply.Tokens[isRaw ? 3 : thinking switch { null => 0, false => 1, true => 2 }];
        fault = null;
        if (Volatile.Read(ref known) is { } tokens)
            return tokens;
        string last = request.Conversation.Messages is [.., { } message] ? RequestMatcher.VisibleText(message) : "";
        int[]? written = isRaw ? _writer.Value.WriteText(reply.Reply, groups, last) : _writer.Value.Write(reply.Reply, thinking, groups, last, out fault);
        if (!reply.HasPlaces)
            Volatile.Write(ref known, written);
        return written;
    }

    /// <summary>Time before the first token of a use of a reply.</summary>
    public TimeSpan DelayOf(PreparedReply reply, int use)
    {
        if (reply.Reply.Jitter <= TimeSpan.Zero)
            return reply.Reply.Delay;
        SeededChance chance = new(Seed, "jitter", reply.Name, use.ToString(CultureInfo.InvariantCulture));
        return reply.Reply.Delay + (reply.Reply.Jitter * chance.NextUnit());
    }

    /// <summary>Counts a use of a rule, unless it is used up.</summary>
    private bool Take(int index, out int use)
    {
        use = Interlocked.Increment(ref _used[index]);
        if (use <= (Scenario.Rules[index].Times ?? int.MaxValue))
            return true;
        Interlocked.Decrement(ref _used[index]);
        return false;
    }
}

/// <summary>A reply and its tokens, once written, for the three states of the thinking switch and for raw prompts.</summary>
/// <param name="reply">The reply.</param>
/// <param name="name">Name of its rule.</param>
/// <param name="rule">Place of its rule; −1 for the fallback.</param>
internal sealed class PreparedReply(ScriptedReply reply, string name, int rule)
{
    private int _uses;

    public ScriptedReply Reply { get; } = reply;

    public string Name { get; } = name;

    public int Rule { get; } = rule;

    public int[]?[] Tokens { get; } = new int[]?[4];

    /// <summary>Whether its text depends on the request.</summary>
    public bool HasPlaces { get; } = new[] { reply.Thinking, reply.Text, reply.Raw }.Concat(reply.ToolCalls.Select(call => call.Arguments.GetRawText()))
        .Any(text => text?.Contains("{{", StringComparison.Ordinal) == true);

    /// <summary>Counts a use of the fallback, which no rule counts.</summary>
    public int CountUse() => Interlocked.Increment(ref _uses);
}
