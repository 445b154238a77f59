using System.Text;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Rendering;
using Glimmer.Dialogue.Tokenization;

namespace Glimmer.Dialogue.Output;

/// <summary>
/// Turns what a model says, token by token, into events: reasoning, content, tool calls. The same automaton serves
/// streams and plain answers, so they cannot differ. One instance belongs to one answer and one thread at a time.
/// </summary>
public sealed class OutputAutomaton
{
    private readonly ITokenizer? _tokenizer;
    private readonly OutputOptions _options;
    private readonly TokenMarks _marks;
    private readonly EventWriter _events = new();
    private readonly bool _audioCodes;
    private readonly RepairLog _repairs;
    private readonly OutputParser _parser;
    private readonly Decoder _utf8 = Encoding.UTF8.GetDecoder();
    private bool _midCharacter;
    private char _highSurrogate;
    private bool _finished;
    private EndCause? _ended;

    /// <summary>An automaton for one answer.</summary>
    /// <param name="generation">How the model writes its answers.</param>
    /// <param name="tokenizer">Its tokenizer; null when only <see cref="FeedText"/> is used.</param>
    /// <param name="options">What is known about this answer.</param>
    public OutputAutomaton(Generation generation, ITokenizer? tokenizer, OutputOptions options)
    {
        _tokenizer = tokenizer;
        _options = options;
        _repairs = new RepairLog(options.Repairs);
        _parser = new OutputParser(generation.Output, options, _events, _repairs);
        _marks = TokenMarks.Of(generation, tokenizer);
        _audioCodes = generation.Output.AudioCodes;
    }

    /// <summary>Tokens fed, stop token included.</summary>
    public int Tokens { get; private set; }

    /// <summary>
    /// Tokens that were reasoning: fed while the model reasoned and did not stop reasoning by them. The tags are not
    /// counted. Only tokens that were fed as tokens count.
    /// </summary>
    public int ReasoningTokens { get; private set; }

    /// <summary>Whether the model is reasoning now. A constraint on the answer begins when this and <see cref="IsThinkPending"/> are false.</summary>
    public bool IsReasoning => _parser.InReasoning;

    /// <summary>Whether the model has yet to decide if it reasons.</summary>
    public bool IsThinkPending => _parser.ThinkPending;

    /// <summary>Calls completed so far.</summary>
    public int CallCount => _parser.CallCount;

    /// <summary>The kinds of repairs made.</summary>
    public Repairs RepairsMade => _repairs.Made;

    /// <summary>
    /// Whether the thinking budget is used up: feed <see cref="EndThinkTokens"/> to the model and to this automaton as if
    /// the model had said them. False in the middle of a character.
    /// </summary>
    public bool ShouldForceEndThink => _options.ThinkingBudget is { } budget && IsReasoning && !_midCharacter && ReasoningTokens >= budget;

    /// <summary>A line break and <c>&lt;/think&gt;</c>, by their names in this vocabulary; empty without a tokenizer.</summary>
    public IReadOnlyList<int> EndThinkTokens => _marks.EndThink;

    /// <summary>Why the answer is complete, once <see cref="Feed"/> said so.</summary>
    public EndCause? Ended => _ended ?? _parser.Ended;

    /// <summary>The stop text that ended the answer; null when none did.</summary>
    public string? StopText => _parser.StopText;

    /// <summary>How often a repair of this kind was made.</summary>
    /// <param name="kind">One kind.</param>
    public int CountOf(Repairs kind) => _repairs.Count(kind);

    /// <summary>Takes the next token.</summary>
    /// <param name="token">Its id.</param>
    /// <param name="events">Receives what it said; nothing is removed.</param>
    public AutomatonVerdict Feed(int token, List<ChatEvent> events)
    {
        ITokenizer tokenizer = _tokenizer ?? throw new InvalidOperationException("An automaton without a tokenizer takes text only.");
        if (_finished)
            throw new InvalidOperationException("The answer is finished.");
        if (Ended is not null)
            return AutomatonVerdict.Done;
        Tokens++;
        _events.Sink = events;
        if (_marks.Stops.Contains(token))
        {
            _ended = EndCause.StopToken;
            return AutomatonVerdict.Done;
        }

        bool reasoned = _parser.InReasoning;
        TokenKind kind = tokenizer.KindOf(token);
        if (kind == TokenKind.Text)
        {
            Decode(tokenizer.BytesOf(token), flush: false);
        }
        else if (!_audioCodes || !tokenizer.BytesOf(token).StartsWith("<|audio_"u8))
        {
            Decode([], flush: true);
            if (kind == TokenKind.Added || _marks.Tags.Contains(token))
                Decode(tokenizer.BytesOf(token), flush: true);
            else if (token == _marks.Part)
                _parser.Part();
        }

        if (reasoned && _parser.InReasoning)
            ReasoningTokens++;
        _events.Flush();
        return Ended is null ? AutomatonVerdict.Continue : AutomatonVerdict.Done;
    }

    /// <summary>Takes a piece of text, for backends that give no tokens.</summary>
    public AutomatonVerdict FeedText(ReadOnlySpan<char> text, List<ChatEvent> events)
    {
        if (_finished)
            throw new InvalidOperationException("The answer is finished.");
        _events.Sink = events;
        // Half a surrogate pair waits for its other half: an event never ends inside a character.
        if (_highSurrogate != 0 && !text.IsEmpty)
        {
            _parser.Write([_highSurrogate, text[0]]);
            text = text[1..];
            _highSurrogate = '\0';
        }

        if (!text.IsEmpty && char.IsHighSurrogate(text[^1]))
        {
            _highSurrogate = text[^1];
            text = text[..^1];
        }

        _parser.Write(text);
        _events.Flush();
        return Ended is null ? AutomatonVerdict.Continue : AutomatonVerdict.Done;
    }

    /// <summary>Ends the answer for the reason that made <see cref="Feed"/> say <see cref="AutomatonVerdict.Done"/>.</summary>
    /// <param name="events">Receives what was held back.</param>
    public FinishReason Finish(List<ChatEvent> events) => Finish(Ended ?? EndCause.StopToken, events);

    /// <summary>
    /// Ends the answer. Whatever was held back is said now; only the first bytes of a character that a limit or a
    /// cancellation cut in two are dropped, since no text can show them.
    /// </summary>
    /// <param name="cause">Why no more comes. What the automaton itself found before counts more.</param>
    /// <param name="events">Receives what was held back.</param>
    public FinishReason Finish(EndCause cause, List<ChatEvent> events)
    {
        if (_finished)
            throw new InvalidOperationException("The answer is finished already.");
        _finished = true;
        cause = Ended ?? cause;
        _events.Sink = events;
        bool truncated = cause is EndCause.MaxTokens or EndCause.ContextFull or EndCause.Sensitive or EndCause.Fault or EndCause.Cancelled;
        // A model that ends its turn inside a character made a fault, which shows as U+FFFD; a cut is none of its making.
        if (!truncated)
            Decode([], flush: true);
        if (_highSurrogate != 0 && !truncated)
            _parser.Write("\uFFFD");
        _parser.End(truncated);
        _events.Flush();
        if (_parser.ReasoningWasAnswer)
            ReasoningTokens = 0;
        return Reason(_parser.Ended ?? cause);
    }

    private FinishReason Reason(EndCause cause) => cause switch
    {
        EndCause.MaxTokens => FinishReason.Length,
        EndCause.ContextFull => FinishReason.ContextWindow,
        EndCause.Sensitive => FinishReason.Sensitive,
        EndCause.Fault => FinishReason.BackendFault,
        EndCause.Cancelled => FinishReason.Cancelled,
        EndCause.StopText => FinishReason.Stop,
        _ => _parser.CallCount > 0 ? FinishReason.ToolCalls : FinishReason.Stop,
    };

    private void Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        Span<char> chars = stackalloc char[256];
        bool completed;
        do
        {
            _utf8.Convert(bytes, chars, flush, out int used, out int written, out completed);
            bytes = bytes[used..];
            _parser.Write(chars[..written]);
        }
        while (!completed);
        _midCharacter = !flush && _utf8.GetCharCount([], flush: true) > 0;
    }
}
