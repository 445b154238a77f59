using System.Buffers;
using System.Text;
using System.Text.Json;
using Glimmer.Dialogue.Output;
using Glimmer.Platform.Responses;
using Glimmer.Protocol.Json;
using Glimmer.Server.Answers;

namespace Glimmer.Server.Responses;

/// <summary>
/// The events of a background response while this node makes it, as they are sent, from the first on. Whoever reads sees each piece as it
/// comes; what comes while nobody reads is one piece, and the longer the answer, the larger its pieces: so the memory it takes is bounded.
/// </summary>
internal sealed class LiveResponse : IResponseEventOutput, IDisposable
{
    /// <summary>So many bytes of events add a UTF-16 unit to the least length of a piece.</summary>
    private const int BytesPerUnit = 64 << 10;

    /// <summary>Numbers that are kept for the events that are not pieces.</summary>
    private const int Reserve = 1024;

    private static readonly TimeSpan _slowest = TimeSpan.FromSeconds(2);

    private readonly Lock _gate = new();
    private readonly ArrayBufferWriter<byte> _buffer = new(512);
    private readonly Utf8JsonWriter _json;
    private readonly List<byte[]> _events = [];
    private readonly ResponsesStream _stream;
    private readonly StringBuilder _text = new();
    private readonly List<SaidToken> _tokens = [];
    private readonly long _first;
    private readonly long _numbers;
    private TaskCompletionSource? _changed;
    private ChatEvent? _piece;
    private long _bytes;
    private int _visible;
    private bool _begun;
    private bool _ended;
    private bool _closed;

    /// <param name="id">Id of the response.</param>
    /// <param name="answer">The answer that is folded into events.</param>
    /// <param name="first">Number of the first event.</param>
    /// <param name="numbers">How many numbers there are.</param>
    public LiveResponse(string id, ResponsesAnswer answer, long first, long numbers)
    {
        Id = id;
        _first = first;
        _numbers = numbers;
        _json = new Utf8JsonWriter(_buffer, WireJson.WriterOptions);
        _stream = new ResponsesStream(new ResponseEvents(this) { Next = first, Marks = new StreamMarks(first) }, answer);
    }

    /// <summary>Id of the response.</summary>
    public string Id { get; }

    /// <summary>Whether its last event can be read.</summary>
    public bool IsKept { get; private set; }

    /// <summary>How many numbers a run needs whose answer has at most so many tokens: no token is the cause of more than four events.</summary>
    public static long NumbersFor(int? maxTokens) => (4L * Math.Clamp(maxTokens ?? (128 << 10), 1, 256 << 10)) + (4 * Reserve);

    /// <summary>Takes an event of the answer.</summary>
    public void Write(in ChatEvent said)
    {
        lock (_gate)
        {
            BeginOnce();
            bool text = said.Kind is ChatEventKind.Reasoning or ChatEventKind.Content or ChatEventKind.ToolCallArguments;
            if (!text || _piece is not { } piece || piece.Kind != said.Kind || piece.ToolIndex != said.ToolIndex)
                Cut();
            if (text)
            {
                _piece = said;
                _text.Append(said.Text);
                if (said.Tokens is not null)
                    _tokens.AddRange(said.Tokens);
            }
            else
            {
                _stream.Write(said);
            }

            if (_changed is null)
                return;
            CutIfLong();
            Tell();
        }
    }

    /// <summary>Takes the end of the answer. The last event is held back until it is kept.</summary>
    public void End(AnswerEnd end)
    {
        lock (_gate)
        {
            BeginOnce();
            Cut();
            _stream.End(end);
            _ended = true;
            Tell();
        }
    }

    /// <summary>Ends it for its readers.</summary>
    /// <param name="kept">Whether its end is kept, so that the last event holds; without it readers look for what the response is now.</param>
    public void Close(bool kept)
    {
        lock (_gate)
        {
            IsKept = kept;
            _closed = true;
            Tell();
        }
    }

    /// <summary>Events that can be read.</summary>
    /// <param name="after">Number of the last one that is known.</param>
    /// <param name="into">Gets them, as they are sent.</param>
    /// <param name="most">Most to give.</param>
    /// <returns>Number of the last one given, or <paramref name="after"/>; completes when there is more; whether there will be no more.</returns>
    public (long Last, Task Changed, bool Closed) Read(long after, List<byte[]> into, int most)
    {
        lock (_gate)
        {
            // A run that failed was closed with what it had not told; nobody is told that any more.
            if (!_closed)
                CutIfLong();
            Tell();
            int from = (int)Math.Clamp(after + 1 - _first, 0, _visible);
            int count = Math.Min(most, _visible - from);
            into.AddRange(_events.GetRange(from, count));
            bool all = from + count == _visible;
            Task changed = !all || _closed ? Task.CompletedTask : (_changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            return (count > 0 ? _first + from + count - 1 : after, changed, all && _closed);
        }
    }

    /// <summary>Writes events to the store as they come, for the readers of other nodes, until it is stopped.</summary>
    public async Task ShareAsync(ResponseTasks tasks, TimeProvider time, Action<Exception> failed, CancellationToken stop)
    {
        var events = new List<byte[]>();
        long last = _first - 1;
        for (int rows = 0; !stop.IsCancellationRequested; rows++)
        {
            TimeSpan every = TimeSpan.FromMilliseconds(Math.Min(_slowest.TotalMilliseconds, 150 + (2 * rows)));
            await Task.Delay(every, time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (stop.IsCancellationRequested)
                break;
            (long read, _, _) = Read(last, events, int.MaxValue);
            if (events.Count == 0)
                continue;
            try
            {
                await tasks.AppendAsync(Id, read - events.Count + 1, events.Count, string.Concat(events.Select(Encoding.UTF8.GetString)));
                last = read;
            }
            catch (Exception fault)
            {
                // They are written the next time; readers elsewhere wait as long.
                failed(fault);
            }

            events.Clear();
        }
    }

    /// <inheritdoc/>
    Utf8JsonWriter IResponseEventOutput.Begin(ReadOnlySpan<byte> type)
    {
        _buffer.Write("event: "u8);
        _buffer.Write(type);
        _buffer.Write("\ndata: "u8);
        _json.Reset();
        return _json;
    }

    /// <inheritdoc/>
    void IResponseEventOutput.End()
    {
        _json.Flush();
        _buffer.Write("\n\n"u8);
        _events.Add(_buffer.WrittenSpan.ToArray());
        _bytes += _buffer.WrittenCount;
        _buffer.ResetWrittenCount();
    }

    /// <inheritdoc/>
    public void Dispose() => _json.Dispose();

    private void BeginOnce()
    {
        if (_begun)
            return;
        _begun = true;
        _stream.Begin(default);
    }

    private void CutIfLong()
    {
        if (_text.Length > _bytes / BytesPerUnit && _events.Count + Reserve < _numbers)
            Cut();
    }

    private void Cut()
    {
        if (_piece is not { } piece)
            return;
        _stream.Write(piece with { Text = _text.ToString(), Tokens = _tokens.Count > 0 ? [.. _tokens] : null });
        _piece = null;
        _text.Clear();
        _tokens.Clear();
    }

    private void Tell()
    {
        int visible = _events.Count - (_ended && !IsKept ? 1 : 0);
        if (visible == _visible && !_closed)
            return;
        _visible = visible;
        _changed?.TrySetResult();
        _changed = null;
    }
}

/// <summary>An answer whose events can be read while it is made, and which is then kept whole.</summary>
internal sealed class LiveAnswer(ResponsesAnswer answer, LiveResponse live) : IAnswerDialect
{
    /// <inheritdoc/>
    public bool ShowsReasoning => answer.ShowsReasoning;

    /// <inheritdoc/>
    public string WordOf(FinishReason finish) => answer.WordOf(finish);

    /// <inheritdoc/>
    public IStreamedAnswer Stream(Protocol.Sse.SseWriter output) => answer.Stream(output);

    /// <inheritdoc/>
    public void Said(in ChatEvent said) => live.Write(said);

    /// <inheritdoc/>
    public void WriteWhole(IBufferWriter<byte> output, MessageBuilder message, AnswerEnd end)
    {
        live.End(end);
        using var json = new Utf8JsonWriter(output, WireJson.WriterOptions);
        answer.Head.Write(json, answer.State);
    }
}
