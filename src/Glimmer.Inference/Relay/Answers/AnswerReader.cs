using Glimmer.Dialogue.Output;
using Glimmer.Inference.Relay.Errors;

namespace Glimmer.Inference.Relay.Answers;

/// <summary>Turns the events of a service's stream into those of the house, and holds the service to its protocol.</summary>
internal abstract class AnswerReader : IDisposable
{
    /// <summary>Most text of an answer in bytes, reasoning and arguments included: many times what the longest answer has.</summary>
    public const long MaxAnswerBytes = 64 << 20;

    private readonly ChatRequest _request;
    private TextPieces _thought;
    private TextPieces _said;
    private TextPieces _passed;

    /// <summary>A reader of one answer.</summary>
    protected AnswerReader(ChatRequest request)
    {
        _request = request;
        Calls = new CallSorter(request.ParallelToolCalls);
    }

    /// <summary>Why the service says it stopped; null until it does.</summary>
    public FinishReason? Finish { get; private set; }

    /// <summary>Whether the mark of the end has come.</summary>
    public bool IsOver { get; protected set; }

    /// <summary>What the service said of its failure in the middle; null when it said nothing.</summary>
    public UpstreamError? Error { get; protected set; }

    /// <summary>The request's stop text that ended the answer, where the service says so.</summary>
    public string? StopText { get; private set; }

    /// <summary>Bytes of reasoning so far.</summary>
    public long ReasoningBytes { get; private set; }

    /// <summary>Bytes of text, names and arguments so far.</summary>
    public long AnswerBytes { get; private set; }

    /// <summary>What the service says of the cost.</summary>
    public ref readonly UsageTally Usage => ref Tally;

    /// <summary>The calls.</summary>
    protected CallSorter Calls { get; }

    /// <summary>What the service says of the cost.</summary>
#pragma warning disable CA1051 // A struct that is filled in place.
    protected UsageTally Tally;
#pragma warning restore CA1051

    /// <summary>Reads an event.</summary>
    /// <param name="data">Its data.</param>
    /// <param name="events">Where what it says goes.</param>
    /// <exception cref="UpstreamFaultException">It breaks the protocol.</exception>
    /// <exception cref="System.Text.Json.JsonException">It is not JSON.</exception>
    public void Read(ReadOnlySpan<byte> data, List<ChatEvent> events)
    {
        if (data.IsEmpty)
            return;
        try
        {
            ReadEvent(data, events);
        }
        catch (InvalidOperationException)
        {
            // What the JSON reader says of half a surrogate pair and of bytes that are no UTF-8, in a name as in a value.
            throw new UpstreamFaultException("it sent an event that is not Unicode");
        }
    }

    /// <inheritdoc cref="Read"/>
    protected abstract void ReadEvent(ReadOnlySpan<byte> data, List<ChatEvent> events);

    /// <inheritdoc/>
    public void Dispose()
    {
        Calls.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Tells a piece of reasoning.</summary>
    protected void Think(string text, List<ChatEvent> events)
    {
        text = _thought.Join(text);
        if (text.Length == 0)
            return;
        ReasoningBytes += Count(text);
        events.Add(new ChatEvent(ChatEventKind.Reasoning, text));
    }

    /// <summary>Tells a piece of content.</summary>
    protected void Say(string text, IReadOnlyList<SaidToken>? tokens, List<ChatEvent> events)
    {
        text = _said.Join(text);
        if (text.Length == 0)
            return;
        AnswerBytes += Count(text);
        Calls.Interrupt(events);
        events.Add(new ChatEvent(ChatEventKind.Content, text) { Tokens = tokens });
    }

    /// <summary>Tells a piece of a call.</summary>
    /// <inheritdoc cref="CallSorter.Add" path="/param"/>
    /// <returns>The call's place.</returns>
    protected int Call(int? index, string? id, string? name, string? arguments, List<ChatEvent> events)
    {
        arguments = arguments is null ? null : _passed.Join(arguments);
        AnswerBytes += Count(name ?? "") + Count(arguments ?? "");
        return Calls.Add(index, id, name, arguments, events);
    }

    /// <summary>Takes the service's word for the end. The same word may come again; it often does with the usage.</summary>
    /// <param name="said">The word's meaning.</param>
    /// <param name="events">Where the ends of calls go.</param>
    protected void End(FinishReason said, List<ChatEvent> events)
    {
        if (said == FinishReason.BackendFault)
            throw new UpstreamFaultException("it says that the answer failed");
        if (_thought.IsOpen || _said.IsOpen || _passed.IsOpen)
            throw TextPieces.Broken();
        bool cut = said is FinishReason.Length or FinishReason.ContextWindow or FinishReason.Sensitive;
        if (Finish is null)
            Calls.Finish(cut, events);
        FinishReason meant = cut ? said : Calls.Any ? FinishReason.ToolCalls : FinishReason.Stop;
        if (Finish is { } before && before != meant)
            throw new UpstreamFaultException("it gives two reasons for the end of the answer");
        Finish = meant;
    }

    /// <summary>Keeps a stop text that the service names, if it is one of the request's.</summary>
    protected void StopAt(string? text)
    {
        if (text is not null && _request.Stop.Contains(text, StringComparer.Ordinal))
            StopText = text;
    }

    /// <summary>The bytes of a piece, which may not come after the end nor make the answer endless.</summary>
    private long Count(string text)
    {
        if (text.Length == 0)
            return 0;
        if (Finish is not null)
            throw new UpstreamFaultException("it goes on after the end of the answer");
        long bytes = TokenEstimate.Bytes(text);
        if (ReasoningBytes + AnswerBytes + bytes > MaxAnswerBytes)
            throw new UpstreamFaultException($"its answer has more than {MaxAnswerBytes} bytes");
        return bytes;
    }
}
