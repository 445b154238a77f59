using Glimmer.Dialogue.Output;
using Glimmer.Inference.Relay.Errors;

namespace Glimmer.Inference.Relay.Answers;

/// <summary>
/// Brings the calls of an answer into the order of the house: one after the other, each begun, continued and ended. Services may send several at once,
/// number them with gaps, or not at all. The first call that is not complete is told as it comes; the others wait for it.
/// </summary>
/// <param name="parallel">Whether there may be several; else those after the first are left out.</param>
internal sealed class CallSorter(bool parallel) : IDisposable
{
    private const int MaxCalls = 128;
    private readonly List<Call> _calls = [];
    private int _current;
    private bool _cutLast;

    /// <summary>Whether a call was told to its end.</summary>
    public bool Any { get; private set; }

    /// <summary>Takes a piece of a call.</summary>
    /// <param name="index">The service's number of the call; null when it gives none.</param>
    /// <param name="id">The service's id of the call; null or empty when the piece has none.</param>
    /// <param name="name">The function; null or empty when the piece has none.</param>
    /// <param name="arguments">A piece of the arguments; null or empty for none.</param>
    /// <param name="events">Where what can be told goes.</param>
    /// <returns>The call's place.</returns>
    /// <exception cref="UpstreamFaultException">The pieces make no calls.</exception>
    public int Add(int? index, string? id, string? name, string? arguments, List<ChatEvent> events)
    {
        int place = Find(index, id, name);
        if (place < 0)
        {
            if (_calls.Count == MaxCalls)
                throw new UpstreamFaultException($"it makes more than {MaxCalls} calls");
            place = _calls.Count;
            _calls.Add(new Call { Index = index, Id = id ?? "" });
        }

        Call call = _calls[place];
        if (!string.IsNullOrEmpty(name) && name != call.Name)
        {
            if (call.Name.Length > 0)
                throw new UpstreamFaultException("a call changes its function");
            call.Name = name;
        }

        if (!string.IsNullOrEmpty(id) && call.Id.Length == 0)
            call.Id = id;
        if (!string.IsNullOrEmpty(arguments))
        {
            if (call.State == CallState.Over && !string.IsNullOrWhiteSpace(arguments))
                throw new UpstreamFaultException("the arguments of a call go on after their end");
            call.Arguments.Add(arguments);
        }

        if (place == _current)
            Tell(arguments, events);
        return place;
    }

    /// <summary>Says that a call is complete, in forms that say so.</summary>
    /// <param name="place">Its place.</param>
    /// <param name="events">Where what can be told goes.</param>
    public void End(int place, List<ChatEvent> events)
    {
        _calls[place].IsClosed = true;
        if (place == _current)
            Tell(null, events);
    }

    /// <summary>Says that text follows: an answer of the house has no text inside a call, so one that is begun was none.</summary>
    public void Interrupt(List<ChatEvent> events)
    {
        if (_current < _calls.Count && _calls[_current] is { State: CallState.Begun, Arguments.IsNothing: false })
            Abandon(_calls[_current], events);
        _cutLast = false;
    }

    /// <summary>Tells what is left, once the service has said why it stopped.</summary>
    /// <param name="cut">Whether the answer was cut off, so that a call may be incomplete.</param>
    /// <param name="events">Where it goes.</param>
    /// <exception cref="UpstreamFaultException">A call is incomplete although the answer is not.</exception>
    public void Finish(bool cut, List<ChatEvent> events)
    {
        for (; _current < _calls.Count && (parallel || _current == 0); CheckCut(cut))
        {
            Call call = _calls[_current];
            if (call.Name.Length == 0)
            {
                if (!cut)
                    throw new UpstreamFaultException("a call has no function");
                _current++;
                continue;
            }

            // Of a call without a word of arguments nobody can say whether it was cut off; the last one probably was.
            bool open = call.Arguments.IsNothing ? !call.IsClosed && _current == _calls.Count - 1 : !call.Arguments.IsBalanced;
            call.IsClosed = true;
            if (cut && open)
            {
                Begin(call, events);
                Abandon(call, events);
            }
            else
            {
                Tell(null, events);
            }
        }

        CheckCut(cut);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Call call in _calls)
            call.Arguments.Dispose();
    }

    private int Find(int? index, string? id, string? name)
    {
        bool named = !string.IsNullOrEmpty(name);
        for (int i = _calls.Count - 1; i >= 0; i--)
        {
            Call call = _calls[i];
            bool sameId = string.IsNullOrEmpty(id) || call.Id.Length == 0 || call.Id == id;
            if (index is not null)
            {
                // Some services give every call the number 0: an id of its own and a name make it another one.
                if (call.Index == index)
                    return sameId || !named ? i : -1;
            }
            else if (!string.IsNullOrEmpty(id) ? call.Id == id : !named)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Tells the current call as far as it came, and those behind it that are complete.</summary>
    private void Tell(string? piece, List<ChatEvent> events)
    {
        for (; _current < _calls.Count && (parallel || _current == 0); piece = null)
        {
            Call call = _calls[_current];
            if (call.Name.Length == 0)
                return;
            Begin(call, events);
            if (!call.Arguments.IsNothing)
            {
                string text = piece is { Length: > 0 } && call.Arguments.TakeWhole(piece) ? piece : call.Arguments.Take();
                if (text.Length > 0)
                    events.Add(new ChatEvent(ChatEventKind.ToolCallArguments, text, _current));
            }
            else if (call.IsClosed)
            {
                events.Add(new ChatEvent(ChatEventKind.ToolCallArguments, "{}", _current));
            }

            if (call.Arguments.IsBalanced && !call.Arguments.IsObject)
                throw new UpstreamFaultException("the arguments of a call are not the JSON text of an object");
            if (!call.Arguments.IsBalanced && !call.IsClosed)
                return;
            if (!call.Arguments.IsBalanced && !call.Arguments.IsNothing)
            {
                Abandon(call, events);
                continue;
            }

            call.State = CallState.Over;
            Any = true;
            events.Add(new ChatEvent(ChatEventKind.ToolCallEnd, "", _current));
            _current++;
        }
    }

    private void CheckCut(bool cut)
    {
        if (_cutLast && !cut)
            throw new UpstreamFaultException("the arguments of a call are not the JSON text of an object");
    }

    private void Begin(Call call, List<ChatEvent> events)
    {
        if (call.State != CallState.Waiting)
            return;
        call.State = CallState.Begun;
        events.Add(new ChatEvent(ChatEventKind.ToolCallStart, call.Name, _current));
    }

    private void Abandon(Call call, List<ChatEvent> events)
    {
        call.State = CallState.Over;
        _cutLast = true;
        events.Add(new ChatEvent(ChatEventKind.ToolCallAbandoned, "", _current));
        _current++;
    }

    private enum CallState
    {
        Waiting,
        Begun,
        Over,
    }

    private sealed class Call
    {
        public int? Index { get; init; }

        public required string Id { get; set; }

        public string Name { get; set; } = "";

        public CallArguments Arguments { get; } = new();

        public CallState State { get; set; }

        /// <summary>Whether the service says that nothing more comes.</summary>
        public bool IsClosed { get; set; }
    }
}
