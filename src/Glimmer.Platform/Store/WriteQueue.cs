using System.Threading.Channels;

namespace Glimmer.Platform.Store;

/// <summary>
/// The background writer with group commit: writes come from anywhere, one thread puts what has gathered into one
/// transaction, and whoever waits goes on when it is durable (<see cref="StoreDurability"/>). Writes happen in the order
/// they were given.
/// </summary>
/// <remarks>
/// A write may run more than once before it is committed (a lock, a lost connection, a neighbour in the batch that
/// failed): it may touch nothing but its session. One that fails for good fails alone. Trouble that may pass (the
/// database is away, the disk is full) is waited out; the queue fills meanwhile and givers wait for room.
/// </remarks>
internal sealed class WriteQueue : IAsyncDisposable
{
    private static readonly TimeSpan _longestPause = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan _patienceWhenAway = TimeSpan.FromSeconds(3);
    private readonly StoreConnections _connections;
    private readonly StoreChanges _changes;
    private readonly StorePresence _presence;
    private readonly Queue<WriteItem> _held = new();
    private readonly int _heldLimit;
    private readonly TimeProvider _time;
    private readonly Channel<WriteItem> _channel;
    private readonly int _batchLimit;
    private readonly Thread _thread;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ManualResetEventSlim _stopping = new();
    private readonly ManualResetEventSlim _given = new();
    private StoreConnection? _connection;
    private long _written;
    private long _batches;
    private long _stopBy = long.MaxValue;
    private volatile Exception? _trouble;
    private int _heldCount;

    public WriteQueue(StoreConnections connections, StoreChanges changes, StorePresence presence, StoreSettings settings)
    {
        _connections = connections;
        _changes = changes;
        _presence = presence;
        _heldLimit = settings.WriteQueueLimit;
        _time = settings.Time;
        _batchLimit = settings.WriteBatchLimit;
        _channel = Channel.CreateBounded<WriteItem>(new BoundedChannelOptions(settings.WriteQueueLimit) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
        _ = _channel.Reader.Completion.ContinueWith(static (_, given) => ((ManualResetEventSlim)given!).Set(), _given, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        _thread = new Thread(Loop) { IsBackground = true, Name = "store writer" };
        _thread.Start();
    }

    /// <summary>Writes that wait or are being written.</summary>
    public int Waiting => _channel.Reader.Count + Volatile.Read(ref _heldCount);

    /// <summary>Writes committed since the start.</summary>
    public long Written => Interlocked.Read(ref _written);

    /// <summary>Transactions committed since the start.</summary>
    public long Batches => Interlocked.Read(ref _batches);

    /// <summary>Why the writer cannot write now; null when all is well.</summary>
    public Exception? Trouble => _trouble;

    /// <summary>Called when a write that nobody waits for failed for good.</summary>
    public Action<Exception>? PostFailed { get; set; }

    /// <summary>How long <see cref="DisposeAsync"/> waits for a database that is away.</summary>
    public TimeSpan StopPatience { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>Gives a write and waits until it is durable.</summary>
    /// <param name="write">See the remarks of this class.</param>
    /// <param name="patient">Whether it waits for a database that is away, however long. Otherwise it is refused then.</param>
    /// <param name="inline">Whether whoever waits goes on upon the writer's thread: for one that only gives the next write and must not lose time on the way.</param>
    /// <param name="cancel">Ends the wait for room in the queue; a write once in it is done, or refused.</param>
    /// <exception cref="ObjectDisposedException">The store is closing.</exception>
    /// <exception cref="StoreAwayException">The database is away; nothing was written.</exception>
    public async Task<T> WriteAsync<T>(Func<StoreSession, T> write, bool patient = false, bool inline = false, CancellationToken cancel = default)
    {
        if (!patient && _presence.IsAway)
            throw new StoreAwayException(_trouble);
        var item = new AwaitedWrite<T>(write, patient, inline);
        await PutAsync(item, cancel);
        return await item.Task;
    }

    /// <inheritdoc cref="WriteAsync{T}"/>
    public Task WriteAsync(Action<StoreSession> write, bool patient = false, bool inline = false, CancellationToken cancel = default) =>
        WriteAsync(session =>
        {
            write(session);
            return true;
        }, patient, inline, cancel);

    /// <summary>Gives a write that nobody waits for; false when the queue is full or closing.</summary>
    public bool TryPost(Action<StoreSession> write) => TryPut(new PostedWrite(write));

    /// <summary>
    /// A lane for many small values of one kind: the writer hands over all that stand next to each other at once, so that
    /// they can go in as one COPY or through one prepared statement.
    /// </summary>
    /// <param name="write">Writes values in their order. See the remarks of this class.</param>
    public WriteLane<T> Lane<T>(Action<StoreSession, IReadOnlyList<T>> write) => new(this, write);

    /// <summary>Waits until everything given before is durable.</summary>
    public Task FlushAsync() => WriteAsync(static _ => true);

    /// <summary>Takes no more, writes what waits, and ends.</summary>
    public ValueTask DisposeAsync() => StopAsync(Task.CompletedTask);

    /// <summary>As <see cref="DisposeAsync"/>, but goes on taking writes until those who give one only when another is stored have given their last, or its patience is over.</summary>
    /// <param name="given">Completes when they have.</param>
    public async ValueTask StopAsync(Task given)
    {
        if (!_stopping.IsSet)
        {
            // One that has been away for a while will hardly come within this one.
            TimeSpan patience = _presence.IsAway && StopPatience > _patienceWhenAway ? _patienceWhenAway : StopPatience;
            Interlocked.Exchange(ref _stopBy, Environment.TickCount64 + (long)patience.TotalMilliseconds);
            _stopping.Set();
            await given.WaitAsync(patience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            _channel.Writer.TryComplete();
        }

        await _ended.Task;
    }

    internal async ValueTask PutAsync(WriteItem item, CancellationToken cancel)
    {
        try
        {
            await _channel.Writer.WriteAsync(item, cancel);
            _given.Set();
        }
        catch (ChannelClosedException)
        {
            throw new ObjectDisposedException(nameof(PlatformStore), "The store is closing.");
        }
    }

    internal bool TryPut(WriteItem item)
    {
        if (!_channel.Writer.TryWrite(item))
            return false;
        _given.Set();
        return true;
    }

    private void Loop()
    {
        var batch = new List<WriteItem>();
        ChannelReader<WriteItem> reader = _channel.Reader;
        while (_held.Count > 0 || WaitForMore())
        {
            while (batch.Count < _batchLimit && _held.TryDequeue(out WriteItem? held))
                batch.Add(held);
            Volatile.Write(ref _heldCount, _held.Count);
            while (batch.Count < _batchLimit && _held.Count == 0 && reader.TryRead(out WriteItem? item))
                batch.Add(item);
            Write(batch, 0, batch.Count);
            batch.Clear();
        }

        _connection?.Dispose();
        _ended.SetResult();
    }

    /// <summary>
    /// Waits until something was given, false when nothing more will be. Whoever gives wakes this thread itself: the channel would have a thread of the pool do it, and a request
    /// would wait for two of them.
    /// </summary>
    private bool WaitForMore()
    {
        while (true)
        {
            _given.Reset();
            if (_channel.Reader.TryPeek(out _))
                return true;
            if (_channel.Reader.Completion.IsCompleted)
                return false;
            _given.Wait();
        }
    }

    private void Write(List<WriteItem> batch, int start, int count)
    {
        for (int attempt = 0; ; attempt++)
        {
            try
            {
                Commit(batch, start, count);
                _trouble = null;
                _presence.Answered(writing: true);
                if (_presence.IsAway)
                    _changes.LookNow();   // it is back when it can be read again too
                Interlocked.Add(ref _written, count);
                Interlocked.Increment(ref _batches);
                for (int i = start; i < start + count; i++)
                    batch[i].Succeed();
                return;
            }
            catch (Exception fault) when (StoreDialect.IsTransient(fault) && Environment.TickCount64 < Interlocked.Read(ref _stopBy))
            {
                _trouble = fault;
                Drop();
                if (StoreDialect.IsAbsence(fault))
                    _connections.Forget();
                if (attempt > 0)
                    NoteAbsence(fault);
                if (_presence.IsAway)
                    Refuse(batch, start, count, fault);
                TimeSpan pause = TimeSpan.FromMilliseconds(Math.Min(20 << Math.Min(attempt, 10), _longestPause.TotalMilliseconds));
                if (_stopping.IsSet)
                    Thread.Sleep(pause);
                else
                    _stopping.Wait(pause);
            }
            catch (Exception fault)
            {
                Drop();
                if (count == 1)
                {
                    if (!batch[start].Fail(fault))
                        PostFailed?.Invoke(fault);
                    return;
                }

                // One of them is bad: halves find it, and the others are still written in their order.
                int half = count / 2;
                Write(batch, start, half);
                Write(batch, start + half, count - half);
                return;
            }
        }
    }

    private void Commit(List<WriteItem> batch, int start, int count)
    {
        _connection ??= _connections.OpenWriter();
        IReadOnlyDictionary<string, long> touched = StoreTransactions.Run(_connections, _connection, session =>
        {
            for (int i = start, end = start + count; i < end;)
                i += batch[i].Run(session, batch, i, end);
        }, GoOn);
        if (_connection.Connection.State != System.Data.ConnectionState.Open)
            Drop();
        _changes.Tell(touched);
    }

    // Nobody can tell whether the batch was committed until the server answers: it is asked until then.
    private bool GoOn(Exception fault)
    {
        _trouble = fault;
        NoteAbsence(fault);
        Refuse([], 0, 0, fault);
        return Environment.TickCount64 < Interlocked.Read(ref _stopBy);
    }

    private void NoteAbsence(Exception fault)
    {
        if (StoreDialect.IsAbsence(fault) && !StoreDialect.IsEndOfConnection(fault))
            _presence.Failed(fault, writing: true);
    }

    /// <summary>
    /// While the database is away: tells those who would not wait. What they gave is not in the database, and their place in the
    /// batch stays as an empty write, so that the writer goes on asking.
    /// </summary>
    private void Refuse(List<WriteItem> batch, int start, int count, Exception fault)
    {
        for (int i = start; i < start + count; i++)
        {
            if (!batch[i].IsPatient)
            {
                batch[i].Fail(new StoreAwayException(fault));
                batch[i] = new PostedWrite(static _ => { });
            }
        }

        while (_held.Count < _heldLimit && _channel.Reader.TryRead(out WriteItem? item))
        {
            if (item.IsPatient)
                _held.Enqueue(item);
            else
                item.Fail(new StoreAwayException(fault));
        }

        Volatile.Write(ref _heldCount, _held.Count);
    }

    private void Drop()
    {
        _connection?.Dispose();
        _connection = null;
    }
}

/// <summary>A lane of the <see cref="WriteQueue"/> for values of one kind.</summary>
internal sealed class WriteLane<T>(WriteQueue queue, Action<StoreSession, IReadOnlyList<T>> write)
{
    /// <summary>Writes values that stand next to each other.</summary>
    internal Action<StoreSession, IReadOnlyList<T>> Handler { get; } = write;

    /// <summary>Gives a value and waits until it is durable.</summary>
    public async Task WriteAsync(T value, CancellationToken cancel = default)
    {
        var item = new LaneWrite<T>(this, value, awaited: true);
        await queue.PutAsync(item, cancel);
        await item.Task;
    }

    /// <summary>Gives a value that nobody waits for; false when the queue is full or closing.</summary>
    public bool TryPost(T value) => queue.TryPut(new LaneWrite<T>(this, value, awaited: false));
}

/// <summary>Something in the queue.</summary>
internal abstract class WriteItem
{
    /// <summary>Whether it waits for a database that is away.</summary>
    public virtual bool IsPatient => true;

    /// <summary>Writes this item and maybe its neighbours of the same lane; gives how many were written.</summary>
    public abstract int Run(StoreSession session, List<WriteItem> batch, int index, int end);

    /// <summary>It is durable.</summary>
    public abstract void Succeed();

    /// <summary>It failed for good; false when nobody waits who could hear of it.</summary>
    public abstract bool Fail(Exception fault);
}

internal sealed class AwaitedWrite<T>(Func<StoreSession, T> write, bool patient, bool inline) : WriteItem
{
    private readonly TaskCompletionSource<T> _done = new(inline ? TaskCreationOptions.None : TaskCreationOptions.RunContinuationsAsynchronously);
    private T? _result;

    public override bool IsPatient => patient;

    public Task<T> Task => _done.Task;

    public override int Run(StoreSession session, List<WriteItem> batch, int index, int end)
    {
        _result = write(session);
        return 1;
    }

    public override void Succeed() => _done.SetResult(_result!);

    public override bool Fail(Exception fault)
    {
        _done.SetException(fault);
        return true;
    }
}

internal sealed class PostedWrite(Action<StoreSession> write) : WriteItem
{
    public override int Run(StoreSession session, List<WriteItem> batch, int index, int end)
    {
        write(session);
        return 1;
    }

    public override void Succeed()
    {
    }

    public override bool Fail(Exception fault) => false;
}

internal sealed class LaneWrite<T>(WriteLane<T> lane, T value, bool awaited) : WriteItem
{
    private readonly TaskCompletionSource? _done = awaited ? new(TaskCreationOptions.RunContinuationsAsynchronously) : null;

    public Task Task => _done!.Task;

    public override int Run(StoreSession session, List<WriteItem> batch, int index, int end)
    {
        var values = new List<T>();
        for (int i = index; i < end && batch[i] is LaneWrite<T> next && ReferenceEquals(next.Owner, lane); i++)
            values.Add(next.Value);
        lane.Handler(session, values);
        return values.Count;
    }

    public override void Succeed() => _done?.SetResult();

    public override bool Fail(Exception fault)
    {
        _done?.SetException(fault);
        return _done is not null;
    }

    private WriteLane<T> Owner => lane;

    private T Value => value;
}
