using System.Text;
using System.Threading.Tasks.Sources;
using Glimmer.Dialogue.Output;

namespace Glimmer.Inference.Embedded;

/// <summary>
/// Events on their way from the engine's thread to one reader. The writer never waits: when the reader falls behind,
/// neighbouring pieces of the same text are joined, so that what is held is bounded by the answer's length and nothing
/// is lost. The reader's continuation never runs on the writer's thread.
/// </summary>
internal sealed class EventBuffer : IValueTaskSource
{
    /// <summary>Events held before pieces are joined.</summary>
    public const int JoinFrom = 16;

    private readonly Lock _gate = new();
    private readonly StringBuilder _tail = new();
    private List<ChatEvent> _events = [];
    private ManualResetValueTaskSourceCore<bool> _signal = new() { RunContinuationsAsynchronously = true };
    private bool _waiting;
    private bool _completed;

    /// <summary>Whether no more events come; those held can still be read.</summary>
    public bool IsCompleted
    {
        get
        {
            lock (_gate)
                return _completed;
        }
    }

    /// <summary>Adds events.</summary>
    public void Write(List<ChatEvent> events)
    {
        if (events.Count == 0)
            return;
        lock (_gate)
        {
            foreach (ChatEvent said in events)
                Add(said);
            Signal();
        }
    }

    /// <summary>Says that no more events come.</summary>
    public void Complete()
    {
        lock (_gate)
        {
            _completed = true;
            Signal();
        }
    }

    /// <summary>Waits for events and takes all there are in exchange for an empty list; null when the end is reached. One reader only.</summary>
    /// <param name="empty">A list to fill next, usually the one taken before.</param>
    public async ValueTask<List<ChatEvent>?> TakeAsync(List<ChatEvent> empty)
    {
        empty.Clear();
        while (true)
        {
            ValueTask signal;
            lock (_gate)
            {
                if (_events.Count > 0)
                {
                    FlushTail();
                    (List<ChatEvent> taken, _events) = (_events, empty);
                    return taken;
                }

                if (_completed)
                    return null;
                _signal.Reset();
                _waiting = true;
                signal = new ValueTask(this, _signal.Version);
            }

            await signal;
        }
    }

    void IValueTaskSource.GetResult(short token) => _signal.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _signal.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _signal.OnCompleted(continuation, state, token, flags);

    private void Add(ChatEvent said)
    {
        bool isText = said.Tokens is null && said.Kind is ChatEventKind.Reasoning or ChatEventKind.Content or ChatEventKind.ToolCallArguments;
        if (isText && _events.Count >= JoinFrom
            && _events[^1].Tokens is null && _events[^1].Kind == said.Kind && _events[^1].ToolIndex == said.ToolIndex)
        {
            if (_tail.Length == 0)
                _tail.Append(_events[^1].Text);
            _tail.Append(said.Text);
            return;
        }

        FlushTail();
        _events.Add(said);
    }

    private void FlushTail()
    {
        if (_tail.Length == 0)
            return;
        _events[^1] = _events[^1] with { Text = _tail.ToString() };
        _tail.Clear();
    }

    private void Signal()
    {
        if (!_waiting)
            return;
        _waiting = false;
        _signal.SetResult(true);
    }
}
