using System.Text;
using Glimmer.Dialogue.Generations;
using Glimmer.Dialogue.Rendering;

namespace Glimmer.Dialogue.Output;

/// <summary>
/// Characters in, events out: reasoning, content, calls. It decides nothing before the characters that decide it are
/// there, so that the result is the same however they arrive.
/// </summary>
internal sealed class OutputParser
{
    private static readonly Tags ThinkEndTag = new(ControlTokens.ThinkEnd);
    private static readonly Tags ThinkEndOrCall = new(ControlTokens.ThinkEnd, ControlTokens.ToolCall);

    // White space longer than this decides nothing any more; it bounds what is held back, and how often it is searched.
    private const int LongestSpace = 4096;

    private readonly EventWriter _events;
    private readonly OutputGrammar _grammar;
    private readonly OutputOptions _options;
    private readonly TextWindow _text = new();
    private readonly ContentFilter _content;
    private readonly CallWriter _calls;
    private readonly TaggedCallReader? _taggedCall;
    private readonly NamedCallReader? _namedCall;
    private readonly Tags _contentTags;
    private readonly Tags _reasoningTags;
    private readonly StringBuilder? _promptedReasoning;
    private State _state;
    private bool _reasoningBegun;

    public OutputParser(OutputGrammar grammar, OutputOptions options, EventWriter events, RepairLog repairs)
    {
        _grammar = grammar;
        _options = options;
        _events = events;
        ToolCatalog tools = new(options.IsPlain ? [] : options.Tools);
        bool tagged = grammar.ToolCalls == ToolCallSyntax.Tags && !tools.IsEmpty;
        _content = options.IsPlain ? ContentFilter.ForPlain(events, options.Stop) : new ContentFilter(events, options.Stop, tagged, grammar.TrimsAnswer);
        _calls = new CallWriter(events, options.StreamArguments);
        if (tagged)
            _taggedCall = new TaggedCallReader(tools, _calls, repairs);
        else if (grammar.ToolCalls == ToolCallSyntax.NameAndJson && !tools.IsEmpty)
            _namedCall = new NamedCallReader(tools, _calls, repairs);
        _contentTags = options.IsPlain ? new Tags() : ContentTags(grammar, options, tagged);
        _reasoningTags = tagged ? ThinkEndOrCall : ThinkEndTag;
        _state = grammar.Reasons && !options.IsPlain ? options.Start switch { OutputStart.ThinkPending => State.ThinkPending, OutputStart.Reasoning => State.Reasoning, _ => State.Content } : State.Content;
        if (_state == State.Reasoning)
            _promptedReasoning = new StringBuilder();
    }

    private enum State
    {
        ThinkPending,
        Reasoning,
        Content,
        Call,
    }

    /// <summary>Calls completed.</summary>
    public int CallCount => _calls.Count;

    /// <summary>Whether the model is reasoning now.</summary>
    public bool InReasoning => _state == State.Reasoning;

    /// <summary>Whether the model has yet to decide if it reasons.</summary>
    public bool ThinkPending => _state == State.ThinkPending;

    /// <summary>Why the answer is complete, once it is.</summary>
    public EndCause? Ended { get; private set; }

    /// <summary>The stop text that ended the answer; null when none did.</summary>
    public string? StopText => _content.StopText;

    /// <summary>Whether the reasoning turned out to be the answer.</summary>
    public bool ReasoningWasAnswer { get; private set; }

    /// <summary>Reads on.</summary>
    public void Write(ReadOnlySpan<char> text)
    {
        if (Ended is not null)
            return;
        _text.Add(text);
        Pump(final: false);
    }

    /// <summary>A token that parts the answer (<c>&lt;|assistant|&gt;</c> between the calls of older generations).</summary>
    public void Part()
    {
        if (_namedCall is null || _state != State.Content || Ended is not null)
            return;
        EndNamedCall(truncated: false);
        _content.BreakForCall();
        _namedCall.Begin();
        CheckEnd();
    }

    /// <summary>The output is over.</summary>
    /// <param name="truncated">Whether it was cut off, rather than ended by the model.</param>
    public void End(bool truncated)
    {
        if (Ended is null)
        {
            Pump(final: true);
            while (_state == State.Call)
            {
                EndCall(_taggedCall!.End(_text, truncated));
                Pump(final: true);
            }
        }

        if (_namedCall is not null)
            EndNamedCall(truncated);
        if (_state == State.Reasoning && _promptedReasoning is { Length: > 0 } said && !truncated)
        {
            ReasoningWasAnswer = true;
            _events.Mark(ChatEventKind.ReasoningWasAnswer, "");
            _content.Write(said.ToString());
        }

        _content.End();
    }

    private static Tags ContentTags(OutputGrammar grammar, OutputOptions options, bool tagged)
    {
        List<string> tags = [];
        if (tagged)
            tags.Add(ControlTokens.ToolCall);
        if (grammar.AnswerTags)
            tags.AddRange([ControlTokens.Answer, ControlTokens.AnswerEnd]);
        if (grammar.Boxes && !options.KeepBoxes)
            tags.AddRange([ControlTokens.BoxBegin, ControlTokens.BoxEnd]);
        return new Tags([.. tags]);
    }

    private void Pump(bool final)
    {
        while (Ended is null && _state switch
        {
            State.ThinkPending => ReadThinkPending(final),
            State.Reasoning => ReadReasoning(final),
            State.Content => ReadContent(final),
            _ => EndCall(_taggedCall!.Read(_text)),
        })
        {
        }
    }

    private bool ReadThinkPending(bool final)
    {
        ReadOnlySpan<char> text = _text.Span;
        int at = 0;
        while (at < text.Length && PythonText.IsSpace(text[at]))
            at++;
        ReadOnlySpan<char> rest = text[at..];
        if (at <= LongestSpace && rest.StartsWith(ControlTokens.Think, StringComparison.Ordinal))
        {
            _text.Take(at + ControlTokens.Think.Length);
            _state = State.Reasoning;
            return true;
        }

        if (!final && at <= LongestSpace && ControlTokens.Think.AsSpan().StartsWith(rest, StringComparison.Ordinal))
            return false;
        _state = State.Content;
        return true;
    }

    private bool ReadReasoning(bool final)
    {
        if (!_reasoningBegun)
        {
            ReadOnlySpan<char> all = _text.Span;
            _text.Take(all.Length - all.TrimStart('\n').Length);
            _reasoningBegun = !_text.Span.IsEmpty;
        }

        ReadOnlySpan<char> text = _text.Span;
        if (_reasoningTags.TryFind(text, out int at, out string tag))
        {
            Say(WithoutLastLines(text[..at]));
            // A call inside the reasoning ends it; the call itself is read with the content.
            _text.Take(at + (tag == ControlTokens.ThinkEnd ? tag.Length : 0));
            _state = State.Content;
            return true;
        }

        ReadOnlySpan<char> clear = final ? text : WithoutLastLines(text[..at]);
        Say(clear);
        _text.Take(clear.Length);
        return false;
    }

    private static ReadOnlySpan<char> WithoutLastLines(ReadOnlySpan<char> text) =>
        text[..Math.Max(text.TrimEnd('\n').Length, text.Length - LongestSpace)];

    private void Say(ReadOnlySpan<char> reasoning)
    {
        _events.Add(ChatEventKind.Reasoning, reasoning);
        _promptedReasoning?.Append(reasoning);
    }

    private bool ReadContent(bool final)
    {
        ReadOnlySpan<char> text = _text.Span;
        if (text.IsEmpty)
            return false;
        bool found = _contentTags.TryFind(text, out int at, out string tag);
        ReadOnlySpan<char> clear = found || !final ? text[..at] : text;
        WriteContent(clear);
        _text.Take(clear.Length + tag.Length);
        if (CheckEnd() || !found)
            return false;
        if (tag == ControlTokens.AnswerEnd)
        {
            Ended = EndCause.StopToken;
        }
        else if (tag == ControlTokens.ToolCall)
        {
            _content.Settle();
            _taggedCall!.Begin();
            _state = State.Call;
        }

        return true;
    }

    private void WriteContent(ReadOnlySpan<char> text)
    {
        if (_namedCall is null)
            _content.Write(text);
        else
            while (!text.IsEmpty && !CheckEnd())
                text = text[_namedCall.Write(text, _content)..];
    }

    private bool EndCall(CallOutcome outcome)
    {
        if (outcome == CallOutcome.Unfinished)
            return false;
        _state = State.Content;
        if (outcome == CallOutcome.NotACall)
        {
            _calls.Abandon();
            _content.Write(_taggedCall!.RawText);
            return !CheckEnd();
        }

        _content.BreakForCall();
        _content.Write(_taggedCall!.StrayText);
        return !CheckEnd();
    }

    private void EndNamedCall(bool truncated) => _namedCall!.End(_content, truncated);

    private bool CheckEnd()
    {
        if (Ended is null && _content.Stopped)
            Ended = EndCause.StopText;
        else if (Ended is null && !_options.ParallelToolCalls && _calls.Count > 0)
            Ended = EndCause.FirstCall;
        return Ended is not null;
    }
}
