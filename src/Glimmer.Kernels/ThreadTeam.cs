using System.Diagnostics;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Glimmer.Kernels;

/// <summary>One operation split into parts that may run in any order on any thread.</summary>
/// <remarks>Implemented by structs, so that starting a parallel operation allocates nothing.</remarks>
public interface IParallelBody
{
    /// <summary>Computes one part. Several parts run at the same time on one shared instance.</summary>
    void Invoke(int part);
}

/// <summary>
/// The threads that run forward passes. <see cref="Run{TBody}(int, ref TBody)"/> splits one operation into parts and
/// returns when all are done; the calling thread takes part. One pass at a time uses a team: calls must not overlap.
/// </summary>
/// <remarks>
/// <para>Which thread computes a part never changes its result: a part's arithmetic does not depend on the split.</para>
/// <para>
/// Threads take parts one by one from a shared ticket, so a thread that the operating system has put aside delays nobody
/// but the part it holds, and a late one finds nothing to do. Between operations threads spin for some microseconds and
/// then sleep; the next operation wakes them.
/// </para>
/// </remarks>
public sealed unsafe class ThreadTeam : IDisposable
{
    /// <summary>How long a thread looks for work before it sleeps: longer than the serial gaps inside a forward pass.</summary>
    private static readonly long _spinTicks = Stopwatch.Frequency / 20_000;

    private readonly Worker[] _workers;
    private readonly AutoResetEvent _finished = new(initialState: false);
    private readonly bool _crowded;
    private Shared _shared;
    private delegate*<void*, int, void> _invoke;
    private void* _body;
    private int _parts;
    private ExceptionDispatchInfo? _failure;
    private int _busy;
    private volatile bool _stopping;

    /// <summary>Starts a team of <paramref name="threads"/> including the caller; at least 1.</summary>
    public ThreadTeam(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(threads, 4096);
        Threads = threads;
        _crowded = threads > Environment.ProcessorCount;
        _workers = new Worker[threads - 1];
        for (int i = 0; i < _workers.Length; i++)
            _workers[i] = new Worker(this, i);
        foreach (Worker worker in _workers)
            worker.Thread.Start();
    }

    /// <summary>Threads that work in parallel, the caller included.</summary>
    public int Threads { get; }

    /// <summary>Runs <paramref name="body"/> for every part in [0, <paramref name="parts"/>), in any order, in parallel.</summary>
    /// <exception cref="InvalidOperationException">The team is already running something (calls overlap or are nested).</exception>
    /// <remarks>The first exception of a part is rethrown here after the parts in progress have ended; the remaining ones are skipped.</remarks>
    public void Run<TState>(int parts, TState state, Action<TState, int> body)
    {
        var call = new DelegateBody<TState>(state, body);
        Run(parts, ref call);
    }

    /// <summary>Runs every part in [0, <paramref name="parts"/>), in any order, in parallel; allocates nothing.</summary>
    /// <exception cref="ObjectDisposedException">The team was disposed.</exception>
    /// <exception cref="InvalidOperationException">The team is already running something (calls overlap or are nested).</exception>
    /// <remarks>The first exception of a part is rethrown here after the parts in progress have ended; the remaining ones are skipped.</remarks>
    public void Run<TBody>(int parts, ref TBody body)
        where TBody : struct, IParallelBody
    {
        ObjectDisposedException.ThrowIf(_stopping, this);
        if (Interlocked.Exchange(ref _busy, 1) != 0)
            throw new InvalidOperationException("The thread team is already running an operation: calls must not overlap or be nested.");
        long start = OperatorClock.IsRunning ? Stopwatch.GetTimestamp() : 0;
        try
        {
            if (_workers.Length == 0 || parts <= 1)
            {
                for (int part = 0; part < parts; part++)
                    body.Invoke(part);
                return;
            }

            TBody local = body; // a copy on this stack has a fixed address, and what it refers to stays reachable
#pragma warning disable CS8500 // the address of a managed local: it is only used while this frame waits, see Share
            Share(parts, &local, &InvokePart<TBody>);
#pragma warning restore CS8500
            body = local;
        }
        finally
        {
            Volatile.Write(ref _busy, 0);
            if (start != 0)
                OperatorClock.Add(typeof(TBody), (body as INamedBody)?.DeclaringType, start);
        }
    }

    /// <summary>Ends the team's threads and waits for them.</summary>
    public void Dispose()
    {
        if (_stopping)
            return;
        _stopping = true;
        Thread.MemoryBarrier(); // before the flags of sleeping threads are read, as the exchange in Share is
        foreach (Worker worker in _workers)
            worker.Wake();
        foreach (Worker worker in _workers)
        {
            worker.Thread.Join();
            worker.Dispose();
        }

        _finished.Dispose();
    }

    private static void InvokePart<TBody>(void* body, int part)
        where TBody : struct, IParallelBody
    {
#pragma warning disable CS8500 // see Run: the pointed-to struct lives in the caller's frame
        ((TBody*)body)->Invoke(part);
#pragma warning restore CS8500
    }

    private void Share(int parts, void* body, delegate*<void*, int, void> invoke)
    {
        _invoke = invoke;
        _body = body;
        _parts = parts;
        _failure = null;
        _shared.Completed = 0;
        _shared.CallerSleeps = 0;

        // Publishes the fields above: a thread that sees the new generation sees them too.
        uint generation = (uint)(_shared.Ticket >> 32) + 1;
        Interlocked.Exchange(ref _shared.Ticket, (long)((ulong)generation << 32 | (uint)parts));
        int helpers = Math.Min(_workers.Length, parts - 1);
        for (int i = 0; i < helpers; i++)
            _workers[i].Wake();

        TakeParts(generation);
        WaitForTheRest(parts);
        _body = null;
        ExceptionDispatchInfo? failure = _failure;
        _failure = null;
        failure?.Throw();
    }

    /// <summary>Takes parts of one operation until none is left.</summary>
    /// <remarks>
    /// The ticket holds the operation's number and how many of its parts nobody has taken yet. The caller changes the fields
    /// of the operation only when that is 0 and all parts have completed. So a successful exchange from a number above 0 proves that
    /// the fields read before it belong to this operation. (Counting up to <c>_parts</c> would not: a late thread could
    /// compare the old ticket with the next operation's number of parts.)
    /// </remarks>
    private void TakeParts(uint generation)
    {
        while (true)
        {
            long ticket = Volatile.Read(ref _shared.Ticket);
            int left = (int)ticket;
            if ((uint)(ticket >> 32) != generation || left == 0)
                return;
            int parts = _parts;
            void* body = _body;
            delegate*<void*, int, void> invoke = _invoke;
            if (Interlocked.CompareExchange(ref _shared.Ticket, ticket - 1, ticket) != ticket)
                continue;
            int part = parts - left;
            try
            {
                if (Volatile.Read(ref _failure) is null)
                    invoke(body, part);
            }
            catch (Exception failure)
            {
                // Carried to the caller of Run: an exception must not end a worker thread.
                Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(failure), null);
            }

            if (Interlocked.Increment(ref _shared.Completed) == parts && Volatile.Read(ref _shared.CallerSleeps) != 0)
                _finished.Set();
        }
    }

    private void WaitForTheRest(int parts)
    {
        if (Volatile.Read(ref _shared.Completed) == parts)
            return;
        long start = Stopwatch.GetTimestamp();
        while (Volatile.Read(ref _shared.Completed) != parts)
        {
            if (!_crowded && Stopwatch.GetTimestamp() - start < _spinTicks)
            {
                Thread.SpinWait(8);
                continue;
            }

            // Interlocked on both sides: either the last worker sees the flag, or this thread sees the full count.
            Interlocked.Exchange(ref _shared.CallerSleeps, 1);
            if (Interlocked.Add(ref _shared.Completed, 0) == parts)
                break;
            _finished.WaitOne();
        }

        // The last worker may have set the event although it was not waited for.
        if (_shared.CallerSleeps != 0)
            _finished.Reset();
    }

    private bool HasWork(uint seen) => (uint)(Volatile.Read(ref _shared.Ticket) >> 32) != seen;

    /// <summary>Fields that all threads write, on cache lines of their own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 320)]
    private struct Shared
    {
        [FieldOffset(64)] public long Ticket;
        [FieldOffset(192)] public int Completed;
        [FieldOffset(196)] public int CallerSleeps;
    }

    /// <summary>A body that stands for code written elsewhere.</summary>
    private interface INamedBody
    {
        Type? DeclaringType { get; }
    }

    private struct DelegateBody<TState>(TState state, Action<TState, int> body) : IParallelBody, INamedBody
    {
        public readonly Type? DeclaringType => body.Method.DeclaringType;

        public readonly void Invoke(int part) => body(state, part);
    }

    /// <summary>A background thread: looks for work, spins a little, sleeps.</summary>
    private sealed class Worker : IDisposable
    {
        private readonly ThreadTeam _team;
        private readonly AutoResetEvent _wake = new(initialState: false);
        private int _asleep;

        public Worker(ThreadTeam team, int index)
        {
            _team = team;
            Thread = new Thread(Work) { IsBackground = true, Name = $"Kernels {index + 1}" };
        }

        public Thread Thread { get; }

        public void Wake()
        {
            if (Volatile.Read(ref _asleep) != 0 && Interlocked.Exchange(ref _asleep, 0) != 0)
                _wake.Set();
        }

        public void Dispose() => _wake.Dispose();

        private void Work()
        {
            uint seen = 0;
            while (true)
            {
                long start = Stopwatch.GetTimestamp();
                while (!_team.HasWork(seen))
                {
                    if (_team._stopping)
                        return;
                    if (!_team._crowded && Stopwatch.GetTimestamp() - start < _spinTicks)
                        Thread.SpinWait(8);
                    else
                        Sleep(seen);
                }

                seen = (uint)(Volatile.Read(ref _team._shared.Ticket) >> 32);
                _team.TakeParts(seen);
            }
        }

        /// <summary>Announces the sleep before the last look for work, so that a wake-up cannot be missed.</summary>
        private void Sleep(uint seen)
        {
            Interlocked.Exchange(ref _asleep, 1);
            if ((_team.HasWork(seen) || _team._stopping) && Interlocked.Exchange(ref _asleep, 0) != 0)
                return;
            _wake.WaitOne(); // either no work yet, or the waker took the flag and sets the event
        }
    }
}
